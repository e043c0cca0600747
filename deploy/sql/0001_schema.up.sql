-- Schema 1: the tables that a sync reads and writes, where they are missing.
--
-- Every statement may run again on a database that has it all: symbols, ohlcv_daily and cache_entries may be another
-- program's, so they are never altered but for our three generated columns on cache_entries.
-- Names are unqualified: they live where search_path puts them. Needs PostgreSQL 14.

CREATE TABLE IF NOT EXISTS cachesync_schema (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS symbols (
    symbol varchar(20) PRIMARY KEY,
    name text,
    exchange text,
    primary_exchange text,
    market text,
    type text,
    active boolean DEFAULT true,
    market_cap bigint,
    weighted_shares_outstanding bigint,
    sector text,
    industry text,
    country text,
    list_date date,
    etf_type text,
    issuer text,
    aum_millions numeric,
    last_updated timestamp
);

CREATE TABLE IF NOT EXISTS ohlcv_daily (
    symbol varchar(20) NOT NULL,
    date date NOT NULL,
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume bigint,
    PRIMARY KEY (symbol, date)
);

CREATE TABLE IF NOT EXISTS cache_entries (
    id serial PRIMARY KEY,
    type varchar(50) NOT NULL,
    name varchar(100) NOT NULL,
    key varchar(100) NOT NULL,
    value jsonb,
    environment varchar(10) NOT NULL DEFAULT 'DEFAULT',
    created_at timestamp DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamp DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (type, name, key, environment)
);

-- The newer layout, read from the same rows. One ALTER for all that is missing: the table is rewritten once at most.
-- A generated column cannot name another, so the expressions are put together here. They hold only what cannot raise:
-- a failure would make the INSERT of another program fail.
DO $do$
DECLARE
    universe_expr constant text := $e$
        CASE WHEN type = 'themes' THEN 'theme_' || coalesce(nullif(rtrim(left(btrim(
            regexp_replace(replace(lower(coalesce(name, '')::text COLLATE "C"), '&', 'and'), '[^a-z0-9]+', '_', 'g'),
            '_'), 100), '_'), ''), 'other')
        ELSE key::text END $e$;
    cache_type_expr constant text := $e$
        CASE type
        WHEN 'stock_universe' THEN
            CASE name
            WHEN 'market_cap' THEN 'market_cap'
            WHEN 'market_leaders' THEN 'market_leader'
            WHEN 'sector_leaders' THEN 'sector'
            WHEN 'industry' THEN 'industry'
            WHEN 'themes' THEN 'theme'
            WHEN 'complete' THEN 'complete'
            WHEN 'ipo' THEN 'ipo'
            END
        WHEN 'themes' THEN 'theme'
        WHEN 'etf_universe' THEN CASE name WHEN 'complete' THEN 'complete' ELSE 'etf' END
        WHEN 'stock_etf_combo' THEN CASE name WHEN 'stock_etf_test' THEN 'combo' END
        WHEN 'stock_stats' THEN CASE name WHEN 'universe' THEN 'stats' END
        END $e$;
    symbols_expr constant text := $e$
        CASE
        WHEN jsonb_typeof(value) = 'array' THEN value
        WHEN jsonb_typeof(value -> 'symbols') = 'array' THEN value -> 'symbols'
        WHEN jsonb_typeof(value) = 'object' THEN
            jsonb_path_query_array(value, 'lax $.stocks[*].ticker ? (@.type() == "string")', '{}', true) ||
            jsonb_path_query_array(value, 'lax $.etfs[*].ticker ? (@.type() == "string")', '{}', true)
        ELSE '[]'::jsonb END $e$;
    content_expr constant text := format(
        $e$ CASE WHEN (%s) IS NOT NULL THEN jsonb_set('{"symbols": []}', '{symbols}', %s) END $e$,
        cache_type_expr, symbols_expr);
    additions text;
BEGIN
    SELECT string_agg(format('ADD COLUMN %I %s GENERATED ALWAYS AS (%s) STORED', c.name, c.type, c.expr), ', ' ORDER BY c.nr)
      INTO additions
      FROM (VALUES (1, 'universe', 'text', universe_expr),
                   (2, 'cache_type', 'text', cache_type_expr),
                   (3, 'content', 'jsonb', content_expr)) AS c (nr, name, type, expr)
     WHERE NOT EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = 'cache_entries'::regclass AND a.attname = c.name AND NOT a.attisdropped);
    IF additions IS NOT NULL THEN
        EXECUTE 'ALTER TABLE cache_entries ' || additions;
    END IF;
END
$do$;

-- What entered and left which universe, when and why. Appended only.
CREATE TABLE IF NOT EXISTS sync_changes_log (id bigserial PRIMARY KEY);
ALTER TABLE sync_changes_log
    ADD COLUMN IF NOT EXISTS job_id text,
    ADD COLUMN IF NOT EXISTS change_type text,
    ADD COLUMN IF NOT EXISTS universe text,
    ADD COLUMN IF NOT EXISTS symbol text,
    ADD COLUMN IF NOT EXISTS action text,
    ADD COLUMN IF NOT EXISTS reason text,
    ADD COLUMN IF NOT EXISTS metadata jsonb,
    ADD COLUMN IF NOT EXISTS environment text,
    ADD COLUMN IF NOT EXISTS created_at timestamptz DEFAULT now();
CREATE INDEX IF NOT EXISTS sync_changes_log_as_of
    ON sync_changes_log (environment, universe, symbol, created_at DESC, id DESC);

-- One row a committed job: what makes its effect happen once.
CREATE TABLE IF NOT EXISTS cache_sync_runs (job_id text PRIMARY KEY);
ALTER TABLE cache_sync_runs
    ADD COLUMN IF NOT EXISTS mode text,
    ADD COLUMN IF NOT EXISTS environment text,
    ADD COLUMN IF NOT EXISTS market_date date,
    ADD COLUMN IF NOT EXISTS started_at timestamptz,
    ADD COLUMN IF NOT EXISTS committed_at timestamptz,
    ADD COLUMN IF NOT EXISTS total_changes integer,
    ADD COLUMN IF NOT EXISTS result jsonb;
CREATE INDEX IF NOT EXISTS cache_sync_runs_newest ON cache_sync_runs (environment, committed_at DESC);

-- The rows of cache_entries that a sync of ours wrote, with a digest of what it wrote.
CREATE TABLE IF NOT EXISTS cache_sync_rows (
    environment varchar(10) NOT NULL,
    type varchar(50) NOT NULL,
    name varchar(100) NOT NULL,
    key varchar(100) NOT NULL,
    PRIMARY KEY (environment, type, name, key)
);
ALTER TABLE cache_sync_rows
    ADD COLUMN IF NOT EXISTS universe text,
    ADD COLUMN IF NOT EXISTS cache_type text,
    ADD COLUMN IF NOT EXISTS digest text,
    ADD COLUMN IF NOT EXISTS row_xmin bigint,
    ADD COLUMN IF NOT EXISTS updated_at timestamptz;

-- The name under which the log has a universe: a universe kept in several rows is logged once, and theme_..., ..._detailed are
-- names of its other rows. Any name that no row has is itself.
CREATE OR REPLACE FUNCTION universe_logged_as(universe text, environment text)
RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT r.universe
           FROM cache_sync_rows r
          WHERE r.environment = $2
            AND $1 = CASE WHEN r.type = 'themes' THEN 'theme_' || coalesce(nullif(rtrim(left(btrim(
                     regexp_replace(replace(lower(r.name::text COLLATE "C"), '&', 'and'), '[^a-z0-9]+', '_', 'g'),
                     '_'), 100), '_'), ''), 'other')
                     ELSE r.key::text END
          ORDER BY r.universe <> $1, r.universe COLLATE "C"
          LIMIT 1), $1);
END;

-- The members of a universe at a moment: those whose last change until then added them.
CREATE OR REPLACE FUNCTION universe_as_of(universe text, environment text, at timestamptz)
RETURNS SETOF text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT last.symbol
      FROM (SELECT DISTINCT ON (l.symbol) l.symbol::text AS symbol, l.action
              FROM sync_changes_log l
             WHERE l.universe = universe_logged_as($1, $2) AND l.environment = $2 AND l.created_at <= $3
             ORDER BY l.symbol, l.created_at DESC, l.id DESC) last
     WHERE last.action = 'added'
     ORDER BY last.symbol COLLATE "C";
END;
