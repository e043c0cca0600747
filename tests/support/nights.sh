# shellcheck shell=bash
# Real trading days for tests, and what SQL says of a sync of them (oracle.sql, nights.sql). After lib.sh:
#   have_market_data || ...; nights_start; load_etfs; load_night 2024-05-09; sync_night 2024-05-09
# Sets ID, the last job, and REFUSED, how many nights were refused.
REFUSED=0

# Servers, tables, oracle and daemon. Nights of another year are old for the calendar alone: no limit on that.
nights_start() {
    start_postgres
    start_redis
    migrate
    jq '.limits.stale_days = 3650' "$ROOT/deploy/rules/universes.json" >"$SCRATCH/rules.json"
    chmod 644 "$SCRATCH/rules.json"
    sql_file "$ROOT/tests/support/oracle.sql" >/dev/null
    sql_file "$ROOT/tests/support/nights.sql" >/dev/null
    is "$(sql "SELECT oracle.read_rules(\$json\$$(cat "$ROOT/deploy/rules/universes.json")\$json\$)")" 9 'nine themes in words'
    start_daemon CACHESYNC_RULES="$SCRATCH/rules.json"
}

load_etfs() { psql -X -q -v ON_ERROR_STOP=1 -d "$DATABASE_URI" -v etfs=1 -f "$MARKET_DATA/load.sql" <"$MARKET_DATA/etfs.csv" >/dev/null; }
# load_rows DAY [NIGHTS]: a day's file on standard input; who lacks in that many nights running is inactive (1).
load_rows() { psql -X -q -v ON_ERROR_STOP=1 -d "$DATABASE_URI" -v day="$1" -v delist_after="${2:-1}" -f "$MARKET_DATA/load.sql" >/dev/null || die "loading $1 failed"; }
night_rows() { gzip -dc "$MARKET_DATA/$1.csv.gz"; }
load_night() { load_rows "$1" < <(night_rows "$1"); }

# All that a sync may write, in one word.
written() { sql "SELECT md5(string_agg(id || ':' || xmin, ',' ORDER BY id)) || (SELECT count(*) || coalesce(max(id), 0)::text FROM sync_changes_log)
    || (SELECT md5(string_agg(symbol || coalesce(market_cap, -1), ',' ORDER BY symbol)) FROM symbols) FROM cache_entries"; }

# sync_night DAY [NAME]: a sync without force; where SQL says that it must be refused, nothing is written, and force does it.
sync_night() {
    local day=$1 title=${2:-$1} before verdict name wrong
    sql 'SELECT oracle.remember()' >/dev/null
    before=$(written)
    run_job mode full >"$SCRATCH/job" &
    verdict=$(psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$DATABASE_URI" -c 'SELECT oracle.compute()' -c "SELECT oracle.verdict('$day', 3650)" | tail -1)
    wait $!
    ID=$(cat "$SCRATCH/job")
    is "$(job_field "$ID" status) $(job_field "$ID" error_details | jq -r .code 2>/dev/null)" "${verdict:+failed }${verdict:-completed }" "$title: the checks say what SQL says"
    if [ -n "$verdict" ]; then
        REFUSED=$((REFUSED + 1))
        is "$(written)" "$before" "$title: refused, nothing is written"
        ID=$(run_job mode full force 1)
        is "$(job_field "$ID" status)" completed "$title: with force it completes"
    fi
    sql "SELECT name || '|' || coalesce(left(wrong, 2000), '') FROM oracle.judge('$ID')" >"$SCRATCH/verdicts"
    while IFS='|' read -r name wrong; do is "$wrong" '' "$title: $name"; done <"$SCRATCH/verdicts"
    is "$(wc -l <"$SCRATCH/verdicts")" 19 "$title: all checks were made"
}
