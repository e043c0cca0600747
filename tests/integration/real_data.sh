#!/usr/bin/env bash
# Real trading days: every universe equals an independent SQL query, on the first day and on three that follow.
. "$(dirname "$0")/../support/lib.sh"
if ! have_market_data; then
    skip "real trading days: no market data in $MARKET_DATA (set MARKET_DATA)"
    finish
fi
start_postgres
start_redis
migrate
mapfile -t days < <("$MARKET_DATA/load.sh" -l | head -5)
# The Saturday is a re-fetch and no trading day.
days=("${days[0]}" "${days[1]}" "${days[3]}" "${days[4]}")
loaded=
for day in "${days[@]}"; do
    "$MARKET_DATA/load.sh" -d "$DATABASE_URI" -q "$day" >"$SCRATCH/load.log" 2>&1 || { cat "$SCRATCH/load.log"; die "loading $day failed"; }
    [ -n "$loaded" ] || { sql_file "$ROOT/tests/support/oracle.sql" >/dev/null; start_daemon; }
    loaded=1
    id=$(run_job mode full force 1)
    is "$(job_field "$id" status)" completed "$day: a full sync completes"
    is "$(sql "WITH got AS (SELECT universe, (SELECT string_agg(s, ' ' ORDER BY n) FROM jsonb_array_elements_text(content->'symbols') WITH ORDINALITY e(s, n)) AS members
                              FROM cache_entries WHERE cache_type IN ('market_cap', 'market_leader', 'sector', 'industry', 'complete', 'ipo') OR key = 'etf_all')
               SELECT string_agg(coalesce(o.universe, g.universe), ' ') FROM oracle o FULL JOIN got g USING (universe) WHERE o.members IS DISTINCT FROM g.members")" '' \
        "$day: every universe equals the oracle"
    is "$(sql "SELECT count(*) FROM symbols s JOIN ohlcv_daily o USING (symbol) WHERE s.active AND o.date = '$day' AND o.close > 0
               AND s.weighted_shares_outstanding > 0 AND s.market_cap <> round(o.close * s.weighted_shares_outstanding)")" 0 \
        "$day: caps are close times shares"
    is "$(sql "WITH stock AS (SELECT row_number() OVER (ORDER BY market_cap DESC, symbol COLLATE \"C\") AS rank, * FROM symbols WHERE active AND type = 'CS' AND market_cap > 0),
               want AS (SELECT rank, jsonb_build_object('ticker', symbol, 'name', coalesce(nullif(name, ''), 'Unknown'), 'rank', rank, 'sector', coalesce(nullif(sector, ''), 'Unknown'),
                   'industry', coalesce(nullif(industry, ''), 'Unknown'), 'exchange', coalesce(nullif(exchange, ''), nullif(primary_exchange, ''), 'Unknown'),
                   'market_cap', market_cap, 'market', coalesce(nullif(market, ''), 'Unknown')) AS o FROM stock)
               SELECT (SELECT jsonb_agg(o ORDER BY rank) FROM want) = value->'stocks' AND (value->>'count')::int = (SELECT count(*) FROM want) FROM cache_entries WHERE key = 'all_stocks'")" t \
        "$day: every stock object of all_stocks is as the contract writes it"
    is "$(sql "SELECT (o->>'total_stocks')::bigint = n AND (o->>'unique_exchanges')::bigint = x AND (o->>'unique_sectors')::bigint = s AND (o->>'total_market_cap')::numeric = t
               AND abs((o->>'average_market_cap')::numeric - t / n) <= 1
               FROM (SELECT value->'overview' AS o FROM cache_entries WHERE type = 'stock_stats' AND name = 'universe' AND key = 'summary') v,
               (SELECT count(*) n, count(DISTINCT exchange) x, count(DISTINCT nullif(nullif(sector, ''), 'Unknown')) s, sum(market_cap) t FROM symbols WHERE active AND type = 'CS' AND market_cap > 0) w")" t \
        "$day: the statistics equal SQL"
    is "$(sql "SELECT string_agg(symbol, ' ' ORDER BY market_cap DESC, symbol) FROM symbols WHERE active AND type = 'CS' AND market_cap > 0 AND symbol IN ('NVDA','AVGO','AMD','TXN','QCOM','AMAT','LRCX','INTC','MRVL','MCHP')")" \
        "$(sql "SELECT string_agg(x, ' ' ORDER BY n) FROM cache_entries, jsonb_array_elements_text(value) WITH ORDINALITY e(x, n) WHERE type = 'themes' AND name = 'Semi' AND key = 'list'")" \
        "$day: the theme Semi is its active stocks by cap"
    is "$(sql "SELECT string_agg(symbol, ' ' ORDER BY symbol COLLATE \"C\") FROM symbols WHERE active AND type = 'ETF' AND name ~* '\\m(Bond|Aggregate|Treasury)\\M'")" \
        "$(sql "SELECT string_agg(x, ' ' ORDER BY n) FROM cache_entries, jsonb_array_elements_text(value) WITH ORDINALITY e(x, n) WHERE key = 'etf_bonds'")" \
        "$day: etf_bonds is those whose names say so"
    is "$(sql "SELECT count(*) FROM sync_changes_log WHERE job_id = '$id'")" "$(job_field "$id" total_changes)" "$day: one log row a change"
    is "$(sql "SELECT count(*) FROM cache_entries c JOIN cache_sync_rows r USING (environment, type, name, key)
               WHERE r.cache_type NOT IN ('stats', 'theme') AND ARRAY(SELECT jsonb_array_elements_text(c.content->'symbols') ORDER BY 1)
               IS DISTINCT FROM ARRAY(SELECT universe_as_of(r.universe, 'DEFAULT', now()) ORDER BY 1)")" 0 "$day: the log folds to the memberships"
done
before=$(sql "SELECT md5(string_agg(id || ':' || xmin, ',' ORDER BY id)) FROM cache_entries")
id=$(run_job mode full force 1)
is "$(job_field "$id" total_changes)" 0 'again: no change'
is "$(sql "SELECT md5(string_agg(id || ':' || xmin, ',' ORDER BY id)) FROM cache_entries")" "$before" 'again: no row rewritten'
id=$(run_job mode full)
is "$(job_field "$id" error_details | jq -r .code)" stale_market_data 'old data without force is refused'
finish
