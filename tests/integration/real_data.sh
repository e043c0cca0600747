#!/usr/bin/env bash
# Every night of the market data in sequence, as a nightly job meets them: the refusals, every row of every universe, the change
# log, the events and the past equal independent SQL (tests/support/oracle.sql, nights.sql). The Saturday too: it is data.
#   NIGHTS=5 bash tests/integration/real_data.sh     the first five
. "$(dirname "$0")/../support/lib.sh"
. "$ROOT/tests/support/nights.sh"
if ! have_market_data; then
    skip "every real trading day: no market data in $MARKET_DATA (set MARKET_DATA)"
    finish
fi
nights_start
mapfile -t days < <("$MARKET_DATA/load.sh" -l | head -"${NIGHTS:-1000}")
load_etfs
for day in "${days[@]}"; do
    load_night "$day"
    sync_night "$day"
done
is "$(sql 'SELECT count(*) FROM oracle.night')" "${#days[@]}" 'every night was synced'

half=$((${#days[@]} / 2))
sql "SELECT id || '|' || coalesce(wrong, '') FROM oracle.judge_past(1, $half)" >"$SCRATCH/past.1" &
sql "SELECT id || '|' || coalesce(wrong, '') FROM oracle.judge_past($half + 1, ${#days[@]})" >"$SCRATCH/past.2"
wait $!
while IFS='|' read -r id wrong; do
    is "$wrong" '' "${days[$((id - 1))]}: universe_as_of gives the members that were kept then"
done < <(cat "$SCRATCH/past.1" "$SCRATCH/past.2")
is "$(cat "$SCRATCH/past.1" "$SCRATCH/past.2" | wc -l)" "${#days[@]}" 'of every night'

# The pack's own lists of defects, which no program reads: a cap of a stock that it has off by over two was in a warning that night.
sql 'CREATE TABLE defect (day date, kind text, symbol text, old text, new text)'
psql -X -q -d "$DATABASE_URI" -c '\copy defect FROM pstdin WITH (FORMAT csv, HEADER true)' <"$MARKET_DATA/defects.csv"
night_ids=$(for i in "${!days[@]}"; do echo "($((i + 1)), date '${days[$i]}')"; done | paste -sd,)
listed="SELECT n.id, d.symbol FROM defect d JOIN (VALUES $night_ids) n(id, day) ON n.day = d.day
    JOIN oracle.kept k ON k.night = n.id AND k.universe = 'all_stocks' AND d.symbol = ANY (k.members)
    JOIN oracle.kept p ON p.night = n.id - 1 AND p.universe = 'all_stocks' AND d.symbol = ANY (p.members)
    CROSS JOIN LATERAL (SELECT regexp_match(old, '^cap ([0-9.]+) -> ([0-9.]+)$')::numeric[] AS cap) c
   WHERE d.kind IN ('cap_jump', 'big_move') AND greatest(cap[1], cap[2]) > 2.03 * least(cap[1], cap[2])"
ok 'the pack lists some' test "$(sql "SELECT count(*) FROM ($listed) l")" -gt $((${#days[@]} - 2))
is "$(sql "SELECT string_agg(l.id || ' ' || l.symbol, ', ') FROM ($listed) l LEFT JOIN oracle.jump j ON j.night = l.id AND j.symbol = l.symbol WHERE j.symbol IS NULL")" '' \
    'every defect of a cap is a jump that SQL sees'
# named DAY SYMBOL CODE CONDITION: the warning of that night names it, with these figures.
named() {
    [[ ${days[-1]} < $1 ]] || is "$(sql "SELECT count(*) FROM cache_sync_runs r, oracle.warned(r.result, '$3') w, jsonb_array_elements(w->'symbols') e
        WHERE r.market_date = '$1' AND e->>'symbol' = '$2' AND $4")" 1 "$1: $3 names $2"
}
split="(e->>'factor')::numeric BETWEEN 0.01 AND 0.6 AND e->>'moved_with' = 'price'"
reverse="(e->>'factor')::numeric > 5 AND e->>'moved_with' = 'price'"
named 2024-06-03 GWAV market_cap_jump "$reverse"
named 2024-06-17 SPCE market_cap_jump "$reverse"
named 2024-06-25 NKLA market_cap_jump "$reverse"
named 2024-06-26 CMG market_cap_jump "$split"
named 2024-06-27 CMG market_cap_jump "e->>'moved_with' = 'shares'"
named 2024-07-09 WSM market_cap_jump "$split"
named 2024-07-15 AVGO market_cap_jump "$split"
named 2024-08-08 MSTR market_cap_jump "$split"
named 2024-07-25 LTM new_listing_rank "e->>'rank' = '1' AND (e->>'market_cap')::numeric > 14e12"
named 2024-07-30 LTM market_cap_jump "e->>'moved_with' = 'shares'"

before=$(written)
id=$(run_job mode full)
is "$(job_field "$id" total_changes)" 0 'again: no change'
is "$(written)" "$before" 'again: no row rewritten'
finish
