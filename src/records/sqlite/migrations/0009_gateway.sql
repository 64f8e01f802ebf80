-- Files that a customer announced through the gateway, by the session that it was and the platform's own id.
CREATE TABLE gateway_files (
  -- A keyed digest of the session's token, which is a secret.
  session TEXT NOT NULL,
  source_id TEXT NOT NULL,
  deployment_id TEXT NOT NULL,
  -- announced, cleared, sending, sent, completed, refused, failed, deleted
  state TEXT NOT NULL,
  -- Ours, once it is cleared.
  attachment_id TEXT,
  language TEXT,
  -- The platform's id of the message that it came to the conversation with.
  message_id TEXT,
  attempts INTEGER NOT NULL,
  -- Sent: its conversation is looked for from then on. NULL: not any more.
  next_at BIGINT,
  reason TEXT,
  at BIGINT NOT NULL,
  PRIMARY KEY (session, source_id)
) WITHOUT ROWID;
CREATE INDEX gateway_files_due ON gateway_files (state, next_at);
CREATE INDEX gateway_files_by_age ON gateway_files (state, at);
CREATE INDEX gateway_files_by_attachment ON gateway_files (attachment_id);
