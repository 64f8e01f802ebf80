-- additive
-- The files of before the step before this one: what there is, less what has been counted since. Both as one statement sees them.
INSERT INTO files_by_day
SELECT day, door, state, -1, sum(files), sum(bytes), sum(stored_files), sum(stored_bytes)
FROM (
  SELECT
    received_at / 86400000 AS day, door, state,
    1 AS files, coalesce(size, 0) AS bytes, stored AS stored_files, stored * coalesce(size, 0) AS stored_bytes
  FROM attachments
  UNION ALL
  SELECT day, door, state, -files, -bytes, -stored_files, -stored_bytes FROM files_by_day
) AS difference
GROUP BY day, door, state;
