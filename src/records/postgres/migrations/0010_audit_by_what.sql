-- additive
-- without a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_by_what ON audit (what, at, node, seq);
