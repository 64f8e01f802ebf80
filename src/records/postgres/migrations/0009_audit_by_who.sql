-- additive
-- without a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_by_who ON audit (who, at, node, seq);
