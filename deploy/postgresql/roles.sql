-- Who may do what in PostgreSQL. As a superuser, before the first `cachesync migrate` and again after every one:
--
--     psql -d tickstock -f roles.sql
--
-- It can be run again at any time. Three roles, made without a password (\password sets one, peer authentication needs none):
--
--     cachesync_owner   migrates: owns our tables. cache_entries must be its own too, if it was there before (see docs/security.md)
--     cachesync         what cachesyncd runs as: reads the market, writes two columns of symbols, our rows; no table of its own
--     cachesync_reader  reads memberships and their history: applications, `cachesync members`, `cachesync history`
--
-- Another schema than public: -v schema=NAME.
\set ON_ERROR_STOP on
\if :{?schema}
\else
\set schema public
\endif

BEGIN;
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', name)
  FROM unnest(ARRAY['cachesync_owner', 'cachesync', 'cachesync_reader']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

GRANT CONNECT ON DATABASE :DBNAME TO cachesync_owner, cachesync, cachesync_reader;
GRANT TEMPORARY ON DATABASE :DBNAME TO cachesync;
GRANT USAGE ON SCHEMA :schema TO cachesync_owner, cachesync, cachesync_reader;
GRANT CREATE ON SCHEMA :schema TO cachesync_owner;
REVOKE CREATE ON SCHEMA :schema FROM cachesync, cachesync_reader;
SET LOCAL search_path TO :schema;

SELECT to_regclass('cachesync_schema') IS NOT NULL AS migrated \gset
\if :migrated
REVOKE ALL ON symbols, ohlcv_daily, cache_entries, cache_sync_rows, cache_sync_runs, sync_changes_log, cachesync_schema
    FROM cachesync, cachesync_reader;

-- The market: read, and two columns written back.
GRANT SELECT, UPDATE (market_cap, last_updated) ON symbols TO cachesync;
GRANT SELECT ON ohlcv_daily TO cachesync;

-- The universes: rows come, change and go; their names do not change.
GRANT SELECT, INSERT, DELETE, UPDATE (value, updated_at) ON cache_entries TO cachesync;
GRANT SELECT, INSERT, DELETE, UPDATE ON cache_sync_rows TO cachesync;

-- The record: appended, never changed.
GRANT SELECT, INSERT ON sync_changes_log, cache_sync_runs TO cachesync;
GRANT SELECT ON cachesync_schema TO cachesync;
SELECT format('GRANT USAGE ON SEQUENCE %s TO cachesync', sequence)
  FROM unnest(ARRAY[pg_get_serial_sequence('cache_entries', 'id'), pg_get_serial_sequence('sync_changes_log', 'id')]) AS sequence
 WHERE sequence IS NOT NULL
\gexec

GRANT SELECT ON cache_entries, cache_sync_rows, sync_changes_log, cache_sync_runs, cachesync_schema TO cachesync_reader;
\else
\echo 'No schema yet: run cachesync migrate as cachesync_owner, then this file again.'
\endif
COMMIT;

-- A database from before PostgreSQL 15 lets everybody create tables. Others may rely on it, so that it is not taken away here.
SELECT has_schema_privilege('cachesync', :'schema', 'CREATE') AS open_to_all \gset
\if :open_to_all
\echo 'Everybody may create tables in this schema, cachesync too: REVOKE CREATE ON SCHEMA' :schema 'FROM PUBLIC, unless others rely on it.'
\endif
