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

# The pack's own lists, made from its files by another program, which no program under test reads: who disappeared, which caps
# crossed a band, which caps are off.
sql 'CREATE TABLE defect (day date, kind text, symbol text, old text, new text); CREATE TABLE event (LIKE defect)'
psql -X -q -d "$DATABASE_URI" -c '\copy defect FROM pstdin WITH (FORMAT csv, HEADER true)' <"$MARKET_DATA/defects.csv"
psql -X -q -d "$DATABASE_URI" -c '\copy event FROM pstdin WITH (FORMAT csv, HEADER true)' <"$MARKET_DATA/events.csv"
night_ids=$(for i in "${!days[@]}"; do echo "($((i + 1)), date '${days[$i]}')"; done | paste -sd,)
sql "CREATE TABLE listed AS SELECT n.id, x.*, l.job_id FROM (TABLE defect UNION ALL TABLE event) x JOIN (VALUES $night_ids) n(id, day) ON n.day = x.day
     JOIN cache_sync_runs l ON l.market_date = x.day AND l.mode = 'full'
     JOIN oracle.kept p ON p.night = n.id - 1 AND p.universe = 'all_stocks' AND x.symbol = ANY (p.members)"
is "$(sql "SELECT string_agg(concat_ws(' ', coalesce(a.job_id, b.job_id), symbol), ', ') FROM (SELECT job_id, symbol FROM listed WHERE kind = 'disappeared') a
    FULL JOIN (SELECT job_id, symbol FROM sync_changes_log WHERE universe = 'all_stocks' AND reason = 'delisted') b USING (job_id, symbol) WHERE a.job_id IS NULL OR b.job_id IS NULL")" '' \
    'who disappeared left as delisted, and nobody else'
# A share count is kept while it is right within 0.5 %, so a cap at a border may be on its other side in the pack.
crossed="SELECT count(*) FILTER (WHERE moved) * 100 / count(*) FROM (
    SELECT EXISTS (SELECT FROM sync_changes_log l WHERE l.job_id = e.job_id AND l.symbol = e.symbol AND l.universe = lower(e.old) || '_cap' AND action = 'removed') AS moved
      FROM listed e WHERE kind = 'band_cross' AND old NOT IN ('NANO', 'NONE')) x"
share=$(sql "$crossed")
ok "whose cap crossed a band left it ($share % of the pack's crossings)" test "$share" -ge 95
caps="SELECT l.* FROM listed l JOIN oracle.kept k ON k.night = l.id AND k.universe = 'all_stocks' AND l.symbol = ANY (k.members)
    CROSS JOIN LATERAL (SELECT regexp_match(old, '^cap ([0-9.]+) -> ([0-9.]+)$')::numeric[] AS cap) c
   WHERE kind IN ('cap_jump', 'big_move') AND greatest(cap[1], cap[2]) > 2.03 * least(cap[1], cap[2])"
ok 'the pack lists caps that are off' test "$(sql "SELECT count(*) FROM ($caps) l")" -gt $((${#days[@]} - 2))
is "$(sql "SELECT string_agg(l.id || ' ' || l.symbol, ', ') FROM ($caps) l LEFT JOIN oracle.jump j ON j.night = l.id AND j.symbol = l.symbol WHERE j.symbol IS NULL")" '' \
    'every cap that is off by more than two was in a warning that night'
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
