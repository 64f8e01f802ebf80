-- Addresses by which one file is fetched for a while without other credentials. The address itself is not kept: `digest` is keyed.
CREATE TABLE links (
  digest TEXT PRIMARY KEY,
  -- By which it is named and revoked: it opens nothing.
  id TEXT NOT NULL,
  attachment_id TEXT NOT NULL,
  -- safe_copy, original
  gives TEXT NOT NULL,
  who TEXT NOT NULL,
  -- It ends with this session. NULL: an API key made it.
  session_id TEXT,
  made_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX links_by_attachment ON links (attachment_id, made_at, id);
CREATE INDEX links_by_expiry ON links (expires_at);
