#!/usr/bin/env bash
# Defective nights, made from a real one: each is refused with the right figures and nothing written, and with force every row is
# what SQL makes of it. A night without caps heals.
. "$(dirname "$0")/../support/lib.sh"
. "$ROOT/tests/support/nights.sh"
if ! have_market_data; then
    skip "defective nights: no market data in $MARKET_DATA (set MARKET_DATA)"
    finish
fi
FIRST=2024-05-09 SECOND=2024-05-10
nights_start
load_etfs
load_night $FIRST
sync_night $FIRST
sql 'CREATE TABLE good_symbols AS TABLE symbols; CREATE TABLE good_closes AS TABLE ohlcv_daily'

details() { job_field "$ID" error_details | jq -c "$1"; }
stocks() { sql "SELECT count(*) FROM symbols s WHERE active AND type = 'CS' $1"; }
# refused CODE NAME: an unforced sync of what is loaded fails with that code and writes nothing.
refused() {
    local before
    before=$(written)
    ID=$(run_job mode full)
    is "$(job_field "$ID" status) $(details .code)" "failed \"$1\"" "$2: refused"
    is "$(written)" "$before" "$2: nothing is written"
    is "$(redis HEXISTS "$P:job:$ID" total_changes)" 0 "$2: no changes are told"
}
# good: the market as it was after the first night, and synced.
good() {
    sql 'TRUNCATE symbols, ohlcv_daily; INSERT INTO symbols TABLE good_symbols; INSERT INTO ohlcv_daily TABLE good_closes'
    ID=$(run_job mode full force 1)
}
# forced NAME: with force every check of SQL holds; then back to the good market, which too is what SQL says.
forced() {
    sync_night $SECOND "$1"
    good
    sql 'SELECT oracle.remember()' >/dev/null
    sql 'SELECT oracle.compute()' >/dev/null
    is "$(sql "SELECT string_agg(nullif(wrong, ''), ' ') FROM oracle.judge('$ID')")" '' "$1: and back again"
}

# NASDAQ's rows alone, as when the download broke off: the others look delisted.
load_rows $SECOND < <(night_rows $SECOND | head -3993)
refused universe_shrink 'truncated file'
is "$(details '.universe, .before, .after')" "\"active_stocks\"
$(sql "SELECT count(*) FROM good_symbols WHERE active AND type = 'CS'")
$(stocks '')" 'truncated file: with the figures'
forced 'truncated file'

# The same with an importer that waits for five nights before it calls a symbol gone.
load_rows $SECOND 5 < <(night_rows $SECOND | head -3993)
refused incomplete_market_data 'half the closes'
is "$(details '.active_stocks, .with_close')" "$(stocks '')
$(stocks "AND EXISTS (SELECT FROM ohlcv_daily o WHERE o.symbol = s.symbol AND o.date = '$SECOND')")" 'half the closes: with the figures'
forced 'half the closes'

# A column lost its values for one sector: no universe of 20 or more may shrink by over a fifth.
load_rows $SECOND < <(night_rows $SECOND | sed 's/,Technology$/,/')
refused universe_shrink 'lost sector'
is "$(details '.universe, .before, .after')" '"technology_leaders"
25
0' 'lost sector: with the figures'
forced 'lost sector'

# One share count ten times too high.
load_rows $SECOND < <(night_rows $SECOND | awk -F, -v OFS=, '$1 == "NVDA" { $7 = sprintf("%.2f", 10 * $7) } 1')
refused absurd_market_cap 'absurd cap'
is "$(details '.contributors[0].symbol, (.contributors | length), (.change > 0.15), (.total_before | floor)')" "\"NVDA\"
10
true
$(sql "SELECT sum(market_cap) FROM good_symbols WHERE active AND type = 'CS' AND market_cap > 0")" 'absurd cap: with the figures'
forced 'absurd cap'

# An importer that stopped: the newest close is six days old.
load_night $SECOND
ID=$(run_job mode full as_of 2024-05-16 dry_run 1)
is "$(job_field "$ID" status)" completed 'no limit on the age: old data pass'
stop_daemon
start_daemon
before=$(written)
ID=$(run_job mode full as_of 2024-05-16)
is "$(details '.code, .market_date, .age_days, .limit_days')" '"stale_market_data"
"2024-05-10"
6
5' 'stale: refused with the figures'
is "$(written)" "$before" 'stale: nothing is written'
ID=$(run_job mode full as_of 2024-05-15)
is "$(job_field "$ID" status)" completed 'five days old: not stale'
ID=$(run_job mode full)
is "$(details .code)" '"stale_market_data"' 'against today in New York: stale'
ID=$(run_job mode full force 1)
is "$(job_field "$ID" status)" completed 'stale: with force it completes'
stop_daemon
start_daemon CACHESYNC_RULES="$SCRATCH/rules.json"
good

# No cap in the whole file: caps are closes times the shares that are known.
load_rows $SECOND < <(night_rows $SECOND | awk -F, -v OFS=, 'NR > 1 && $7 ~ /^[0-9.]+$/ { $7 = "0.00" } 1')
sync_night $SECOND 'no caps'
is "$(job_field "$ID" force)" 0 'no caps: not refused'
ok 'no caps: but for the new they are all there' test "$(stocks 'AND market_cap > 0')" -gt 5000
finish
