-- additive
-- 1: announced, and not current before every process has it; first_used_at is when it was announced. NULL: it is, or was, current.
ALTER TABLE master_keys ADD COLUMN waits INTEGER;
-- Nothing needs it any more, and nothing is wrapped under it again. NULL: it is needed.
ALTER TABLE master_keys ADD COLUMN retired_at BIGINT;

-- Which master keys each serving process has.
CREATE TABLE key_holders (
  process TEXT COLLATE "C" PRIMARY KEY,
  -- A JSON list of ids.
  holds TEXT NOT NULL,
  wraps_with TEXT NOT NULL,
  seen_at BIGINT NOT NULL
);
