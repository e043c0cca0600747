#!/usr/bin/env bash
# Every night of the market data in sequence, as a nightly job meets them: the refusals, every row of every universe, the change
# log, the events and the past equal independent SQL (tests/support/oracle.sql, nights.sql). The Saturday too: it is data.
#   NIGHTS=5 bash tests/integration/real_data.sh     the first five
. "$(dirname "$0")/../support/lib.sh"
if ! have_market_data; then
    skip "every real trading day: no market data in $MARKET_DATA (set MARKET_DATA)"
    finish
fi
start_postgres
start_redis
migrate
# Nights of another year are old for the calendar alone: no limit on that, every other check as it is.
jq '.limits.stale_days = 3650' "$ROOT/deploy/rules/universes.json" >"$SCRATCH/rules.json"
chmod 644 "$SCRATCH/rules.json"
sql_file "$ROOT/tests/support/oracle.sql" >/dev/null
sql_file "$ROOT/tests/support/nights.sql" >/dev/null
is "$(sql "SELECT oracle.read_rules(\$json\$$(cat "$ROOT/deploy/rules/universes.json")\$json\$)")" 9 'nine themes in words'
start_daemon CACHESYNC_RULES="$SCRATCH/rules.json"

load() { gzip -dc "$MARKET_DATA/$1.csv.gz" | psql -X -q -v ON_ERROR_STOP=1 -d "$DATABASE_URI" -v day="$1" -f "$MARKET_DATA/load.sql"; }
state() { sql "SELECT md5(string_agg(id || ':' || xmin, ',' ORDER BY id)) || (SELECT count(*) || max(id)::text FROM sync_changes_log)
    || (SELECT md5(string_agg(symbol || market_cap, ',' ORDER BY symbol)) FROM symbols) FROM cache_entries"; }

# one DAY: a sync without force; where SQL says that it must be refused, nothing is written, and force does it.
refused=0
one() {
    local day=$1 before id verdict
    sql 'SELECT oracle.remember()' >/dev/null
    before=$(state)
    run_job mode full >"$SCRATCH/job" &
    sql 'SELECT oracle.compute()' >/dev/null
    verdict=$(sql "SELECT oracle.verdict('$day', 3650)")
    wait $!
    id=$(cat "$SCRATCH/job")
    is "$(job_field "$id" status) $(job_field "$id" error_details | jq -r .code 2>/dev/null)" "${verdict:+failed }${verdict:-completed }" "$day: the checks say what SQL says"
    if [ -n "$verdict" ]; then
        refused=$((refused + 1))
        is "$(state)" "$before" "$day: refused, nothing is written"
        id=$(run_job mode full force 1)
        is "$(job_field "$id" status)" completed "$day: with force it completes"
    fi
    sql "SELECT name || '|' || coalesce(left(wrong, 2000), '') FROM oracle.judge('$id')" >"$SCRATCH/verdicts"
    while IFS='|' read -r name wrong; do is "$wrong" '' "$day: $name"; done <"$SCRATCH/verdicts"
    is "$(wc -l <"$SCRATCH/verdicts")" 14 "$day: all checks were made"
}

mapfile -t days < <("$MARKET_DATA/load.sh" -l | head -"${NIGHTS:-1000}")
psql -X -q -v ON_ERROR_STOP=1 -d "$DATABASE_URI" -v etfs=1 -f "$MARKET_DATA/load.sql" <"$MARKET_DATA/etfs.csv" >/dev/null
for day in "${days[@]}"; do
    load "$day" >/dev/null || die "loading $day failed"
    one "$day"
done
is "$(sql 'SELECT count(*) FROM oracle.night')" "${#days[@]}" 'every night was synced'

half=$((${#days[@]} / 2))
sql "SELECT id || '|' || coalesce(wrong, '') FROM oracle.judge_past(1, $half)" >"$SCRATCH/past.1" &
sql "SELECT id || '|' || coalesce(wrong, '') FROM oracle.judge_past($half + 1, ${#days[@]})" >"$SCRATCH/past.2"
wait $!
while IFS='|' read -r id wrong; do is "$wrong" '' "${days[$((id - 1))]}: universe_as_of gives the members that were kept then"; done < <(cat "$SCRATCH/past.1" "$SCRATCH/past.2")
is "$(cat "$SCRATCH/past.1" "$SCRATCH/past.2" | wc -l)" "${#days[@]}" 'of every night'

before=$(state)
id=$(run_job mode full)
is "$(job_field "$id" total_changes)" 0 'again: no change'
is "$(state)" "$before" 'again: no row rewritten'
finish
