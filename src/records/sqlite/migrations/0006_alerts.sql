-- What is owed to the operator's webhook about a file. What it says is made from the record when it is sent.
CREATE TABLE alerts (
  id TEXT PRIMARY KEY,
  attachment_id TEXT NOT NULL,
  -- refused, accepted, unfetched
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
