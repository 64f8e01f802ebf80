-- Times are milliseconds since 1970, UTC. JSON and lists are text. What is compared or sorted goes by bytes (COLLATE "C"), as
-- on SQLite, whatever the database was created with.
--
-- Rules for the steps after this one: docs/decisions/0027-postgresql.md.

CREATE TABLE attachments (
  id TEXT COLLATE "C" PRIMARY KEY,
  state TEXT NOT NULL,
  code TEXT,
  detail TEXT,
  door TEXT NOT NULL,
  conversation_id TEXT COLLATE "C",
  message_id TEXT,
  filename TEXT,
  type TEXT COLLATE "C",
  declared_type TEXT,
  size BIGINT,
  sha256 TEXT COLLATE "C",
  scan TEXT NOT NULL,
  verdicts TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  erased_at BIGINT,
  -- Of the record as it was before it was erased.
  record_digest TEXT,
  -- 1 while the storage holds bytes under this id.
  stored INTEGER NOT NULL,
  -- agent, bot: it came from our side of the conversation. NULL: from the customer.
  sent_by TEXT
);
CREATE INDEX attachments_newest ON attachments (received_at DESC, id DESC);
CREATE INDEX attachments_by_conversation ON attachments (conversation_id, received_at DESC, id DESC);
CREATE INDEX attachments_by_state ON attachments (state, received_at DESC, id DESC);
CREATE INDEX attachments_by_type ON attachments (type, received_at DESC, id DESC);
CREATE INDEX attachments_by_door ON attachments (door, received_at DESC, id DESC);
CREATE INDEX attachments_by_sha256 ON attachments (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX attachments_to_clear ON attachments (state) WHERE stored = 1 AND state IN ('erased', 'refused');

-- The words of a name, in lower case, so that the beginning of a word finds it.
CREATE TABLE attachment_words (
  word TEXT COLLATE "C" NOT NULL,
  received_at BIGINT NOT NULL,
  attachment_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (word, received_at, attachment_id)
);
CREATE INDEX attachment_words_by_attachment ON attachment_words (attachment_id);

-- One data key a file, wrapped. Erasing a file begins by deleting its row here.
CREATE TABLE data_keys (
  attachment_id TEXT COLLATE "C" PRIMARY KEY,
  master_key_id TEXT COLLATE "C" NOT NULL,
  wrapped BYTEA NOT NULL
);

-- Every master key that ever wrapped a key of this installation: one that is missing stops the start.
CREATE TABLE master_keys (
  id TEXT COLLATE "C" PRIMARY KEY,
  first_used_at BIGINT NOT NULL
);

-- The same delivery twice is one attachment: this primary key decides.
CREATE TABLE deliveries (
  scope TEXT COLLATE "C" NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  -- Digest of ids, name, declared type and content. Null once the attachment is erased.
  fingerprint TEXT,
  attachment_id TEXT COLLATE "C" NOT NULL,
  -- The attachment as the first answer showed it. Null once it is erased.
  answer TEXT,
  at BIGINT NOT NULL,
  PRIMARY KEY (scope, key)
);
CREATE INDEX deliveries_by_attachment ON deliveries (attachment_id);
CREATE INDEX deliveries_by_age ON deliveries (at);

-- The outbox: what is owed to conversations.
CREATE TABLE confirmations (
  attachment_id TEXT COLLATE "C" PRIMARY KEY,
  conversation_id TEXT COLLATE "C" NOT NULL,
  language TEXT NOT NULL,
  -- pending, delivered, parked, dropped
  state TEXT NOT NULL,
  way TEXT,
  attempts INTEGER NOT NULL,
  -- Due from then on; while it is leased, when the lease runs out.
  next_at BIGINT NOT NULL,
  lease TEXT,
  -- 1: an attempt began and its answer is not known, so the conversation is read before it is tried again.
  uncertain INTEGER NOT NULL,
  possibly_repeated INTEGER NOT NULL,
  reason TEXT,
  created_at BIGINT NOT NULL,
  settled_at BIGINT,
  -- How often the conversation was owed word of the attachment before this time.
  round INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX confirmations_due ON confirmations (state, next_at);
CREATE INDEX confirmations_leased ON confirmations (conversation_id) WHERE lease IS NOT NULL;
CREATE INDEX confirmations_by_state ON confirmations (state, created_at);

-- Who writes a chain of its own: each process goes on with one that nobody else has, or begins another.
CREATE TABLE audit_nodes (node TEXT COLLATE "C" PRIMARY KEY);

CREATE TABLE audit (
  node TEXT COLLATE "C" NOT NULL,
  -- From 1, without gaps.
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  object TEXT COLLATE "C",
  outcome TEXT NOT NULL,
  request_id TEXT,
  detail TEXT,
  -- The digest of the row before; of the first, 64 zeros.
  previous TEXT NOT NULL,
  -- SHA-256 of the JSON array of 'clipgate audit', 1, and all the columns above in their order.
  digest TEXT NOT NULL,
  CONSTRAINT audit_chain PRIMARY KEY (node, seq)
);
CREATE INDEX audit_by_time ON audit (at, node, seq);
CREATE INDEX audit_by_object ON audit (object, at) WHERE object IS NOT NULL;

-- Nobody changes the past by mistake. Who does it on purpose removes these first; the chain is against them.
CREATE FUNCTION clipgate_audit_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of the audit trail are never %', CASE tg_op WHEN 'UPDATE' THEN 'changed' ELSE 'deleted' END;
END $$;
CREATE TRIGGER audit_rows_stand BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION clipgate_audit_stands();
CREATE TRIGGER audit_table_stands BEFORE TRUNCATE ON audit EXECUTE FUNCTION clipgate_audit_stands();

-- Uploads without a secret, of one conversation. The ticket itself is not kept: `digest` is keyed.
CREATE TABLE tickets (
  digest TEXT COLLATE "C" PRIMARY KEY,
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
  digest TEXT COLLATE "C" PRIMARY KEY,
  until BIGINT NOT NULL
);
CREATE INDEX used_signatures_by_age ON used_signatures (until);

-- What a conversation has sent on a day (UTC, YYYY-MM-DD).
CREATE TABLE conversation_usage (
  conversation_id TEXT COLLATE "C" NOT NULL,
  day TEXT COLLATE "C" NOT NULL,
  files INTEGER NOT NULL,
  bytes BIGINT NOT NULL,
  PRIMARY KEY (conversation_id, day)
);
CREATE INDEX conversation_usage_by_day ON conversation_usage (day);

-- What somebody has spoken of: conversations and messages that are to be looked at for attachments.
CREATE TABLE lookups (
  conversation_id TEXT COLLATE "C" NOT NULL,
  -- Empty: the whole conversation.
  message_id TEXT COLLATE "C" NOT NULL,
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
);
CREATE INDEX lookups_due ON lookups (state, next_at) WHERE backfill IS NULL;
CREATE INDEX lookups_due_of_backfills ON lookups (state, next_at) WHERE backfill IS NOT NULL;
CREATE INDEX lookups_by_age ON lookups (asked_at);
CREATE INDEX lookups_by_backfill ON lookups (backfill, state) WHERE backfill IS NOT NULL;

-- Attachments that are known and not here yet, or not to be had; and for good, which of the platform's became which of ours.
CREATE TABLE fetches (
  attachment_id TEXT COLLATE "C" PRIMARY KEY,
  conversation_id TEXT COLLATE "C" NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  -- The platform's own id of the attachment.
  source_id TEXT COLLATE "C" NOT NULL,
  language TEXT,
  backfill TEXT,
  scan TEXT NOT NULL,
  -- fetching, unfetched, done, erased
  state TEXT NOT NULL,
  -- Once it is done: the attachment that it is. Another than its own when the file came through another door before.
  became TEXT COLLATE "C",
  attempts INTEGER NOT NULL,
  next_at BIGINT NOT NULL,
  lease TEXT,
  reason TEXT,
  learned_at BIGINT NOT NULL,
  settled_at BIGINT,
  sent_by TEXT,
  -- The same attachment is learned of in several ways, and is one.
  UNIQUE (conversation_id, message_id, source_id)
);
CREATE INDEX fetches_due ON fetches (state, next_at) WHERE backfill IS NULL;
CREATE INDEX fetches_due_of_backfills ON fetches (state, next_at) WHERE backfill IS NOT NULL;
CREATE INDEX fetches_newest ON fetches (state, learned_at DESC, attachment_id DESC);
CREATE INDEX fetches_by_backfill ON fetches (backfill, state) WHERE backfill IS NOT NULL;

-- Names of attachments while they are not here.
CREATE TABLE fetch_names (
  attachment_id TEXT COLLATE "C" PRIMARY KEY,
  filename TEXT NOT NULL,
  declared_type TEXT NOT NULL
);

-- Events that were taken in, so that they are taken once.
CREATE TABLE seen_events (
  id TEXT COLLATE "C" PRIMARY KEY,
  at BIGINT NOT NULL
);
CREATE INDEX seen_events_by_age ON seen_events (at);

-- What is owed to the operator's webhook about a file. What it says is made from the record when it is sent.
CREATE TABLE alerts (
  id TEXT COLLATE "C" PRIMARY KEY,
  attachment_id TEXT COLLATE "C" NOT NULL,
  -- refused, accepted, unfetched, quarantined, recalled
  kind TEXT NOT NULL,
  -- pending, delivered, parked, dropped
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  -- Due from then on; while it is leased, when the lease runs out.
  next_at BIGINT NOT NULL,
  lease TEXT,
  reason TEXT,
  created_at BIGINT NOT NULL,
  settled_at BIGINT
);
CREATE INDEX alerts_due ON alerts (state, next_at);
CREATE INDEX alerts_by_attachment ON alerts (attachment_id);
CREATE INDEX alerts_by_age ON alerts (settled_at) WHERE settled_at IS NOT NULL;

-- Attachments that are neither served nor thrown away, and those that a person let through.
CREATE TABLE quarantine (
  attachment_id TEXT COLLATE "C" PRIMARY KEY,
  -- person, engine: whose decision it waits for. nobody: a person has let it through.
  waits_for TEXT NOT NULL,
  since BIGINT NOT NULL,
  -- It is destroyed then, unless somebody has decided.
  until BIGINT NOT NULL,
  -- Waiting for an engine: due from then on.
  next_at BIGINT NOT NULL,
  -- Who would let it through, where a second person must agree.
  asked_by TEXT,
  asked_at BIGINT
);
CREATE INDEX quarantine_by_age ON quarantine (waits_for, since, attachment_id);
CREATE INDEX quarantine_until ON quarantine (waits_for, until);
CREATE INDEX quarantine_due ON quarantine (waits_for, next_at);

-- What engines said of bytes, by a keyed digest of them.
CREATE TABLE verdicts (
  digest TEXT COLLATE "C" NOT NULL,
  engine TEXT COLLATE "C" NOT NULL,
  signatures TEXT NOT NULL,
  verdict TEXT NOT NULL,
  detail TEXT,
  at BIGINT NOT NULL,
  -- Whose bytes they were: what it brought goes with it.
  attachment_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (digest, engine)
);
CREATE INDEX verdicts_by_age ON verdicts (at);
CREATE INDEX verdicts_by_attachment ON verdicts (attachment_id);

-- The walk through accepted attachments after new signatures, newest first: at most one row.
CREATE TABLE rescan (
  one INTEGER PRIMARY KEY,
  signatures TEXT NOT NULL,
  began_at BIGINT NOT NULL,
  -- NULL: it goes on.
  ended_at BIGINT,
  -- The last that was looked at. NULL: none yet.
  reached_at BIGINT,
  reached_id TEXT COLLATE "C",
  lease TEXT,
  leased_until BIGINT NOT NULL
);

-- Files that a customer announced through the gateway, by the session that it was and the platform's own id.
CREATE TABLE gateway_files (
  -- A keyed digest of the session's token, which is a secret.
  session TEXT COLLATE "C" NOT NULL,
  source_id TEXT COLLATE "C" NOT NULL,
  deployment_id TEXT NOT NULL,
  -- announced, cleared, sending, sent, completed, refused, failed, deleted
  state TEXT NOT NULL,
  -- Ours, once it is cleared.
  attachment_id TEXT COLLATE "C",
  language TEXT,
  -- The platform's id of the message that it came to the conversation with.
  message_id TEXT,
  attempts INTEGER NOT NULL,
  -- Sent: its conversation is looked for from then on. NULL: not any more.
  next_at BIGINT,
  reason TEXT,
  at BIGINT NOT NULL,
  -- A file that was changed is announced anew: the platform has it under another id than the customer's client. NULL: under the same.
  platform_id TEXT COLLATE "C",
  PRIMARY KEY (session, source_id)
);
CREATE INDEX gateway_files_due ON gateway_files (state, next_at);
CREATE INDEX gateway_files_by_age ON gateway_files (state, at);
CREATE INDEX gateway_files_by_attachment ON gateway_files (attachment_id);
CREATE UNIQUE INDEX gateway_files_by_platform ON gateway_files (session, platform_id) WHERE platform_id IS NOT NULL;

-- Messages with files of agents and bots that passed the gateway, until their conversation is found.
CREATE TABLE gateway_messages (
  message_id TEXT COLLATE "C" PRIMARY KEY,
  attempts INTEGER NOT NULL,
  -- NULL: it is not looked for any more.
  next_at BIGINT,
  at BIGINT NOT NULL
);
CREATE INDEX gateway_messages_due ON gateway_messages (next_at);
