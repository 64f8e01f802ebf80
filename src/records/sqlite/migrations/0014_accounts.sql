-- People who sign in with a password of ours.
CREATE TABLE accounts (
  name TEXT PRIMARY KEY,
  role TEXT NOT NULL,
  -- Argon2id, with its salt and its costs.
  hash TEXT NOT NULL,
  made_at BIGINT NOT NULL,
  -- When its password was set last.
  set_at BIGINT NOT NULL
) WITHOUT ROWID;
