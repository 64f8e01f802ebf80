-- A file that was changed is announced anew: the platform has it under another id than the customer's client. NULL: under the same.
ALTER TABLE gateway_files ADD COLUMN platform_id TEXT;
CREATE UNIQUE INDEX gateway_files_by_platform ON gateway_files (session, platform_id) WHERE platform_id IS NOT NULL;

-- agent, bot: it came from our side of the conversation. NULL: from the customer.
ALTER TABLE attachments ADD COLUMN sent_by TEXT;
ALTER TABLE fetches ADD COLUMN sent_by TEXT;

-- Messages with files of agents and bots that passed the gateway, until their conversation is found.
CREATE TABLE gateway_messages (
  message_id TEXT PRIMARY KEY,
  attempts INTEGER NOT NULL,
  -- NULL: it is not looked for any more.
  next_at BIGINT,
  at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX gateway_messages_due ON gateway_messages (next_at);
