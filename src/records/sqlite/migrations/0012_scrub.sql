-- The walk through all stored files that proves their bytes, newest first: at most one row.
CREATE TABLE scrub (
  one INTEGER PRIMARY KEY,
  began_at BIGINT NOT NULL,
  -- NULL: it goes on.
  ended_at BIGINT,
  -- Files when it began, and how many of them it has read.
  total BIGINT NOT NULL,
  done BIGINT NOT NULL,
  -- The last that was read. NULL: none yet.
  reached_at BIGINT,
  reached_id TEXT,
  lease TEXT,
  leased_until BIGINT NOT NULL
);
