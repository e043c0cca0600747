#!/usr/bin/env bash
# The engine through the whole line on a small market: universes equal SQL, nothing rewritten the second time.
. "$(dirname "$0")/../support/lib.sh"
start_postgres
start_redis
migrate
sql "INSERT INTO symbols (symbol, name, exchange, market, type, active, weighted_shares_outstanding, sector, industry)
     SELECT 'S' || to_char(i, 'FM0000'), 'Stock \"' || i || '\\', 'XNAS', 'stocks', 'CS', true, 1000000,
            CASE WHEN i % 7 = 0 THEN NULL WHEN i % 11 = 0 THEN 'Unknown' ELSE 'Sector & ' || i % 5 END, 'Industry ' || i % 30
       FROM generate_series(1, 1500) i;
     INSERT INTO symbols (symbol, name, type, active, aum_millions) VALUES ('SPY', 'SPDR S&P 500 Total Market', 'ETF', true, 1000);
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, (now() AT TIME ZONE 'America/New_York')::date,
            substr(symbol, 2)::int * 10.125 FROM symbols WHERE type = 'CS';
     INSERT INTO cache_entries (type, name, key, value, environment) VALUES
            ('app_settings', 'a', 'b', '{\"x\": 1}', 'DEFAULT'), ('stock_universe', 'market_cap', 'my_own', '[\"S0001\"]', 'DEFAULT')" >/dev/null
foreign() { sql "SELECT string_agg(xmin || value::text, ',' ORDER BY id) FROM cache_entries WHERE key IN ('b', 'my_own')"; }
before=$(foreign)
start_daemon
id=$(run_job mode full force 0)
is "$(job_field "$id" status)" completed 'a full sync completes'
is "$(sql "SELECT count(*) FROM sync_changes_log WHERE job_id = '$id' AND change_type <> 'baseline'")" "$(job_field "$id" total_changes)" \
    'one log row a membership change'
is "$(sql "SELECT string_agg(s, ',' ORDER BY n) FROM cache_entries, jsonb_array_elements_text(content->'symbols') WITH ORDINALITY e(s, n) WHERE universe = 'top_50'")" \
    "$(sql "SELECT string_agg(symbol, ',' ORDER BY market_cap DESC, symbol) FROM (SELECT * FROM symbols WHERE type = 'CS' ORDER BY market_cap DESC, symbol LIMIT 50) x")" \
    'top_50 is the 50 largest in order'
is "$(sql "SELECT count(*) FROM symbols WHERE type = 'CS' AND market_cap <> round(substr(symbol, 2)::int * 10.125 * 1000000)")" 0 \
    'market caps are close times shares'
is "$(sql "SELECT (value->>'count')::int = jsonb_array_length(value->'stocks') AND value->'stocks'->0->>'name' = 'Stock \"1500\\' FROM cache_entries WHERE key = 'all_stocks'")" t \
    'names with quotes and backslashes come through'
is "$(sql "SELECT count(*) FROM cache_entries WHERE key LIKE 'top_10_sector_and_%'")" 5 'a row for each known sector'
is "$(foreign)" "$before" 'foreign rows keep their xmin'
rows() { sql "SELECT md5(string_agg(type || name || key || xmin, ',' ORDER BY id)) FROM cache_entries"; }
before=$(rows)
id=$(run_job mode full)
is "$(job_field "$id" total_changes)" 0 'a second sync changes nothing'
is "$(rows)" "$before" 'and rewrites no row'
sql "UPDATE symbols SET active = false WHERE symbol = 'S1500'; DELETE FROM ohlcv_daily WHERE symbol = 'S1499'; DELETE FROM symbols WHERE symbol = 'S1499'"
id=$(run_job mode full)
is "$(sql "SELECT string_agg(DISTINCT symbol || ' ' || reason, ',' ORDER BY symbol || ' ' || reason) FROM sync_changes_log WHERE job_id = '$id' AND symbol IN ('S1499', 'S1500')")" \
    'S1499 unknown_symbol,S1500 delisted' 'delisted and unknown members leave with their reasons'
sql "UPDATE symbols SET active = false WHERE substr(symbol, 2) ~ '^0[0-6]'"
id=$(run_job mode full)
is "$(job_field "$id" error_details | jq -r .code)" universe_shrink 'a shrunken market is refused'
is "$(sql "SELECT count(*) FROM cache_sync_runs WHERE job_id = '$id'")" 0 'and nothing is written'
id=$(run_job mode full force 1)
is "$(job_field "$id" status)" completed 'force accepts it'
is "$(sql "SELECT count(*) FROM cache_entries c JOIN cache_sync_rows r USING (environment, type, name, key)
      WHERE r.cache_type NOT IN ('stats', 'theme') AND ARRAY(SELECT jsonb_array_elements_text(c.content->'symbols') ORDER BY 1)
      IS DISTINCT FROM ARRAY(SELECT universe_as_of(r.universe, 'DEFAULT', now()) ORDER BY 1)")" 0 \
    'the log folds to the memberships'
finish
