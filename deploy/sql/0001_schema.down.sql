-- Removes what schema 1 added and is ours alone. symbols, ohlcv_daily and cache_entries stay with every row of theirs;
-- cache_entries loses the generated columns.

DROP FUNCTION IF EXISTS universe_as_of(text, text, timestamptz);
DROP FUNCTION IF EXISTS universe_logged_as(text, text);
DROP TABLE IF EXISTS cache_sync_rows;
DROP TABLE IF EXISTS cache_sync_runs;
DROP TABLE IF EXISTS sync_changes_log;

DO $do$
DECLARE
    removals text;
BEGIN
    SELECT string_agg(format('DROP COLUMN %I', a.attname), ', ')
      INTO removals
      FROM pg_attribute a
     WHERE a.attrelid = to_regclass('cache_entries') AND a.attname IN ('universe', 'cache_type', 'content')
       AND a.attgenerated = 's' AND NOT a.attisdropped;
    IF removals IS NOT NULL THEN
        EXECUTE 'ALTER TABLE cache_entries ' || removals;
    END IF;
END
$do$;

DROP TABLE IF EXISTS cachesync_schema;
