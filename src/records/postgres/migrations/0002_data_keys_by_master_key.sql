-- additive
-- without a transaction
-- Which data keys an older master key wraps: asked until there is none.
CREATE INDEX CONCURRENTLY IF NOT EXISTS data_keys_by_master_key ON data_keys (master_key_id, attachment_id);
