#!/usr/bin/env bash
# Real trading days: every universe equals an independent SQL query, on the first day and on three that follow.
. "$(dirname "$0")/../support/lib.sh"
if ! have_market_data; then
    skip "real trading days: no market data in $MARKET_DATA (set MARKET_DATA)"
    finish
fi
start_postgres
start_redis
migrate
mapfile -t days < <("$MARKET_DATA/load.sh" -l | head -5)
# The Saturday is a re-fetch and no trading day.
days=("${days[0]}" "${days[1]}" "${days[3]}" "${days[4]}")
loaded=
for day in "${days[@]}"; do
    "$MARKET_DATA/load.sh" -d "$DATABASE_URI" -q "$day" >"$SCRATCH/load.log" 2>&1 || { cat "$SCRATCH/load.log"; die "loading $day failed"; }
    [ -n "$loaded" ] || { sql_file "$ROOT/tests/support/oracle.sql" >/dev/null; start_daemon; }
    loaded=1
    id=$(run_job mode full force 1)
    is "$(job_field "$id" status)" completed "$day: a full sync completes"
    is "$(sql "WITH got AS (SELECT universe, (SELECT string_agg(s, ' ' ORDER BY n) FROM jsonb_array_elements_text(content->'symbols') WITH ORDINALITY e(s, n)) AS members
                              FROM cache_entries WHERE cache_type IN ('market_cap', 'market_leader', 'sector', 'industry', 'complete', 'ipo') OR key = 'etf_all')
               SELECT string_agg(coalesce(o.universe, g.universe), ' ') FROM oracle o FULL JOIN got g USING (universe) WHERE o.members IS DISTINCT FROM g.members")" '' \
        "$day: every universe equals the oracle"
    is "$(sql "SELECT count(*) FROM symbols s JOIN ohlcv_daily o USING (symbol) WHERE s.active AND o.date = '$day' AND o.close > 0
               AND s.weighted_shares_outstanding > 0 AND s.market_cap <> round(o.close * s.weighted_shares_outstanding)")" 0 \
        "$day: caps are close times shares"
    is "$(sql "SELECT count(*) FROM sync_changes_log WHERE job_id = '$id'")" "$(job_field "$id" total_changes)" "$day: one log row a change"
    is "$(sql "SELECT count(*) FROM cache_entries c JOIN cache_sync_rows r USING (environment, type, name, key)
               WHERE r.cache_type NOT IN ('stats', 'theme') AND ARRAY(SELECT jsonb_array_elements_text(c.content->'symbols') ORDER BY 1)
               IS DISTINCT FROM ARRAY(SELECT universe_as_of(r.universe, 'DEFAULT', now()) ORDER BY 1)")" 0 "$day: the log folds to the memberships"
done
before=$(sql "SELECT md5(string_agg(id || ':' || xmin, ',' ORDER BY id)) FROM cache_entries")
id=$(run_job mode full force 1)
is "$(job_field "$id" total_changes)" 0 'again: no change'
is "$(sql "SELECT md5(string_agg(id || ':' || xmin, ',' ORDER BY id)) FROM cache_entries")" "$before" 'again: no row rewritten'
id=$(run_job mode full)
is "$(job_field "$id" error_details | jq -r .code)" stale_market_data 'old data without force is refused'
finish
