-- The audit trail becomes a chain: each row carries the digest of the one before and of its own fields. The rows that are
-- there become its beginning, as they are now.
-- sha256(text) is the program's own: SHA-256 of the text as UTF-8, in lower-case hex.

-- Who writes a chain of its own. SQLite has one writer at a time, so this has one row.
CREATE TABLE audit_nodes (node TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO audit_nodes VALUES (lower(hex(randomblob(4))));

DROP INDEX audit_by_object;
ALTER TABLE audit RENAME TO audit_unchained;

CREATE TABLE audit (
  node TEXT NOT NULL,
  -- From 1, without gaps.
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  object TEXT,
  outcome TEXT NOT NULL,
  request_id TEXT,
  detail TEXT,
  -- The digest of the row before; of the first, 64 zeros.
  previous TEXT NOT NULL,
  -- SHA-256 of the JSON array of 'clipgate audit', 1, and all the columns above in their order.
  digest TEXT NOT NULL,
  PRIMARY KEY (node, seq)
) WITHOUT ROWID;

INSERT INTO audit
WITH RECURSIVE chain AS (
  SELECT
    node, 0 AS seq, NULL AS at, NULL AS who, NULL AS what, NULL AS object, NULL AS outcome, NULL AS request_id,
    NULL AS detail, NULL AS previous,
    '0000000000000000000000000000000000000000000000000000000000000000' AS digest,
    -9223372036854775808 AS unchained
  FROM audit_nodes
  UNION ALL
  SELECT
    chain.node, chain.seq + 1, next.at, next.who, next.what, next.object, next.outcome, next.request_id,
    next.detail, chain.digest,
    sha256(json_array(
      'clipgate audit', 1, chain.node, chain.seq + 1, next.at, next.who, next.what, next.object, next.outcome,
      next.request_id, next.detail, chain.digest
    )),
    next.seq
  FROM chain
  JOIN audit_unchained AS next ON next.seq = (SELECT min(seq) FROM audit_unchained WHERE seq > chain.unchained)
)
SELECT node, seq, at, who, what, object, outcome, request_id, detail, previous, digest FROM chain WHERE seq > 0;

DROP TABLE audit_unchained;

CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_object ON audit (object, at) WHERE object IS NOT NULL;

-- Nobody changes the past by mistake. Who does it on purpose removes these first; the chain is against them.
CREATE TRIGGER audit_rows_stay BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'rows of the audit trail are never deleted'); END;
CREATE TRIGGER audit_rows_stand BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'rows of the audit trail are never changed'); END;
