-- Times are milliseconds since 1970, UTC. JSON and lists are text.

CREATE TABLE attachments (
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  code TEXT,
  detail TEXT,
  door TEXT NOT NULL,
  conversation_id TEXT,
  message_id TEXT,
  filename TEXT,
  type TEXT,
  declared_type TEXT,
  size BIGINT,
  sha256 TEXT,
  scan TEXT NOT NULL,
  verdicts TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  erased_at BIGINT,
  -- Of the record as it was before it was erased.
  record_digest TEXT,
  -- 1 while the storage holds bytes under this id.
  stored INTEGER NOT NULL
);
CREATE INDEX attachments_newest ON attachments (received_at DESC, id DESC);
CREATE INDEX attachments_by_conversation ON attachments (conversation_id, received_at DESC, id DESC);
CREATE INDEX attachments_by_state ON attachments (state, received_at DESC, id DESC);
CREATE INDEX attachments_by_sha256 ON attachments (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX attachments_to_clear ON attachments (erased_at) WHERE erased_at IS NOT NULL AND stored = 1;

-- The words of a name, in lower case, so that the beginning of a word finds it. Rows are only added at the end, so none is
-- ever moved: a row that was moved leaves a copy in its old page, which deleting it does not overwrite. The index moves
-- its entries, and is made anew after an erasure.
CREATE TABLE attachment_words (
  word TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  attachment_id TEXT NOT NULL
);
CREATE UNIQUE INDEX attachment_words_by_word ON attachment_words (word, received_at, attachment_id);
CREATE INDEX attachment_words_by_attachment ON attachment_words (attachment_id);

-- One data key a file, wrapped. Erasing a file begins by deleting its row here.
CREATE TABLE data_keys (
  attachment_id TEXT PRIMARY KEY,
  master_key_id TEXT NOT NULL,
  wrapped BLOB NOT NULL
);

-- Every master key that ever wrapped a key of this installation: one that is missing stops the start.
CREATE TABLE master_keys (
  id TEXT PRIMARY KEY,
  first_used_at BIGINT NOT NULL
);

-- The same delivery twice is one attachment: this primary key decides.
CREATE TABLE deliveries (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  -- Digest of ids, name, declared type and content. Null once the attachment is erased.
  fingerprint TEXT,
  attachment_id TEXT NOT NULL,
  -- The attachment as the first answer showed it. Null once it is erased.
  answer TEXT,
  at BIGINT NOT NULL,
  PRIMARY KEY (scope, key)
);
CREATE INDEX deliveries_by_attachment ON deliveries (attachment_id);
CREATE INDEX deliveries_by_age ON deliveries (at);

-- The outbox: what is owed to conversations.
CREATE TABLE confirmations (
  attachment_id TEXT PRIMARY KEY,
  conversation_id TEXT NOT NULL,
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
  settled_at BIGINT
);
CREATE INDEX confirmations_due ON confirmations (next_at) WHERE state = 'pending';
CREATE INDEX confirmations_of_conversation ON confirmations (conversation_id) WHERE state = 'pending';
CREATE INDEX confirmations_by_state ON confirmations (state, created_at);

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at BIGINT NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  object TEXT,
  outcome TEXT NOT NULL,
  request_id TEXT,
  detail TEXT
);
CREATE INDEX audit_by_object ON audit (object, seq);
