#!/usr/bin/env bash
# Syncs at once: two environments over one table of symbols, an importer in between, one environment twice, readers all the while.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=../support/market.sh
. "$(dirname "$0")/../support/market.sh"
start_postgres
start_redis
migrate
sql "INSERT INTO symbols (symbol, name, type, active, weighted_shares_outstanding, sector)
     SELECT 'S' || to_char(n, 'FM0000'), 'Stock ' || n, 'CS', true, 1000, 'Sector ' || n % 5 FROM generate_series(1, 1000) n;
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, '$TODAY', right(symbol, 4)::int * 1e5 FROM symbols"
start_daemon CACHESYNC_WORKERS=4
synced full
send() { job_id_of "$(redis XADD "$P:commands" '*' "$@")"; }
# shellcheck disable=SC2317
done_all() { for id in "$@"; do case $(job_field "$id" status) in completed | failed) ;; *) return 1 ;; esac done; }

# A reader must see whole syncs only: all_stocks and its bands always hold the same symbols, and top_10_stocks heads all_stocks.
cat >"$SCRATCH/reader.sql" <<'EOF'
SELECT 'torn' WHERE (SELECT count(*) FROM cache_entries c, jsonb_array_elements(c.content->'symbols') WHERE environment = 'DEFAULT' AND name = 'market_cap')
    <> (SELECT (value->>'count')::int FROM cache_entries WHERE environment = 'DEFAULT' AND key = 'all_stocks')
   OR (SELECT value->'symbols' FROM cache_entries WHERE environment = 'DEFAULT' AND key = 'top_10_stocks') IS DISTINCT FROM
      (SELECT jsonb_path_query_array(value->'symbols', '$[0 to 9]') FROM cache_entries WHERE environment = 'DEFAULT' AND key = 'all_stocks');
EOF
touch "$SCRATCH/reading"
(while [ -e "$SCRATCH/reading" ]; do sql_file "$SCRATCH/reader.sql"; done >"$SCRATCH/torn" 2>&1) &
reader=$!
# An importer that writes the same symbols, in the opposite order, in short transactions.
(while [ -e "$SCRATCH/reading" ]; do
    sql "UPDATE symbols SET name = name WHERE symbol IN (SELECT symbol FROM symbols ORDER BY symbol DESC LIMIT 200)"
done >"$SCRATCH/importer" 2>&1) &
importer=$!
ids=()
for round in 1 2 3 4 5; do
    sql "UPDATE ohlcv_daily SET close = close * (CASE WHEN hashtext(symbol || '$round') % 2 = 0 THEN 1.01 ELSE 0.99 END)"
    new=("$(send mode full environment DEFAULT force 1)" "$(send mode market_cap environment DEFAULT)" "$(send mode full environment PROD force 1)" "$(send mode full environment TEST force 1)" "$(send mode ipos environment PROD force 1)")
    wait_until 60 "round $round: all end" done_all "${new[@]}"
    ids+=("${new[@]}")
done
rm "$SCRATCH/reading"
wait "$reader" "$importer"
is "$(for id in "${ids[@]}"; do job_field "$id" status; done | sort | uniq -c | tr -s ' ')" ' 25 completed' 'all of them complete'
is "$(cat "$SCRATCH/torn")" '' 'a reader sees a whole sync or none of it'
is "$(grep -v -e 'deadlock' -e '^DETAIL' -e '^HINT' -e '^CONTEXT' -e '^Process' "$SCRATCH/importer")" '' 'the importer is not disturbed, but for a deadlock that PostgreSQL may break on either side'
synced full
synced full environment PROD
synced full environment TEST
is "$(unfolded)$(unfolded PROD)$(unfolded TEST)" '' 'all logs fold'
is "$(sql "SELECT count(*) FROM symbols s JOIN ohlcv_daily o USING (symbol) WHERE s.market_cap <> round(o.close * 1000)")" 0 'caps are those of the closes'
is "$(sql "SELECT count(DISTINCT value->'symbols') FROM cache_entries WHERE key = 'all_stocks'")" 1 'and all environments agree'
is "$(sql "SELECT count(*) FROM (SELECT committed_at, lag(committed_at) OVER (PARTITION BY environment ORDER BY committed_at) AS before FROM cache_sync_runs) r WHERE committed_at = before")" 0 'no two syncs of an environment have one instant'
finish
