#!/usr/bin/env bash
# The validation checks, each at its limit and beyond: order, figures, force, limits of the rules file, what is exempt; churn.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=../support/market.sh
. "$(dirname "$0")/../support/market.sh"
start_postgres
start_redis
migrate
# 100 stocks of 1e9 (small_cap), all with a close today.
market() {
    sql "DELETE FROM ohlcv_daily; DELETE FROM symbols;
         INSERT INTO symbols (symbol, name, type, active, market_cap, weighted_shares_outstanding) SELECT 'S' || to_char(n, 'FM000'), 'Stock ' || n, 'CS', true, 1e9, 1000 FROM generate_series(1, 100) n;
         INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, '$TODAY', 1e6 FROM symbols"
}
first() { sql "SELECT 'S' || to_char(n, 'FM000') FROM generate_series(1, $1) n" | tr '\n' ' ' | sed "s/ \$//; s/ /','/g; s/^/'/; s/\$/'/"; }
detail() { job_field "$id" error_details | jq -c "$1"; }
# passes NAME SETUP and refuses CODE FILTER WANTED NAME SETUP: from a good market and a sync of it
good() { market; synced full force 1 >/dev/null; }
market
start_daemon

# ---- stale
sql "UPDATE ohlcv_daily SET date = '$(day -6)'"
refused stale_market_data full
is "$(detail '[.age_days, .limit_days, .market_date]')" "[6,5,\"$(day -6)\"]" 'stale: six days, with figures'
is "$(sql "SELECT (SELECT count(*) FROM cache_entries), (SELECT count(*) FROM sync_changes_log), (SELECT count(*) FROM cache_sync_runs)")" '0|0|0' 'stale: nothing is written'
is "$(sql "SELECT count(*) FROM symbols WHERE last_updated IS NOT NULL")" 0 'stale: no cap either'
sql "UPDATE ohlcv_daily SET date = '$(day -5)'"
synced full
sql "UPDATE ohlcv_daily SET date = '$(day 3)'"
synced full
pass 'a later date is not stale'
sql "UPDATE ohlcv_daily SET date = '$(day -20)'"
refused stale_market_data full
refused stale_market_data full as_of "$(day -14)"
is "$(detail .age_days)" 6 'as_of: the age is counted against it'
synced full as_of "$(day -15)"
refused stale_market_data full as_of "$(day -21)"
is "$(detail .market_date)" null 'as_of before all data: no market date'
refused stale_market_data themes
refused stale_market_data ipos
synced full force 1

# ---- incomplete
good
sql "DELETE FROM ohlcv_daily WHERE symbol IN ($(first 20)); INSERT INTO ohlcv_daily SELECT symbol, '$(day -1)' FROM symbols WHERE symbol IN ($(first 20))"
synced full
is "$(job_field "$id" summary | jq -c '.warnings[] | select(.error_code == "no_trade") | [.severity, .context.count, (.context.symbols | length)]')" '["info",20,20]' 'who had no trade is told, with figures'
is "$(events tickstock:errors "$id")" '' 'which is no event'
sql "UPDATE ohlcv_daily SET close = NULL WHERE symbol = 'S021'"
refused incomplete_market_data full
is "$(detail '[.active_stocks, .with_close, .share, .limit]')" '[100,79,0.79,0.8]' 'incomplete: a close that is NULL is none; with figures'
synced full force 1

# ---- shrink: the market
good
sql "DELETE FROM symbols WHERE symbol IN ($(first 20)); UPDATE ohlcv_daily SET close = 1.2e6"
synced full
good
sql "UPDATE symbols SET active = false WHERE symbol IN ($(first 21))"
before=$(written)
refused universe_shrink full
is "$(detail '[.universe, .before, .after, .limit]')" '["active_stocks",100,79,0.2]' 'shrink: the market lost 21 of 100'
is "$(written)" "$before" 'shrink: nothing is written'
synced full force 1

# ---- shrink: one universe of 20 members or more
good
sql "UPDATE ohlcv_daily SET close = 1e5 WHERE symbol IN ($(first 20))"
synced full force 1
is "$(members micro_cap | wc -w)" 20 'a band of 20'
sql "UPDATE ohlcv_daily SET close = 1e6 WHERE symbol IN ($(first 4))"
synced full
is "$(members micro_cap | wc -w)" 16 'loses 4: 20 % is not over 20 %'
sql "UPDATE ohlcv_daily SET close = 1e5 WHERE symbol IN ($(first 20))"
synced full
sql "UPDATE ohlcv_daily SET close = 1e6 WHERE symbol IN ($(first 5))"
refused universe_shrink full
is "$(detail '[.universe, .before, .after]')" '["micro_cap",20,15]' 'loses 5: refused'
sql "UPDATE ohlcv_daily SET close = 1e5 WHERE symbol IN ($(first 19)); UPDATE ohlcv_daily SET close = 1e6 WHERE symbol = 'S020'"
synced full
sql "UPDATE ohlcv_daily SET close = 2e5 WHERE symbol NOT IN ($(first 19)); UPDATE ohlcv_daily SET close = 1e4 WHERE symbol IN ($(first 19))"
synced full force 1
good
sql "UPDATE ohlcv_daily SET close = 1e5 WHERE symbol IN ($(first 19))"
synced full force 1
sql "UPDATE ohlcv_daily SET close = 3e5 WHERE symbol IN ($(first 19))"
synced full
is "$(members micro_cap)" '' 'a universe of 19 may vanish'
good
sql "UPDATE symbols SET list_date = '$TODAY' WHERE symbol IN ($(first 30))"
synced full
sql "UPDATE symbols SET list_date = NULL"
synced full
is "$(members recent_ipos)" '' 'the ipo family is exempt'

# ---- the sum of the caps
good
sql "UPDATE ohlcv_daily SET close = 1.15e6"
synced full
good
sql "UPDATE ohlcv_daily SET close = 0.85e6"
synced full
good
sql "UPDATE ohlcv_daily SET close = 1.15e6; UPDATE ohlcv_daily SET close = 2e6 + right(symbol, 3)::int WHERE symbol IN ($(first 12))"
before=$(written)
refused absurd_market_cap full
is "$(detail '[.total_before, .limit, (.contributors | map(.symbol) | join(" "))]')" '[100000000000,0.15,"S012 S011 S010 S009 S008 S007 S006 S005 S004 S003"]' 'the ten largest contributors are named'
is "$(detail '.contributors[0] | [.before, .after]')" '[1000000000,2000012000]' 'with figures'
is "$(written)" "$before" 'nothing is written'
refused absurd_market_cap full dry_run 1
synced full force 1
is "$(job_field "$id" summary | jq -c '.warnings[] | select(.error_code == "market_cap_jump") | [.severity, .context.count, .context.symbols[0].symbol, .context.symbols[0].market_cap_before]')" '["warning",12,"S012",1000000000]' 'caps that doubled are warned of'
is "$(events tickstock:errors "$id" | jq -r .error_code | sort | uniq -c | tr -s ' ' | tr '\n' ';')" ' 1 market_cap_jump;' 'as an event'

sql "UPDATE ohlcv_daily SET close = 1e6"
synced full environment FRESH
pass 'without an earlier sync of the environment there is nothing to compare with'

# ---- the order: the first that fails gives the code
good
sql "UPDATE symbols SET active = false WHERE symbol IN ($(first 30)); UPDATE ohlcv_daily SET close = 1.9e6; UPDATE ohlcv_daily SET date = '$(day -9)'; DELETE FROM ohlcv_daily WHERE symbol > 'S070'"
refused stale_market_data full
sql "UPDATE ohlcv_daily SET date = '$TODAY'"
refused incomplete_market_data full
sql "INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, '$TODAY', 1.9e6 FROM symbols WHERE symbol > 'S070'"
refused universe_shrink full
sql "UPDATE symbols SET active = true"
refused absurd_market_cap full
refused absurd_market_cap market_cap
synced full force 1

# ---- churn: a warning, not a refusal
good
sql "UPDATE ohlcv_daily SET close = 1e6 + 100 - right(symbol, 3)::int"
synced full
is "$(members top_10_stocks)" 'S001 S002 S003 S004 S005 S006 S007 S008 S009 S010' 'ten leaders'
sql "UPDATE ohlcv_daily SET close = 1000200 WHERE symbol IN ('S099', 'S100')"
synced full
is "$(job_field "$id" summary | jq -c .warnings)" '[]' '2 of 10 change: 20 % is not over 20 %'
sql "UPDATE ohlcv_daily SET close = 1000300 WHERE symbol IN ('S096', 'S097', 'S098')"
synced full
is "$(job_field "$id" summary | jq -c '[.warnings[] | [.error_code, .context.universe, .context.before, .context.added, .context.removed]]')" '[["universe_churn","top_10_stocks",10,3,3]]' '3 of 10 change: a warning'
is "$(events tickstock:errors "$id" | jq -c '[.severity, .error_code, .context.universe]')" '["warning","universe_churn","top_10_stocks"]' 'and an event'

# ---- limits live in the rules file
stop_daemon
jq '.limits += {max_shrink: 0.5, min_close_share: 0.5, max_cap_change: 1, stale_days: 100, churn_warning: 1, cap_jump_factor: 0}' "$ROOT/deploy/rules/universes.json" >"$SCRATCH/rules.json"
start_daemon CACHESYNC_RULES="$SCRATCH/rules.json"
good
sql "UPDATE symbols SET active = false WHERE symbol IN ($(first 50)); UPDATE ohlcv_daily SET close = 1.9e6, date = '$(day -100)'"
synced full
is "$(job_field "$id" summary | jq -c '[.warnings[].error_code]')" '[]' 'wider limits of a rules file let it all pass'
sql "UPDATE symbols SET active = false WHERE symbol > 'S074'"
refused universe_shrink full
is "$(detail .limit)" 0.5 'and the refusal names the limit'
finish
