-- additive
-- People who have signed in. Ended sessions are not kept.
CREATE TABLE sessions (
  id TEXT COLLATE "C" PRIMARY KEY,
  -- Of the secret in the cookie, under the master key below.
  digest TEXT COLLATE "C" NOT NULL,
  -- genesys: a user of the organization. account: one of ours.
  kind TEXT NOT NULL,
  -- The user's id, or the account's name.
  subject TEXT COLLATE "C" NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  master_key_id TEXT COLLATE "C" NOT NULL,
  -- The user's access token, sealed. NULL: of an account.
  token BYTEA,
  began_at BIGINT NOT NULL,
  -- However much it is used.
  expires_at BIGINT NOT NULL,
  -- Unless it is used until then; never after expires_at.
  live_until BIGINT NOT NULL
);
CREATE UNIQUE INDEX sessions_by_digest ON sessions (digest);
CREATE INDEX sessions_by_end ON sessions (live_until);
CREATE INDEX sessions_by_subject ON sessions (kind, subject);
CREATE INDEX sessions_by_master_key ON sessions (master_key_id);
