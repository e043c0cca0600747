#!/usr/bin/env bash
# What ends a sync without effect: a schema that does not fit, a value beyond jsonb, a lost connection, a cancel; and rules for nobody.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=../support/market.sh
. "$(dirname "$0")/../support/market.sh"
start_postgres
start_redis
start_daemon
detail() { job_field "$id" error_details | jq -r "$1"; }
nothing() { is "$(sql "SELECT (SELECT count(*) FROM cache_entries), (SELECT count(*) FROM sync_changes_log), (SELECT count(*) FROM cache_sync_runs)")" '0|0|0' "$1: nothing is written"; }

# ---- schemas
refused schema_missing full
like "$(detail .message)" 'run: cachesync migrate$' 'no schema: the remedy'
is "$(detail .attempts)" 1 'no schema: not tried again'
migrate
stock AAPL 3000e9 Technology Hardware
latest=$(sql 'SELECT max(version) FROM cachesync_schema')
sql "UPDATE cachesync_schema SET version = version + 1 WHERE version = $latest"
refused schema_too_new full
like "$(detail .message)" "has schema $((latest + 1)) and this program knows $latest; use a newer program" 'a newer schema: figures and remedy'
nothing 'a newer schema'
sql 'DELETE FROM cachesync_schema'
refused schema_missing full
like "$(detail .message)" "has schema 0 and this program needs $latest" 'an older schema: figures'
sql "INSERT INTO cachesync_schema (version, name) SELECT n, 'again' FROM generate_series(1, $latest) n"
synced full

# ---- an encoding that is none
stop_daemon
psql -X -q -d "$DATABASE_URI" -c "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
DATABASE_URI=${DATABASE_URI/tickstock/ascii} "$BUILD/cachesync" migrate >/dev/null
start_daemon DATABASE_URI="${DATABASE_URI/tickstock/ascii}"
refused unsupported_encoding full
like "$(detail .message)" "create it with ENCODING 'UTF8'" 'a database of encoding SQL_ASCII: the remedy'
stop_daemon
start_daemon

# ---- a connection that the server closed between two syncs
for _ in 1 2 3; do
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cachesyncd/%'" >/dev/null
    synced full
    is "$(job_field "$id" total_changes)" 0 'a closed connection is opened again'
done
stop_postgres immediate
start_postgres
synced full
pass 'so it is after a crash of the server'

# ---- a statement that waits is cancelled, and the next sync runs
sql "SELECT pg_advisory_lock(hashtext('cachesync:environment'), hashtext('DEFAULT')); SELECT pg_sleep(60)" >/dev/null 2>&1 &
holder=$!
wait_until 10 'somebody holds the environment' eval "[ \"\$(sql \"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted\")\" = 1 ]"
id=$(job_id_of "$(redis XADD "$P:commands" '*' mode full)")
wait_until 10 'a sync waits for the environment' eval "[ \"\$(sql \"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted\")\" = 1 ]"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'cachesyncd/worker-_ $id'")" 1 'pg_stat_activity says whose statement it is'
"$BUILD/cachesync" cancel "$id" >/dev/null
wait_until 10 'the cancelled one ends' job_is "$id" failed
is "$(detail .code)" cancelled 'as cancelled'
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()" >/dev/null
wait "$holder" 2>/dev/null
synced full

# ---- another environment has recorded a job of the same id
taken=01890000-0000-7000-8000-00000000beef
sql "INSERT INTO cache_sync_runs (job_id, mode, environment, started_at, committed_at, total_changes, result)
     VALUES ('$taken', 'full', 'OTHER', now(), now(), 0, '{}')"
redis XADD "$P:commands" "*" mode full force 1 job_id "$taken" >/dev/null
wait_until 20 'the job of that id ends failed' job_is "$taken" failed
is "$(job_field "$taken" error_details | jq -r .code)" job_id_taken 'as one whose id is taken, not as that other job'
sql "DELETE FROM cache_sync_runs WHERE job_id = '$taken'"

# ---- a value that jsonb cannot hold, and rules for symbols that do not exist
stop_daemon
cat >"$SCRATCH/rules.json" <<'EOF'
{"version": 1, "universes": [
  {"family": "complete", "key": "all_stocks", "title": "All", "select": {"asset": "stock"},
   "outputs": [{"type": "stock_universe", "name": "complete", "key": "all_stocks", "shape": "stocks"}]},
  {"family": "theme", "key": "nobody", "title": "Nobody", "select": {"asset": "stock", "symbols": ["NOSUCH", "NEITHER"]},
   "outputs": [{"type": "stock_universe", "name": "themes", "key": "nobody", "shape": "stocks"}]}]}
EOF
start_daemon CACHESYNC_RULES="$SCRATCH/rules.json"
sql 'TRUNCATE cache_entries, cache_sync_rows, cache_sync_runs, sync_changes_log'
synced full
is "$(sql "SELECT string_agg(key, ' ') FROM cache_entries")" all_stocks 'a theme of symbols that do not exist has no row'
sql 'TRUNCATE cache_entries, cache_sync_rows, cache_sync_runs, sync_changes_log'
sql "UPDATE symbols SET name = repeat('long name ', 1000000);
     INSERT INTO symbols (symbol, name, type, active, weighted_shares_outstanding) SELECT 'B' || n, repeat('long name ', 1000000), 'CS', true, 1000 FROM generate_series(1, 27) n;
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT 'B' || n, '$TODAY', 1e6 FROM generate_series(1, 27) n"
refused value_too_large full
like "$(detail .message)" 'the largest is all_stocks with 267 MiB: give that universe a limit' 'a value beyond jsonb is named, with the remedy'
is "$(detail .attempts)" 1 'and is not tried again'
nothing 'a value beyond jsonb'
is "$(sql "SELECT market_cap FROM symbols WHERE symbol = 'B1'")" '' 'not even a market cap'
sql "UPDATE symbols SET name = 'short'"
synced full
is "$(members all_stocks | wc -w)" 28 'the daemon goes on'
finish
