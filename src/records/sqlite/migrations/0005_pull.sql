-- What somebody has spoken of: conversations and messages that are to be looked at for attachments.
CREATE TABLE lookups (
  conversation_id TEXT NOT NULL,
  -- Empty: the whole conversation.
  message_id TEXT NOT NULL,
  -- Of the sentence that the customer gets, as it was asked for last.
  language TEXT,
  -- The run that asked for what is old; NULL: now.
  backfill TEXT,
  -- How often it was asked for: what is asked for while it is looked at is looked at again.
  asks INTEGER NOT NULL,
  -- pending, done, missing, parked
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  -- Due from then on; while it is leased, when the lease runs out.
  next_at BIGINT NOT NULL,
  lease TEXT,
  reason TEXT,
  asked_at BIGINT NOT NULL,
  PRIMARY KEY (conversation_id, message_id)
) WITHOUT ROWID;
CREATE INDEX lookups_due ON lookups (state, next_at) WHERE backfill IS NULL;
CREATE INDEX lookups_due_of_backfills ON lookups (state, next_at) WHERE backfill IS NOT NULL;
CREATE INDEX lookups_by_age ON lookups (asked_at);
CREATE INDEX lookups_by_backfill ON lookups (backfill, state) WHERE backfill IS NOT NULL;

-- Attachments that are known and not here yet, or not to be had; and for good, which of the platform's became which of ours.
CREATE TABLE fetches (
  attachment_id TEXT PRIMARY KEY,
  conversation_id TEXT NOT NULL,
  message_id TEXT NOT NULL,
  -- The platform's own id of the attachment.
  source_id TEXT NOT NULL,
  language TEXT,
  backfill TEXT,
  scan TEXT NOT NULL,
  -- fetching, unfetched, done, erased
  state TEXT NOT NULL,
  -- Once it is done: the attachment that it is. Another than its own when the file came through another door before.
  became TEXT,
  attempts INTEGER NOT NULL,
  next_at BIGINT NOT NULL,
  lease TEXT,
  reason TEXT,
  learned_at BIGINT NOT NULL,
  settled_at BIGINT,
  -- The same attachment is learned of in several ways, and is one.
  UNIQUE (conversation_id, message_id, source_id)
);
CREATE INDEX fetches_due ON fetches (state, next_at) WHERE backfill IS NULL;
CREATE INDEX fetches_due_of_backfills ON fetches (state, next_at) WHERE backfill IS NOT NULL;
CREATE INDEX fetches_newest ON fetches (state, learned_at DESC, attachment_id DESC);
CREATE INDEX fetches_by_backfill ON fetches (backfill, state) WHERE backfill IS NOT NULL;

-- Names of attachments while they are not here: rows are only added at the end, so that none is moved and leaves a copy.
CREATE TABLE fetch_names (
  attachment_id TEXT PRIMARY KEY,
  filename TEXT NOT NULL,
  declared_type TEXT NOT NULL
);

-- Events that were taken in, so that they are taken once.
CREATE TABLE seen_events (
  id TEXT PRIMARY KEY,
  at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX seen_events_by_age ON seen_events (at);
