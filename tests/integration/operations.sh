#!/bin/bash
# Commands of docs/operations.md and docs/redis.md, as they stand there: backup and restore, back to an older schema, users in Redis, a Redis that
# lost everything.
# shellcheck disable=SC2317 # functions that wait_until and ok run
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

# shown PATTERN FILE: the one indented command of a page that matches.
shown() { sed -n 's/^    //p' "$ROOT/docs/$2" | grep -E -m1 "$1"; }
start_postgres
start_redis
migrate
sql "INSERT INTO symbols (symbol, name, exchange, market, type, active, market_cap, weighted_shares_outstanding, sector, industry)
     SELECT 'S' || n, 'Stock ' || n, 'XNYS', 'stocks', 'CS', true, n * 1000000000::bigint, n * 10000000::bigint, 'Technology', 'Software'
     FROM generate_series(1, 60) n;
     INSERT INTO ohlcv_daily (symbol, date, close, volume) SELECT symbol, current_date - 1, 100, 1000 FROM symbols" >/dev/null
start_daemon
is "$(job_field "$(run_job mode full force 1)" status)" completed 'a first sync'
rows() { sql "SELECT md5(string_agg(type || name || key || (value - 'last_updated')::text, ',' ORDER BY type, name, key)) FROM cache_entries WHERE jsonb_typeof(value) = 'object'"; }
changes() { sql 'SELECT count(*) FROM sync_changes_log'; }
before=$(rows) logged=$(changes)
ok 'there is something to keep' test "$logged" -gt 100

# ---- backup, loss, restore
dump=$(shown '^pg_dump' operations.md)
dump=${dump/-d tickstock/"-d '$DATABASE_URI'"}
dump=${dump/cachesync.dump/"$SCRATCH/cachesync.dump"}
ok 'the backup of docs/operations.md' bash -c "$dump"
sql 'DROP TABLE cache_entries, cache_sync_rows, cache_sync_runs, sync_changes_log, cachesync_schema CASCADE' >/dev/null 2>&1
is "$(job_field "$(run_job mode full force 1)" error_details | jq -r .code)" schema_missing 'without the tables a sync says so'
ok 'the restore' pg_restore -d "$DATABASE_URI" "$SCRATCH/cachesync.dump"
migrate
is "$(rows)" "$before" 'the universes are as before'
is "$(changes)" "$logged" 'and so is their history'
is "$(sql "SELECT count(*) FROM universe_as_of('top_50', 'DEFAULT', now())")" 50 'the past can be asked again'
id=$(run_job mode full)
is "$(job_field "$id" status) $(job_field "$id" total_changes)" 'completed 0' 'the next sync finds nothing to change'

# ---- a Redis that lost everything
redis FLUSHALL >/dev/null
id=$(run_job mode full)
is "$(job_field "$id" status)" completed 'an emptied Redis needs nothing from anybody'

# ---- back before the first schema, and forward
ok 'migrate --to 0' "$BUILD/cachesync" migrate --to 0
is "$(sql "SELECT to_regclass('sync_changes_log') IS NULL")" t 'takes our tables away'
ok 'the rows of cache_entries stay' test "$(sql 'SELECT count(*) FROM cache_entries')" -gt 5
migrate
id=$(run_job mode full force 1)
is "$(job_field "$id" status)" completed 'and a sync over them completes'
stop_daemon

# ---- users in Redis: file, password, save
kill -TERM "$REDIS_PID"
wait "$REDIS_PID"
cp "$ROOT/deploy/redis/users.acl" "$SCRATCH/users.acl"
chmod 666 "$SCRATCH/users.acl"
start_redis --aclfile "$SCRATCH/users.acl"
as() { redis-cli -s "$SCRATCH/redis.sock" --no-auth-warning --user "$1" --pass "$2" PING 2>&1; }
like "$(as cachesyncd '')" 'WRONGPASS|NOAUTH|AUTH' 'without a password nobody can log in'
while read -r line; do
    ok "$line" bash -c "redis-cli -s '$SCRATCH/redis.sock' ${line#redis-cli} | grep -x OK"
done < <(sed -n 's/^    \(redis-cli ACL [^#]*\).*/\1/p' "$ROOT/docs/redis.md")
is "$(as cachesyncd 'a long secret')" PONG 'with it the daemon can'
ok 'and it is saved' grep -q '^user cachesyncd .*#[0-9a-f]\{64\}' "$SCRATCH/users.acl"
is "$(grep -c '^user cachesync' "$SCRATCH/users.acl")" 5 'with all the others'
finish
