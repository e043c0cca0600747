#!/usr/bin/env bash
# What each mode does and leaves alone: full, market_cap, themes, ipos; dry runs, as_of, other environments.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=../support/market.sh
. "$(dirname "$0")/../support/market.sh"
start_postgres
start_redis
migrate
stock MSFT 3000e9 Technology Software
stock NVDA 2000e9 Technology Chips
stock RIOT 15e9 Finance Miners
stock BIG 12e9 Energy Oil
stock GONE 11e9 Energy Oil
stock LOST 10.5e9 Energy Oil
stock MID 3e9 Energy Oil
sql "INSERT INTO symbols (symbol, name, type, active, aum_millions, exchange) VALUES ('SPY', 'SPDR S&P 500 Trust', 'ETF', true, 500, 'ARCX')"
start_daemon

synced full
is "$(members large_cap)" 'RIOT BIG GONE LOST' 'a full sync fills the bands'
is "$(members ai)" 'MSFT NVDA' 'and the themes'
is "$(unfolded)" '' 'the log folds to the memberships, themes under the key of their stock_universe row'

# ---- ipos: the family, and new listings into bands and themes; nobody leaves
stock GLXY 13e9 Finance Miners "$(day -2)"
stock TINY 60e6 '' '' "$TODAY"
stock OLD 14e9 Energy Oil "$(day -31)"
sql "UPDATE symbols SET market_cap = 1e9 WHERE symbol = 'BIG'; UPDATE symbols SET active = false WHERE symbol = 'GONE';
     DELETE FROM ohlcv_daily WHERE symbol = 'LOST'; DELETE FROM symbols WHERE symbol = 'LOST'"
others="name NOT IN ('ipo') AND universe NOT IN ('large_cap', 'micro_cap', 'crypto', 'theme_crypto', 'crypto_blockchain', 'theme_crypto_blockchain')"
before=$(rows "$others")
synced ipos
is "$(members recent_ipos)" 'TINY GLXY' 'ipos: recent listings, newest first'
is "$(members large_cap)" 'RIOT GLXY GONE BIG LOST' 'ipos: the new listing is in its band by stored cap, and nobody has left it'
is "$(sql "SELECT string_agg(s->>'ticker' || '=' || (s->>'rank') || '/' || (s->>'name'), ' ' ORDER BY n) FROM cache_entries, jsonb_array_elements(value->'stocks') WITH ORDINALITY e(s, n) WHERE key = 'large_cap'")" \
    'RIOT=1/RIOT Inc GLXY=2/GLXY Inc GONE=3/GONE Inc BIG=4/BIG Inc LOST=5/Unknown' 'ipos: ranks are renumbered'
is "$(members crypto)" 'RIOT GLXY' 'ipos: and in its theme'
is "$(sql "SELECT value FROM cache_entries WHERE type = 'themes' AND name = 'Crypto' AND key = 'list'")" '["RIOT", "GLXY"]' 'ipos: whose list says the same'
is "$(members micro_cap)" TINY 'ipos: a band that was empty begins with the listing'
is "$(logged "$id")" '+crypto:GLXY +crypto_blockchain:GLXY +large_cap:GLXY +micro_cap:TINY +recent_ipos:GLXY +recent_ipos:TINY' 'ipos: the log has just that'
is "$(job_field "$id" total_changes)" 6 'ipos: and so has total_changes'
is "$(rows "$others")" "$before" 'ipos: no other row is rewritten'
is "$(events tickstock:cache:ipo_assignment "$id" | jq -r '.symbol + ":" + .universe + ":" + .list_date' | sort | tr '\n' ' ')" \
    "GLXY:crypto:$(day -2) GLXY:crypto_blockchain:$(day -2) GLXY:large_cap:$(day -2) GLXY:recent_ipos:$(day -2) TINY:micro_cap:$TODAY TINY:recent_ipos:$TODAY " \
    'ipos: each new listing is announced for each universe it was added to'
is "$(events tickstock:cache:sync_complete "$id" | jq -c '.task_results | map_values(.status + " " + (.changes | tostring)) | [.ipo_assignment, .theme_rebalancing, .market_cap_update]')" \
    '["completed 6","skipped 0","skipped 0"]' 'ipos: the task results say so'
is "$(unfolded)" '' 'ipos: the log still folds'
before=$(rows)
synced ipos
is "$(job_field "$id" total_changes):$(rows)" "0:$before" 'ipos again: nothing'
sql "UPDATE symbols SET list_date = '$(day -40)' WHERE symbol = 'TINY'"
synced ipos
is "$(logged "$id")" '-recent_ipos:TINY' 'ipos: a listing of 31 days and more leaves recent_ipos, and its band keeps it'
sql "UPDATE symbols SET list_date = '$(day -30)' WHERE symbol = 'TINY'"
synced ipos
is "$(logged "$id"):$(events tickstock:cache:ipo_assignment "$id")" '+recent_ipos:TINY:' 'ipos: 30 days are within; who comes again is not announced again'

# ---- a full sync puts it all right
synced full
is "$(members large_cap)" 'RIOT OLD GLXY BIG' 'full: bands by the rules again (BIG by its close)'
is "$(sql "SELECT string_agg(DISTINCT symbol || ' ' || reason, ', ') FROM sync_changes_log WHERE job_id = '$id' AND action = 'removed'")" \
    'GONE delisted, LOST unknown_symbol' 'full: the delisted and the unknown leave with their reasons'
is "$(events tickstock:cache:delisting_cleanup "$id" | jq -c '[.removed_count, .symbols]')" '[1,["GONE"]]' 'full: the delisted one is announced, the unknown one is not'
is "$(unfolded)" '' 'full: the log folds'

# ---- themes: the theme family alone, by stored caps
sql "UPDATE symbols SET market_cap = CASE symbol WHEN 'NVDA' THEN 2400e9 ELSE 2300e9 END WHERE symbol IN ('NVDA', 'MSFT'); UPDATE symbols SET active = false WHERE symbol = 'GLXY'"
before=$(rows "cache_type <> 'theme'")
synced themes
is "$(members ai)" 'NVDA MSFT' 'themes: by the stored cap'
is "$(logged "$id")" '-crypto:GLXY -crypto_blockchain:GLXY' 'themes: the log'
is "$(rows "cache_type <> 'theme'")" "$before" 'themes: no other row is rewritten'
is "$(sql "SELECT market_cap FROM symbols WHERE symbol = 'NVDA'")" 2400000000000 'themes: market caps are not computed'
sql "UPDATE symbols SET active = true WHERE symbol = 'GLXY'"

# ---- market_cap: caps and what ranks by them
close_of MID 10e9
before=$(rows "cache_type IN ('theme', 'etf', 'ipo')")
synced market_cap
is "$(sql "SELECT market_cap FROM symbols WHERE symbol IN ('NVDA', 'MID') ORDER BY symbol" | tr '\n' ' ')" '10000000000 2000000000000 ' 'market_cap: caps are stored'
is "$(members large_cap)" 'RIOT OLD GLXY BIG MID' 'market_cap: a cap at the lower bound is within'
is "$(logged "$id")" '+large_cap:MID -mid_cap:MID' 'market_cap: the log'
is "$(sql "SELECT count(*) FROM cache_entries WHERE key = 'mid_cap'")" 0 'market_cap: a band without a member has no row'
is "$(rows "cache_type IN ('theme', 'etf', 'ipo')")" "$before" 'market_cap: themes, ETFs and IPOs are not rewritten'
is "$(job_field "$id" summary | jq -c '[.market_caps.changed, .market_caps.significant, (.families | keys | length)]')" '[3,3,7]' 'market_cap: the summary counts'

# ---- dry_run: everything is told, nothing is written
close_of MID 3e9
sql "UPDATE symbols SET active = false WHERE symbol = 'OLD'"
before=$(written)
synced full dry_run 1
dry=$id
is "$(written)" "$before" 'dry_run: nothing is written'
is "$(events tickstock:universe:updated "$dry")" '' 'dry_run: no change is announced'
synced full
is "$(job_field "$dry" summary | jq -r '[.diff | to_entries[] | .key as $u | ((.value.added[] | ["+", $u, .]), (.value.removed[] | ["-", $u, .]))] | sort_by(.[1:]) | map(.[0] + .[1] + ":" + .[2]) | join(" ")')" \
    "$(logged "$id")" 'dry_run: its diff is what the run then logs'
is "$(job_field "$dry" total_changes) $(job_field "$dry" universes_updated)" "$(job_field "$id" total_changes) $(job_field "$id" universes_updated)" 'dry_run: and its numbers are those of the run'
is "$(job_field "$dry" summary | jq -c '[.families[].rows]')" "$(job_field "$id" summary | jq -c '[.families[].rows]')" 'dry_run: rows too'

# ---- as_of: caps of that day rank and are not written
close_of MID 11e9 "$(day -1)"
synced full as_of "$(day -1)"
is "$(sql "SELECT market_date = '$(day -1)' FROM cache_sync_runs WHERE job_id = '$id'")" t 'as_of: the market date is that day'
is "$(members large_cap)" 'RIOT GLXY BIG MID' 'as_of: the caps of that day rank'
is "$(sql "SELECT market_cap FROM symbols WHERE symbol = 'MID'")" 3000000000 'as_of: and are not written'
synced full
is "$(members mid_cap)" MID 'without as_of the newest day counts again'

# ---- another environment: its own rows, the same symbols
before=$(rows "environment = 'DEFAULT'")
sql "INSERT INTO cache_entries (type, name, key, value, environment) VALUES ('stock_universe', 'market_cap', 'mega_cap', '[\"OLD1\", 7, null, \"MSFT\"]', 'PROD')"
synced full environment PROD
is "$(rows "environment = 'DEFAULT'")" "$before" "an environment's rows are not touched by another's sync"
is "$(members mega_cap PROD)" 'MSFT NVDA' 'the environment has its own'
is "$(sql "SELECT string_agg(change_type || ' ' || action || ' ' || symbol || ' ' || reason, ', ' ORDER BY id) FROM sync_changes_log WHERE environment = 'PROD' AND universe = 'mega_cap'")" \
    'baseline added MSFT baseline, baseline added OLD1 baseline, membership removed OLD1 unknown_symbol, membership added NVDA rules' \
    'members found there are logged first, as baseline'
is "$(unfolded PROD)$(unfolded)" '' 'both logs fold'
is "$(sql "SELECT count(*) FROM sync_changes_log WHERE job_id = '$id' AND change_type <> 'baseline'")" "$(job_field "$id" total_changes)" 'the baseline is outside total_changes'

# ---- ipos and a limit: who would be within it comes, who would not stays out, and nobody leaves
sql "INSERT INTO symbols (symbol, name, type, active, market_cap, weighted_shares_outstanding, sector) SELECT 'TECH' || n, 'Tech ' || n, 'CS', true, (2 + n) * 1e9::bigint, 1000, 'Technology' FROM generate_series(1, 25) n;
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, '$TODAY', market_cap / 1000.0 FROM symbols WHERE symbol LIKE 'TECH%'"
synced full environment LIM
is "$(members technology_leaders LIM | wc -w)" 25 'a theme at its limit'
stock NEWBIG 26.5e9 Technology Software "$TODAY"
stock NEWSMALL 1e9 Technology Software "$TODAY"
synced ipos environment LIM
is "$(members technology_leaders LIM | wc -w) $(members technology_leaders LIM | cut -d' ' -f3)" '26 TECH25' 'a new listing within the limit comes and nobody leaves'
is "$(members technology_leaders LIM | tr ' ' '\n' | grep NEW)" NEWBIG 'one beyond it stays out'
synced full environment LIM
is "$(members technology_leaders LIM | wc -w)" 25 'a full sync keeps the limit'

# ---- with two universes of new listings, who enters either is placed, whatever the other holds
stop_daemon
cat >"$SCRATCH/two.json" <<'EOF'
{"version": 1, "limits": {"min_close_share": 0}, "universes": [
 {"family": "ipo", "key": "week", "title": "Week", "select": {"asset": "stock", "listed_within_days": 7}, "order": "list_date",
  "outputs": [{"type": "stock_universe", "name": "ipo", "key": "week", "shape": "stocks"}]},
 {"family": "ipo", "key": "month", "title": "Month", "select": {"asset": "stock", "listed_within_days": 30}, "order": "list_date",
  "outputs": [{"type": "stock_universe", "name": "ipo", "key": "month", "shape": "stocks"}]},
 {"family": "market_cap", "key": "band", "title": "Band", "select": {"asset": "stock", "cap_min": 2000000000, "cap_max": 2000000001},
  "outputs": [{"type": "stock_universe", "name": "market_cap", "key": "band", "shape": "stocks"}]}]}
EOF
chmod 644 "$SCRATCH/two.json"
start_daemon CACHESYNC_RULES="$SCRATCH/two.json"
stock TWICE 1e9 '' '' "$(day -10)"
synced full environment TWO
is "$(members week TWO | grep -c TWICE):$(members month TWO | grep -c TWICE)" 0:1 'a listing of ten days is in one of two'
sql "UPDATE symbols SET list_date = '$TODAY', market_cap = 2e9 WHERE symbol = 'TWICE'"
synced ipos environment TWO
is "$(members week TWO | grep -c TWICE):$(members band TWO)" 1:TWICE 'who enters the other is placed'
stop_daemon
start_daemon

# ---- one instant dates a sync, and a later sync is later whatever the clock says
is "$(sql "SELECT count(*) FROM cache_sync_runs r JOIN sync_changes_log l USING (job_id) WHERE l.created_at <> r.committed_at")" 0 'the log is dated as its run'
is "$(sql "SELECT string_agg(s, ' ') FROM cache_sync_runs r, universe_as_of('large_cap', 'DEFAULT', r.committed_at) s WHERE job_id = '$dry'")" '' 'a dry run has no row'
sql "UPDATE cache_sync_runs SET committed_at = now() + interval '1 hour' WHERE job_id = (SELECT job_id FROM cache_sync_runs WHERE environment = 'DEFAULT' ORDER BY committed_at DESC LIMIT 1)"
synced full
is "$(sql "SELECT committed_at > now() + interval '59 minutes' FROM cache_sync_runs WHERE job_id = '$id'")" t 'a clock set back does not put a sync before the last one'
finish
