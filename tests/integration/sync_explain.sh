#!/usr/bin/env bash
# cachesync rules explain: which universes a symbol is in and why or why not, with figures, from the database.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=../support/market.sh
. "$(dirname "$0")/../support/market.sh"
start_postgres
start_redis
migrate
CS=$BUILD/cachesync
for n in $(seq 12); do stock "T$n" $((3000 - n))e9 Technology Software; done
stock NVDA 2000e9 Technology Semiconductors "$(day -10)"
stock LOW 40e6 '' ''
stock GONE 5e9 Energy Oil
sql "INSERT INTO symbols (symbol, name, type, active, aum_millions) VALUES ('AGG', 'iShares Core U.S. Aggregate Bond', 'ETF', true, 30);
     INSERT INTO symbols (symbol, name, type, active) VALUES ('W/W', 'A Warrant', 'WARRANT', true)"
start_daemon
synced full
sql "UPDATE symbols SET active = false WHERE symbol = 'GONE'; UPDATE ohlcv_daily SET close = 1e6 WHERE symbol = 'T12'"
why() { "$CS" --json rules explain "$1" | jq -r --arg u "$2" '.universes[] | select(.universe == $u) | [.member, .row, .rank, .members, .reason] | map(tostring) | join("|")'; }

is "$(why NVDA mega_cap)" 'true|true|12|12|rank 12 of 12' 'a member: its rank'
is "$(why NVDA top_10_stocks)" 'false|false|null|10|rank 12 of 14, and the limit is 10' 'beyond a limit: rank and limit'
is "$(why NVDA large_cap)" 'false|false|null|null|cap 2000000000000 >= 200000000000' 'outside a band: cap and bound'
is "$(why NVDA ai)" 'true|true|1|1|rank 1 of 1' 'in a theme by its list'
is "$(why NVDA cloud)" 'false|false|null|null|NVDA is not in the list of 12 symbols' 'not in a theme: the list'
is "$(why NVDA recent_ipos)" 'true|true|1|1|rank 1 of 1' 'a new listing'
is "$(why T1 recent_ipos)" 'false|false|null|1|no list date or no market date' 'no new listing'
is "$(why T11 top_10_technology)" 'false|false|null|10|rank 11 of 13, and the limit is 10' 'a partition: the universe of its own value'
is "$(why NVDA '{key}')" 'false|false|null|null|its group has 1 stocks, and is not among those with a universe (at least 3, the 20 largest)' 'a value without a universe: why' 
is "$(why LOW 'top_10_{key}')" 'false|false|null|null|sector "Unknown"' 'no sector'
is "$(why T12 mega_cap)|$(why T12 small_cap)" 'false|true|null|12|cap 1000000000 < 200000000000|true|false|1|1|rank 1 of 1' 'what the next sync will change: by the newest closes, and what the row says'
is "$(why AGG etf_bonds)|$(why AGG etf_broad_market)" 'true|true|1|1|rank 1 of 1|false|false|null|null|name "iShares Core U.S. Aggregate Bond"' 'ETFs by their names'
is "$(why AGG combo_test)|$(why T1 combo_test)" 'true|true|15|15|rank 15 of 15|true|true|1|15|rank 1 of 15' 'both parts of the combination'
is "$(why GONE all_stocks)" 'false|true|null|14|inactive, stock, cap 5000000000; wanted is an active stock with a market cap' 'an inactive symbol'
is "$(why W/W all_stocks)" 'false|false|null|14|active, neither stock nor ETF, cap 0; wanted is an active stock with a market cap' 'neither stock nor ETF'
is "$("$CS" --json rules explain NVDA | jq -c '[.symbol, .type, .active, .market_cap, .rank, .sector, .list_date, .market_date]')" "[\"NVDA\",\"stock\",true,2000000000000,12,\"Technology\",\"$(day -10)\",\"$TODAY\"]" 'the figures of the symbol'
is "$("$CS" --json rules explain NVDA | jq '.universes | length')" "$(jq '[.universes[] | select(.family != "stats")] | length' "$ROOT/deploy/rules/universes.json")" 'every rule is answered'
out=$("$CS" rules explain T12)
like "$out" 'active stock, market cap 1000000000, rank 13, sector Technology' 'for people: the symbol'
like "$out" $'\n-! mega_cap +cap 1000000000 < 200000000000; its row has it still\n' 'for people: what will change'
like "$out" $'\n\+! small_cap +rank 1 of 1; its row has it not yet\n' 'in both directions'
"$CS" rules explain NOPE >"$SCRATCH/out" 2>&1
is "$?" 1 'an unknown symbol fails'
like "$(cat "$SCRATCH/out")" 'no symbol "NOPE"; it is spelt as imported' 'and says so'
"$CS" rules explain >/dev/null 2>&1
is "$?" 2 'without a symbol: usage'
sql "INSERT INTO symbols (symbol, name, type, active, market_cap) VALUES (E'E\\x1b', E'bad\\x1b[31m', 'CS', true, 1)"
is "$("$CS" rules explain $'E\x1b' | head -1)" 'E?  bad?[31m' 'control characters do not reach the terminal'
is "$(CACHESYNC_ENVIRONMENT=ELSE "$CS" --json rules explain NVDA | jq -c '[.environment, ([.universes[] | select(.row)] | length), ([.universes[] | select(.member)] | length > 5)]')" '["ELSE",0,true]' 'rows are those of the environment'
before=$(written)
"$CS" rules explain NVDA >/dev/null
is "$(written)" "$before" 'it only reads'
DATABASE_URI="postgresql://tick@/tickstock?host=/nowhere" "$CS" rules explain NVDA >/dev/null 2>&1
is "$?" 3 'no server: unreachable'
finish
