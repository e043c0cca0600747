#!/usr/bin/env bash
# Every family's rows and the exact shapes of their values, as the readers of cache_entries know them.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=../support/market.sh
. "$(dirname "$0")/../support/market.sh"
start_postgres
start_redis
migrate
stock NVDA 3000e9 Technology Semiconductors
stock MSFT 3000e9 Technology Software
stock AMD 200e9 Technology Semiconductors
stock XOM 199.999e9 Energy 'Oil & Gas'
stock INTC 10e9 Technology Semiconductors
stock RUN 2e9 Energy Solar
stock HUT 300e6 Finance 'Oil & Gas' "$(day -30)"
stock TLRY 50e6 'Health Care' 'Oil & Gas' "$TODAY"
stock NANO 49e6 '' '' "$(day -1)"
stock OLDER 48e6 Unknown Unknown "$(day -31)"
stock COMING 47e6 '' '' "$(day 1)"
sql "UPDATE symbols SET primary_exchange = 'XNYS', exchange = '' WHERE symbol = 'AMD'"
etf() { sql "INSERT INTO symbols (symbol, name, type, active, aum_millions, market_cap, etf_type, issuer, exchange) VALUES ('$1', '$2', 'ETF', true, $3, $4, nullif('${5:-}', ''), nullif('${6:-}', ''), 'ARCX')"; }
etf SPY 'SPDR S&P 500 ETF Trust' 500000 NULL equity 'State Street'
etf VTI 'Vanguard Total Stock Market ETF' 400000 NULL
etf VUG 'Vanguard Growth ETF' 100 NULL
etf VTV 'Vanguard VALUE ETF' 100 NULL
etf IBGR 'International Growth ETF' 10 NULL
etf BNDX 'Total International Bond ETF' 20 30000000
etf AGG 'iShares Core U.S. Aggregate Bond' 30 NULL
etf XLK 'Technology Select Sector SPDR' NULL NULL
etf TECC 'Fintechnology Leaders' 5 NULL
etf BTEC 'Biotech and Tech Bond Fund' 6 NULL
etf GLD 'SPDR Gold Shares' 7 NULL
etf GDX 'Gold Miners ETF' 8 NULL
etf GOLDN 'Golden Dragon' 9 NULL
etf IEMG 'Core Emerging Markets' 11 NULL
etf EFA 'MSCI EAFE' 12 NULL
etf MTUM 'US Momentum Factor' 13 NULL
etf USMV 'S&P Min Vol' 14 NULL
etf RSP 'Equal Weight S&P 500' 15 NULL
start_daemon
synced full

# ---- which rows there are
is "$(sql "SELECT type || '/' || name || '/' || key FROM cache_entries" | LC_ALL=C sort)" \
    "$({ for k in mega large mid small micro; do echo "stock_universe/market_cap/${k}_cap"; done
        for k in 10_stocks 50 100 250 500 1000 2000; do echo "stock_universe/market_leaders/top_$k"; done
        for k in technology energy finance health_care; do echo "stock_universe/sector_leaders/top_10_$k"; done
        printf '%s\n' stock_universe/industry/semiconductors stock_universe/industry/oil_and_gas stock_universe/complete/all_stocks stock_universe/ipo/recent_ipos etf_universe/complete/all_etfs \
            stock_etf_combo/stock_etf_test/combo_test stock_etf_combo/stock_etf_test/combo_test_detailed stock_stats/universe/summary
        for t in 'AI ai' 'Cloud cloud' 'Crypto crypto' 'Marijuana marijuana' 'Quantum quantum' 'Robotics robotics' 'Semi semi' 'AI ML Leaders ai_ml_leaders' 'Cloud Computing cloud_computing' \
            'Crypto Blockchain crypto_blockchain' 'Dividend Aristocrats dividend_aristocrats' 'ESG Leaders esg_leaders' 'Green Energy green_energy' 'Technology Leaders technology_leaders'; do
            printf '%s\n' "themes/${t% *}/list" "stock_universe/themes/${t##* }"
        done
        for e in 'Broad Market ETFs/etf_broad_market' 'Growth ETFs/etf_growth' 'Value ETFs/etf_value' 'Technology ETFs/etf_technology' 'Bond ETFs/etf_bonds' 'International ETFs/etf_international' \
            'Factor ETFs/etf_factor' 'Sector ETFs/etf_sectors' 'Commodity ETFs/etf_commodities' 'All ETFs/etf_all'; do printf '%s\n' "etf_universe/$e" "etf_universe/${e}_detailed"; done; } | LC_ALL=C sort)" \
    'every family has its rows, and groups without a member have none'

# ---- who is in them
is "$(members mega_cap)|$(members large_cap)|$(members mid_cap)|$(members small_cap)|$(members micro_cap)" 'MSFT NVDA AMD|XOM INTC|RUN|HUT|TLRY' 'a lower bound is within its band; ties by symbol'
is "$(members top_10_technology)|$(members top_10_energy)" 'MSFT NVDA AMD INTC|XOM RUN' 'sector leaders'
is "$(members semiconductors)|$(members oil_and_gas)" 'NVDA AMD INTC|XOM HUT TLRY' 'industries of three and more'
is "$(members recent_ipos)" 'TLRY NANO HUT' 'listings of today to 30 days ago, newest first'
is "$(members all_stocks)" 'MSFT NVDA AMD XOM INTC RUN HUT TLRY NANO OLDER COMING' 'all stocks by cap'
is "$(members all_etfs)" 'SPY VTI VTV VUG AGG BNDX RSP USMV MTUM EFA IEMG IBGR GOLDN GDX GLD BTEC TECC XLK' 'all ETFs by cap, else AUM'
is "$(members etf_broad_market)" 'RSP SPY VTI' 'ETF families: broad market'
is "$(members etf_growth)|$(members etf_value)" 'VUG|VTV' 'ETF families: growth (not international), value (in any case)'
is "$(members etf_technology)" XLK 'ETF families: technology, whole words, no bonds'
is "$(members etf_bonds)|$(members etf_international)" 'AGG BNDX BTEC|EFA IBGR IEMG' 'ETF families: bonds, international'
is "$(members etf_factor)|$(members etf_sectors)|$(members etf_commodities)" 'MTUM USMV|XLK|GLD' 'ETF families: factors, sectors, commodities without miners'
is "$(members etf_all)" 'AGG BNDX BTEC EFA GDX GLD GOLDN IBGR IEMG MTUM RSP SPY TECC USMV VTI VTV VUG XLK' 'every ETF by symbol'
is "$(members combo_test)" "$(members all_stocks) AGG MTUM SPY VTI VTV VUG XLK" 'the combination: stocks by rank, then its ETFs by symbol'
is "$(members semi)|$(members technology_leaders)" 'NVDA AMD INTC|MSFT NVDA AMD INTC' 'themes by market cap'

# ---- shapes
value() { sql "SELECT value FROM cache_entries WHERE type = '$1' AND name = '$2' AND key = '$3'"; }
is "$(sql "SELECT string_agg(DISTINCT (SELECT string_agg(k, ',' ORDER BY k COLLATE \"C\") FROM jsonb_object_keys(value) k), '|') FROM cache_entries WHERE type = 'stock_universe' AND name <> 'industry'")" \
    'count,last_updated,metadata,stocks,symbols' 'stock_universe: always an object of these keys'
is "$(value stock_universe industry oil_and_gas | jq -c '[(keys_unsorted | sort), .sector, .metadata, .count]')" '[["count","last_updated","metadata","sector","stocks","symbols"],"Energy",{},3]' 'an industry has its most frequent sector, ties by name'
is "$(sql "SELECT string_agg(DISTINCT (SELECT string_agg(k, ',' ORDER BY k COLLATE \"C\") FROM jsonb_object_keys(s) k), '|') FROM cache_entries, jsonb_array_elements(value->'stocks') s WHERE type = 'stock_universe'")" \
    'exchange,industry,market,market_cap,name,rank,sector,ticker' 'stock_universe: its stocks too'
is "$(value stock_universe market_cap mega_cap | jq -cS '.stocks[2]')" '{"exchange":"XNYS","industry":"Semiconductors","market":"stocks","market_cap":200000000000,"name":"AMD Inc","rank":3,"sector":"Technology","ticker":"AMD"}' 'a stock'
is "$(value stock_universe complete all_stocks | jq -cS '.stocks[8] | [.sector, .industry]')" '["Unknown","Unknown"]' 'missing text is Unknown'
is "$(sql "SELECT count(*) FROM cache_entries WHERE type = 'stock_universe' AND ((value->>'count')::int <> jsonb_array_length(value->'symbols') OR
    value->'symbols' <> (SELECT jsonb_agg(s->'ticker' ORDER BY (s->>'rank')::int) FROM jsonb_array_elements(value->'stocks') s))")" 0 'count, symbols and stocks say the same'
like "$(value stock_universe ipo recent_ipos | jq -r .last_updated)" '^20[0-9-]{8}T[0-9:.]{12}Z$' 'last_updated is UTC'
is "$(value themes Semi list)" '["NVDA", "AMD", "INTC"]' 'a theme list is an array'
is "$(value etf_universe 'Broad Market ETFs' etf_broad_market)" '["RSP", "SPY", "VTI"]' 'an ETF family is an array'
is "$(value etf_universe complete all_etfs | jq -c 'type, length')" $'"array"\n18' 'all_etfs too'
is "$(value etf_universe 'Broad Market ETFs' etf_broad_market_detailed | jq -cS 'del(.last_updated) | .etfs |= .[1:2]')" \
    '{"count":3,"etfs":[{"etf_type":"equity","exchange":"ARCX","issuer":"State Street","name":"SPDR S&P 500 ETF Trust","symbol":"SPY","ticker":"SPY"}],"symbols":["RSP","SPY","VTI"]}' 'a detailed ETF family'
is "$(value stock_etf_combo stock_etf_test combo_test | jq -c 'type, length')" $'"array"\n18' 'the combination is an array'
is "$(value stock_etf_combo stock_etf_test combo_test_detailed | jq -c '[.count, (.symbols | length), (.stocks | length), (.etfs | map(.ticker) | join(" ")), .stocks[0].rank]')" '[18,18,11,"AGG MTUM SPY VTI VTV VUG XLK",1]' 'its detail has stocks and ETFs'
is "$(value stock_stats universe summary | jq -cS 'del(.overview.last_updated)')" '{"overview":{"average_market_cap":582953909091,"total_market_cap":6412493000000,"total_stocks":11,"unique_exchanges":2,"unique_sectors":4}}' 'the statistics'

# ---- names: the log, the column and the past agree
is "$(sql "SELECT string_agg(universe, ' ') FROM cache_entries WHERE type = 'themes' AND name = 'AI ML Leaders'")" theme_ai_ml_leaders "a theme's list is theme_..., "
is "$(sql "SELECT string_agg(DISTINCT universe, ' ') FROM sync_changes_log WHERE universe LIKE '%theme%' OR universe LIKE '%detailed%' OR universe = 'list'")" '' 'which counts once, under the key of its stock_universe row'
is "$(sql "SELECT count(DISTINCT l.universe) FROM sync_changes_log l JOIN cache_entries c USING (universe, environment) WHERE c.type IN ('stock_universe', 'etf_universe', 'stock_etf_combo')")" \
    "$(sql 'SELECT count(DISTINCT universe) FROM sync_changes_log')" 'every universe of the log is a value of the column'
is "$(sql "SELECT string_agg(u, ' ') FROM universe_as_of('ai', 'DEFAULT', now()) u")" 'AMD INTC MSFT NVDA' 'universe_as_of knows a theme by its key'
is "$("$BUILD/cachesync" members ai --at "$(date -u +%FT%TZ -d '+1 minute')" | tr '\n' ' ')" 'AMD INTC MSFT NVDA ' 'and so does the command line'
is "$(sql "SELECT string_agg(DISTINCT c.universe, ' ') FROM cache_entries c WHERE cache_type <> 'stats' AND ARRAY(SELECT jsonb_array_elements_text(c.content->'symbols') ORDER BY 1)
    IS DISTINCT FROM ARRAY(SELECT universe_as_of(c.universe, 'DEFAULT', (SELECT committed_at FROM cache_sync_runs)) ORDER BY 1)")" '' 'every name in the column universe is understood, those of second rows too'
is "$("$BUILD/cachesync" --json history --universe theme_ai | jq -c '.changes | map(.symbol) | sort')" '["AMD","INTC","MSFT","NVDA"]' 'in the history too'
is "$(job_field "$id" total_changes)" "$(sql "SELECT count(*) FROM sync_changes_log WHERE job_id = '$id'")" 'total_changes is the rows of the log'
is "$(redis HLEN "$P:universes:DEFAULT")" "$(sql "SELECT count(DISTINCT universe) FROM cache_sync_rows WHERE cache_type <> 'stats'")" 'the hash of universes has each of them'
is "$(redis HGET "$P:universes:DEFAULT" semi | jq -c '[.universe, .type, .symbol_count]')" '["semi","theme",3]' 'with its type and count'
is "$(events tickstock:universe:updated "$id" | jq -r '.universe + " " + .action' | sort | uniq -d | wc -l)" 0 'each universe is announced once'
is "$(job_field "$id" summary | jq -c '.families | map_values(.universes) | del(.theme)')" '{"market_cap":5,"market_leader":7,"sector":4,"industry":2,"etf":10,"ipo":1,"complete":2,"combo":1,"stats":0}' 'the summary counts by family'

# ---- progress: percent only grows, and the phases have names
phases=$(events tickstock:monitoring "$id" 2>/dev/null)
phases=$(redis --json XRANGE "$P:events" - + | jq -c --arg job "$id" '.[][1] | [range(0; length; 2) as $i | {key: .[$i], value: .[$i + 1]}] | from_entries | select(.channel == "tickstock:monitoring") | .event | fromjson | .payload | select(.run_id == $job)')
is "$(echo "$phases" | jq -s '[.[].percentage] | . == sort and .[-1] == 100')" true 'progress only grows, up to 100'
is "$(echo "$phases" | jq -s '[.[].processed] | . == sort')" true 'symbols too'
is "$(echo "$phases" | jq -s '.[-1] | [.current_task, .total_symbols, .processed, .remaining, (.estimated_completion | type)] | join(" ")')" '"done 29 29 0 string"' 'the last word is that it is done'
finish
