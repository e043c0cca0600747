#!/usr/bin/env bash
# What a sync notices and does not refuse: each warning with its figures, on a market made by hand and on real nights.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=../support/market.sh
. "$(dirname "$0")/../support/market.sh"
start_postgres
start_redis
migrate
# 120 stocks from 130e9 downwards, so that one of them hardly moves the market.
sql "INSERT INTO symbols (symbol, name, type, active, weighted_shares_outstanding, sector, industry)
     SELECT 'S' || to_char(n, 'FM000'), 'Stock ' || n, 'CS', true, 1000, CASE WHEN n % 2 = 0 THEN 'Technology' ELSE 'Utilities' END, CASE WHEN n % 2 = 0 THEN 'Chips' ELSE 'Power' END FROM generate_series(1, 120) n;
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, d, (131 - right(symbol, 3)::int) * 1e6 FROM symbols, unnest(ARRAY['$(day -1)'::date, '$TODAY'::date]) d"
start_daemon
warned() { job_field "$id" summary | jq -c --arg code "$1" "[.warnings[] | select(.error_code == \$code)] | ${2:-.}"; }
codes() { job_field "$id" summary | jq -r '[.warnings[].error_code] | join(" ")'; }
loud() { events tickstock:errors "$id" | jq -r .error_code | sort -u | tr '\n' ' '; }

synced full
is "$(codes)" '' 'a first sync warns of nothing'
synced full
is "$(codes)" '' 'nor does one without a change'

# ---- a split that reached the price and not the shares; a share count that changed without the price
sql "UPDATE ohlcv_daily SET close = close / 10 WHERE symbol = 'S040' AND date = '$TODAY'; UPDATE symbols SET weighted_shares_outstanding = 4000 WHERE symbol = 'S090'; UPDATE ohlcv_daily SET close = close * 1.9 WHERE symbol = 'S091' AND date = '$TODAY'"
synced full
is "$(warned market_cap_jump '.[0].context | [.count, .limit, (.symbols | map([.symbol, .market_cap_before, .market_cap, .factor, .price_factor, .moved_with, .shares]))]')" \
    '[2,2,[["S090",41000000000,164000000000,4,1,"shares",4000],["S040",91000000000,9100000000,0.1,0.1,"price",1000]]]' \
    'caps that moved by a factor: with the price, and with the shares; who moved by less is left out'
is "$(loud)" 'market_cap_jump ' 'which is an event'
sql "UPDATE ohlcv_daily SET close = close * 10 WHERE symbol = 'S040' AND date = '$TODAY'; UPDATE symbols SET weighted_shares_outstanding = 1000 WHERE symbol = 'S090'"
synced full
is "$(warned market_cap_jump '.[0].context.count')" 2 'and so is the way back'
synced full
is "$(codes)" '' 'then it is quiet'
sql "UPDATE ohlcv_daily SET close = close * 2 WHERE symbol < 'S031' AND date = '$TODAY'"
synced full force 1
is "$(warned market_cap_jump '.[0].context | [.count, (.symbols | length)]')" '[30,20]' 'many: all are counted, the twenty largest named'
sql "UPDATE ohlcv_daily SET close = close / 2 WHERE symbol < 'S031' AND date = '$TODAY'"
synced full force 1

# ---- a new listing that ranks among the largest
stock LTM 140e9 Industrials Airlines "$(day -3)"
stock SMALL 60e6 Industrials Airlines "$(day -3)"
sql "UPDATE symbols SET market_cap = NULL WHERE symbol = 'LTM'"
synced full
is "$(warned new_listing_rank '.[0].context | [.count, .limit, (.symbols | map([.symbol, .rank, .market_cap, .list_date, .shares, .close]))]')" \
    "[1,100,[[\"LTM\",1,140000000000,\"$(day -3)\",1000,140000000]]]" 'a new listing within rank 100 is named, with its shares'
is "$(loud)" 'new_listing_rank ' 'which is an event'
sql "UPDATE symbols SET list_date = '$(day -31)' WHERE symbol = 'LTM'"
synced full
is "$(warned new_listing_rank)" '[]' 'after 30 days it is no new listing'

# ---- no trade that night; away and back
sql "DELETE FROM ohlcv_daily WHERE symbol IN ('S050', 'S051') AND date = '$TODAY'; UPDATE symbols SET active = false WHERE symbol IN ('S060', 'S061')"
synced full
is "$(warned no_trade '.[0] | [.severity, .context.count, (.context.symbols | map([.symbol, .market_cap, .last_close_date]))]')" \
    "[\"info\",2,[[\"S050\",81000000000,\"$(day -1)\"],[\"S051\",80000000000,\"$(day -1)\"]]]" 'active stocks without a close are named, with their last one'
is "$(loud)" '' 'which is no event: every night has some'
sql "UPDATE symbols SET active = true WHERE symbol = 'S060'"
synced full
is "$(warned symbol_returned '.[0] | [.severity, .context.count, .context.symbols[0].symbol, (.context.symbols[0].left_at | length)]')" '["info",1,"S060",24]' 'a member that had left as delisted and is back is named, with when it left'
synced full
is "$(warned symbol_returned)" '[]' 'once'

# ---- a sector that flaps
for sector in Utilities Technology Utilities; do
    sql "UPDATE symbols SET sector = '$sector' WHERE symbol = 'S002'"
    synced full
done
is "$(warned sector_changed '.[0] | [.severity, .context.count, (.context.symbols | map([.symbol, .from, .to, .times]))]')" '["info",1,[["S002","top_10_technology","top_10_utilities","2"]]]' \
    'a member that moved to another sector, and how often'

# ---- unknown symbols, churn
sql "DELETE FROM ohlcv_daily WHERE symbol IN ('S070', 'S071'); DELETE FROM symbols WHERE symbol IN ('S070', 'S071')"
synced full
is "$(warned unknown_symbol '.[0].context')" '{"count":2,"symbols":["S070","S071"]}' 'members that symbols does not know'
is "$(events tickstock:cache:delisting_cleanup "$id")" '' 'are not announced as delisted'
is "$(loud)" 'unknown_symbol ' 'but warned of'

# ---- as_of compares with nothing of today
sql "UPDATE ohlcv_daily SET close = close / 10 WHERE symbol = 'S040' AND date = '$(day -1)'"
synced full as_of "$(day -1)"
is "$(warned market_cap_jump)" '[]' 'as_of: the stored caps are another day'\''s'

# ---- real nights
if ! have_market_data; then
    skip "real nights: no market data in $MARKET_DATA (set MARKET_DATA)"
    finish
fi
stop_daemon
psql -X -q -d "${DATABASE_URI/tickstock/postgres}" -c 'DROP DATABASE tickstock' -c 'CREATE DATABASE tickstock'
migrate
start_daemon
night() {
    "$MARKET_DATA/load.sh" -d "$DATABASE_URI" -q "$1" >"$SCRATCH/load.log" 2>&1 || { cat "$SCRATCH/load.log"; die "loading $1 failed"; }
    synced full force 1
}
night 2024-07-12
night 2024-07-15
is "$(warned market_cap_jump '.[0].context.symbols[0] | [.symbol, .moved_with, (.factor * 10 | round), (.price_factor * 10 | round)]')" '["AVGO","price",1,1]' 'AVGO, the night of its split: a cap off by ten, with the price'
night 2024-07-24
night 2024-07-25
is "$(warned new_listing_rank '.[0].context.symbols[0] | [.symbol, .rank, .list_date, .market_cap > 14e12]')" '["LTM",1,"2024-07-25",true]' 'LTM, listed with a wrong share count: the largest of all'
finish
