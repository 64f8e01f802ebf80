-- How often a conversation was owed word of an attachment before this time: what became of it later is told too.
ALTER TABLE confirmations ADD COLUMN round INTEGER NOT NULL DEFAULT 0;

-- Attachments that are neither served nor thrown away, and those that a person let through.
CREATE TABLE quarantine (
  attachment_id TEXT PRIMARY KEY,
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
  digest TEXT NOT NULL,
  engine TEXT NOT NULL,
  signatures TEXT NOT NULL,
  verdict TEXT NOT NULL,
  detail TEXT,
  at BIGINT NOT NULL,
  -- Whose bytes they were: what it brought goes with it.
  attachment_id TEXT NOT NULL,
  PRIMARY KEY (digest, engine)
) WITHOUT ROWID;
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
  reached_id TEXT,
  lease TEXT,
  leased_until BIGINT NOT NULL
);

DROP INDEX attachments_to_clear;
CREATE INDEX attachments_to_clear ON attachments (state) WHERE stored = 1 AND state IN ('erased', 'refused');
