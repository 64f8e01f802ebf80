-- What a conversation has sent on a day (UTC, YYYY-MM-DD).
CREATE TABLE conversation_usage (
  conversation_id TEXT NOT NULL,
  day TEXT NOT NULL,
  files INTEGER NOT NULL,
  bytes BIGINT NOT NULL,
  PRIMARY KEY (conversation_id, day)
) WITHOUT ROWID;
CREATE INDEX conversation_usage_by_day ON conversation_usage (day);
