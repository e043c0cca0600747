#!/usr/bin/env bash
# Random markets, random rules, random days: members, order, buffers, market caps, log and counts are those of a slow model in SQL
# (tests/support/property.sql). SEEDS (a list) and DAYS say how much; `make property` runs long.
. "$(dirname "$0")/../support/lib.sh"

start_postgres
start_redis
migrate
sql_file "$ROOT/tests/support/property.sql"
SEEDS=${SEEDS:-$((RANDOM)) 1 2}
DAYS=${DAYS:-6}
for seed in $SEEDS; do
    sql "TRUNCATE property.rule, property.member, property.before, property.cap, symbols, ohlcv_daily, cache_entries, cache_sync_rows, cache_sync_runs, sync_changes_log" >/dev/null
    sql "SELECT property.draw_rules($seed / 100000.0)" >/dev/null
    sql "SELECT property.rules_json()" >"$SCRATCH/rules.json"
    chmod 644 "$SCRATCH/rules.json"
    is "$("$BUILD/cachesync" rules check "$SCRATCH/rules.json" 2>&1 | grep -v universes)" '' "seed $seed: the rules are right"
    start_daemon CACHESYNC_RULES="$SCRATCH/rules.json"
    for day in $(seq 0 "$DAYS"); do
        sql "SELECT setseed(($seed + $day) / 100000.0); SELECT property.draw_day($day); SELECT property.advance()" >/dev/null
        id=$(run_job mode full force 1)
        is "$(job_field "$id" status)" completed "seed $seed, day $day: the sync completes"
        is "$(sql "SELECT property.differences('$id', $(job_field "$id" total_changes || echo 0))" | head -8)" '' "seed $seed, day $day: all agree with the model"
    done
    before=$(sql "SELECT md5(string_agg(c::text, '' ORDER BY id)) FROM cache_entries c")
    id=$(run_job mode full force 1)
    is "$(job_field "$id" total_changes)" 0 "seed $seed: a second sync changes nothing"
    is "$(sql "SELECT md5(string_agg(c::text, '' ORDER BY id)) FROM cache_entries c")" "$before" "seed $seed: and rewrites nothing"
    stop_daemon
done
finish
