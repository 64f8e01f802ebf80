-- How many files came in on each day, and what is stored of them, kept in step by the database itself: to count a million records
-- takes seconds.
CREATE TABLE files_by_day (
  -- Days since 1970, UTC.
  day BIGINT NOT NULL,
  door TEXT NOT NULL,
  state TEXT NOT NULL,
  -- Who counts: there is one writer, 0.
  part INTEGER NOT NULL,
  files BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  stored_files BIGINT NOT NULL,
  stored_bytes BIGINT NOT NULL,
  PRIMARY KEY (day, door, state, part)
) WITHOUT ROWID;

INSERT INTO files_by_day
SELECT received_at / 86400000, door, state, 0, count(*), sum(coalesce(size, 0)), sum(stored), sum(stored * coalesce(size, 0))
FROM attachments GROUP BY 1, 2, 3;

CREATE TRIGGER attachments_count_new AFTER INSERT ON attachments BEGIN
  INSERT INTO files_by_day
  VALUES (new.received_at / 86400000, new.door, new.state, 0, 1, coalesce(new.size, 0), new.stored, new.stored * coalesce(new.size, 0))
  ON CONFLICT DO UPDATE SET
    files = files + excluded.files,
    bytes = bytes + excluded.bytes,
    stored_files = stored_files + excluded.stored_files,
    stored_bytes = stored_bytes + excluded.stored_bytes;
END;
CREATE TRIGGER attachments_count_changed AFTER UPDATE OF state, size, stored ON attachments
WHEN new.state <> old.state OR new.size IS NOT old.size OR new.stored <> old.stored BEGIN
  UPDATE files_by_day SET
    files = files - 1,
    bytes = bytes - coalesce(old.size, 0),
    stored_files = stored_files - old.stored,
    stored_bytes = stored_bytes - old.stored * coalesce(old.size, 0)
  WHERE day = old.received_at / 86400000 AND door = old.door AND state = old.state AND part = 0;
  INSERT INTO files_by_day
  VALUES (new.received_at / 86400000, new.door, new.state, 0, 1, coalesce(new.size, 0), new.stored, new.stored * coalesce(new.size, 0))
  ON CONFLICT DO UPDATE SET
    files = files + excluded.files,
    bytes = bytes + excluded.bytes,
    stored_files = stored_files + excluded.stored_files,
    stored_bytes = stored_bytes + excluded.stored_bytes;
END;

-- The trail is searched by who and what too, also for what is rare.
CREATE INDEX audit_by_who ON audit (who, at);
CREATE INDEX audit_by_what ON audit (what, at);
