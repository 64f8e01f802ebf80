-- additive
-- Addresses by which one file is fetched for a while without other credentials. The address itself is not kept: `digest` is keyed.
CREATE TABLE links (
  digest TEXT COLLATE "C" PRIMARY KEY,
  -- By which it is named and revoked: it opens nothing.
  id TEXT COLLATE "C" NOT NULL,
  attachment_id TEXT COLLATE "C" NOT NULL,
  -- safe_copy, original
  gives TEXT NOT NULL,
  who TEXT NOT NULL,
  -- It ends with this session. NULL: an API key made it.
  session_id TEXT,
  made_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX links_by_attachment ON links (attachment_id, made_at, id);
CREATE INDEX links_by_expiry ON links (expires_at);

-- How many files came in on each day, and what is stored of them, kept in step by the database itself, for programs of before
-- too: to count a million records takes seconds. Each connection counts in rows of its own (`part`), so that none waits for
-- another; what is true of a day is their sum. What was there before is counted by the next step, which holds nobody up.
CREATE TABLE files_by_day (
  -- Days since 1970, UTC.
  day BIGINT NOT NULL,
  door TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  part INTEGER NOT NULL,
  files BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  stored_files BIGINT NOT NULL,
  stored_bytes BIGINT NOT NULL,
  PRIMARY KEY (day, door, state, part)
) WITH (fillfactor = 50);

CREATE FUNCTION clipgate_count_file(file attachments, sign INTEGER) RETURNS void LANGUAGE sql AS $$
  INSERT INTO files_by_day AS counted VALUES (
    file.received_at / 86400000, file.door, file.state, pg_backend_pid() % 1024,
    sign, sign * coalesce(file.size, 0), sign * file.stored, sign * file.stored * coalesce(file.size, 0)
  )
  ON CONFLICT (day, door, state, part) DO UPDATE SET
    files = counted.files + excluded.files,
    bytes = counted.bytes + excluded.bytes,
    stored_files = counted.stored_files + excluded.stored_files,
    stored_bytes = counted.stored_bytes + excluded.stored_bytes
$$;
CREATE FUNCTION clipgate_count_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF tg_op = 'UPDATE' THEN
    PERFORM clipgate_count_file(old, -1);
  END IF;
  PERFORM clipgate_count_file(new, 1);
  RETURN NULL;
END $$;
CREATE TRIGGER attachments_count_new AFTER INSERT ON attachments FOR EACH ROW EXECUTE FUNCTION clipgate_count_files();
CREATE TRIGGER attachments_count_changed AFTER UPDATE OF state, size, stored ON attachments FOR EACH ROW
  WHEN (new.state <> old.state OR new.size IS DISTINCT FROM old.size OR new.stored <> old.stored)
  EXECUTE FUNCTION clipgate_count_files();
