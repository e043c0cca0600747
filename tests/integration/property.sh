#!/usr/bin/env bash
# Random markets, rules, days and commands (mode, force, dry_run, as_of): members, order, buffers, market caps, log, counts and refusals
# are those of a slow model in SQL (tests/support/property.sql). SEEDS (a list) and DAYS say how much; `make property` runs long.
. "$(dirname "$0")/../support/lib.sh"

start_postgres
start_redis
migrate
sql_file "$ROOT/tests/support/property.sql"
SEEDS=${SEEDS:-$((RANDOM)) 1 2}
DAYS=${DAYS:-6}

# All that a sync may write.
written() {
    sql "SELECT md5(string_agg(t, '' ORDER BY t)) FROM (SELECT c::text AS t FROM cache_entries c UNION ALL SELECT s::text FROM symbols s
         UNION ALL SELECT l::text FROM sync_changes_log l UNION ALL SELECT r::text FROM cache_sync_runs r) x"
}
# judged NAME: run what property.command holds, and compare; what is refused or dry leaves all as it was. Sets ID.
judged() {
    local fields before code
    fields=$(sql "SELECT property.fields()")
    [ -n "$fields" ] || die "the model has no command"
    before=$(written)
    # shellcheck disable=SC2086 # names and values
    ID=$(run_job $fields)
    code=$(job_field "$ID" error_details | jq -r '.code // ""' 2>/dev/null)
    is "$(sql "SELECT property.differences('$ID', '$(job_field "$ID" status)', '$code', 0$(job_field "$ID" total_changes),
        nullif('$(job_field "$ID" summary | jq -c '.diff // {}' 2>/dev/null)', '')::jsonb)" | head -8)" '' "$1, $fields: all agree with the model"
    OUTCOME=$(sql "SELECT CASE WHEN code <> '' THEN code WHEN dry THEN 'dry' ELSE 'written' END FROM property.verdict, property.command")
    [ "$OUTCOME" = written ] || is "$(written)" "$before" "$1, $fields: $OUTCOME: nothing is written"
    SEEN+=("$OUTCOME")
}

SEEN=()
for seed in $SEEDS; do
    sql "TRUNCATE property.rule, property.limits, property.member, property.before, property.cap, property.last, symbols, ohlcv_daily, cache_entries,
         cache_sync_rows, cache_sync_runs, sync_changes_log" >/dev/null
    sql "SELECT property.draw_rules($seed / 100000.0)" >/dev/null
    sql "SELECT property.rules_json()" >"$SCRATCH/rules.json"
    chmod 644 "$SCRATCH/rules.json"
    is "$("$BUILD/cachesync" rules check "$SCRATCH/rules.json" 2>&1 | grep -v universes)" '' "seed $seed: the rules are right"
    start_daemon CACHESYNC_RULES="$SCRATCH/rules.json"
    for day in $(seq 0 "$DAYS"); do
        sql "SELECT setseed(($seed + $day) / 100000.0); SELECT property.draw_day($day); SELECT property.draw_command($day); SELECT property.advance()" >/dev/null
        judged "seed $seed, day $day"
    done
    sql "SELECT property.command('full'); SELECT property.advance()" >/dev/null
    judged "seed $seed, at the end"
    before=$(sql "SELECT md5(string_agg(c::text, '' ORDER BY id)) FROM cache_entries c")
    sql "SELECT property.advance()" >/dev/null
    judged "seed $seed, once more"
    is "$(job_field "$ID" total_changes)" 0 "seed $seed: a second sync changes nothing"
    is "$(sql "SELECT md5(string_agg(c::text, '' ORDER BY id)) FROM cache_entries c")" "$before" "seed $seed: and rewrites nothing"
    stop_daemon
done
echo "# $(printf '%s\n' "${SEEN[@]}" | sort | uniq -c | tr -s ' \n' ' ' | sed 's/^ //')"
finish
