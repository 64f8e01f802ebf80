-- additive
-- without a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_to_forget ON deliveries (at) WHERE scope <> 'message';
