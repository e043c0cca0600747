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

before=$(written)
id=$(run_job mode full)
is "$(job_field "$id" total_changes)" 0 'again: no change'
is "$(written)" "$before" 'again: no row rewritten'
finish
