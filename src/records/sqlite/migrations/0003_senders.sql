-- Uploads without a secret, of one conversation. The ticket itself is not kept: `digest` is keyed.
CREATE TABLE tickets (
  digest TEXT PRIMARY KEY,
  conversation_id TEXT NOT NULL,
  message_id TEXT,
  language TEXT,
  files_left INTEGER NOT NULL,
  issued_by TEXT NOT NULL,
  issued_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX tickets_by_expiry ON tickets (expires_at);

-- Each signature holds once, and no longer than its time is near ours.
CREATE TABLE used_signatures (
  digest TEXT PRIMARY KEY,
  until BIGINT NOT NULL
);
CREATE INDEX used_signatures_by_age ON used_signatures (until);
