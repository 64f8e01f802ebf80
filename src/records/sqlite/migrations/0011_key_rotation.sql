-- Which data keys an older master key wraps: asked until there is none.
CREATE INDEX data_keys_by_master_key ON data_keys (master_key_id, attachment_id);

-- 1: announced, and not current before every process has it; first_used_at is when it was announced. NULL: it is, or was, current.
ALTER TABLE master_keys ADD COLUMN waits INTEGER;
-- Nothing needs it any more, and nothing is wrapped under it again. NULL: it is needed.
ALTER TABLE master_keys ADD COLUMN retired_at BIGINT;

-- Which master keys each serving process has, where there are several.
CREATE TABLE key_holders (
  process TEXT PRIMARY KEY,
  -- A JSON list of ids.
  holds TEXT NOT NULL,
  wraps_with TEXT NOT NULL,
  seen_at BIGINT NOT NULL
) WITHOUT ROWID;
