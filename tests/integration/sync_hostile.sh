#!/usr/bin/env bash
# Bad input in every column: nothing lost, nothing half written, no aborted run.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=../support/market.sh
. "$(dirname "$0")/../support/market.sh"
start_postgres
start_redis
migrate
start_daemon

# ---- an empty table of symbols
refused stale_market_data full
is "$(sql "SELECT (SELECT count(*) FROM cache_entries), (SELECT count(*) FROM cache_sync_runs)")" '0|0' 'an empty market: nothing is written'
synced full force 1
is "$(sql "SELECT string_agg(key || (value->'overview'->>'total_stocks'), ' ') FROM cache_entries")" summary0 'an empty market with force: only the statistics, of nothing'

# ---- 290 rows of others, and the same keys elsewhere
sql "INSERT INTO cache_entries (type, name, key, value, environment)
     SELECT (ARRAY['app_settings', 'cache_config', 'priority_stocks', 'stock_universe', 'themes', 'etf_universe'])[1 + n % 6], 'own ' || n, 'key_' || n,
            (ARRAY['[\"A\"]', '7', '{\"stocks\":[{\"ticker\":\"A\"}]}', 'null', '\"text\"', '{\"symbols\":[1,[\"x\"],{\"y\":\"z\"}]}'])[1 + n % 6]::jsonb, 'DEFAULT'
       FROM generate_series(1, 280) n;
     INSERT INTO cache_entries (type, name, key, value, environment)
     SELECT 'stock_universe', 'sector_leaders', 'top_10_mine_' || n, '{\"symbols\":[\"A\"]}', 'DEFAULT' FROM generate_series(1, 10) n;
     INSERT INTO cache_entries (type, name, key, value, environment) SELECT type, name, key, value, 'OTHER' FROM cache_entries WHERE environment = 'DEFAULT';
     INSERT INTO cache_entries (type, name, key, value, environment) VALUES
        ('stock_universe', 'market_leaders', 'top_10_stocks', '[\"A\"]', 'OTHER'), ('stock_universe', 'market_cap', 'mega_cap', '{}', 'OTHER'),
        ('themes', 'AI', 'list', '[\"A\"]', 'OTHER'), ('stock_stats', 'universe', 'summary2', '{}', 'DEFAULT')"
# Rows with names of ours and values of nobody's.
sql "INSERT INTO cache_entries (type, name, key, value, environment) VALUES
        ('stock_universe', 'market_leaders', 'top_50', '{\"symbols\":[\"ODD\\u0001\\\"q\\\\\",7,null,{\"a\":\"b\"},[\"c\"],\"é\",\"\",1e400]}', 'DEFAULT'),
        ('stock_universe', 'market_leaders', 'top_100', 'null', 'DEFAULT'), ('stock_universe', 'market_leaders', 'top_250', '\"text\"', 'DEFAULT'),
        ('stock_universe', 'complete', 'all_stocks', '{\"stocks\":[{\"ticker\":\"OLD\"},{\"ticker\":5},7]}', 'DEFAULT')"
foreign="environment = 'OTHER' OR name LIKE 'own %' OR key LIKE 'top_10_mine_%' OR key = 'summary2'"
foreign_before=$(rows "$foreign")
is "$(sql "SELECT count(*) >= 290 FROM cache_entries WHERE environment = 'DEFAULT' AND ($foreign)")" t '290 foreign rows are there'

# ---- symbols of every kind, ranked from 100e9 downwards
sql "CREATE TABLE odd (n serial, symbol text, name text);
     INSERT INTO odd (symbol, name) VALUES ('BRK/B', 'Berkshire'), ('ABC^D', NULL), ('O''BRIEN', 'It''s'), ('BACK\\SLASH', 'C:\\new\\table\\N'), ('QUO\"TE', '\"quoted\"'),
        (E'\\\\N', E'\\\\.'), (E'\\\\.', '{key} {name} %s %n'), ('ÜMLÄUT', 'Größe AG'), ('日本', '日本電気'), (E'TAB\\tNL\\n', E'a\\tb\\nc\\rd'), (E'\\x01\\x02\\x1f\\x7f', E'\\x1b[31mred'),
        (' LEAD', ' x '), ('TWENTYCHARACTERSLONG', repeat('n', 100)), ('', ''), ('NULL', 'NULL'), ('null', 'Unknown'), ('\$1', '''); DROP TABLE symbols; --'),
        ('<B>', '</script><script>alert(1)</script>'), ('a', 'lower'), ('A', repeat('ü', 100)), ('🚀', '🚀🚀'), ('[\"X\"]', '{\"symbols\":[]}');
     INSERT INTO symbols (symbol, name, type, active, weighted_shares_outstanding, exchange, primary_exchange, market)
     SELECT symbol, name, 'CS', true, 1000000, nullif((ARRAY['XNAS', '', NULL])[1 + n % 3], ''), (ARRAY['XNYS', NULL])[1 + n % 2], NULL FROM odd;
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, '$TODAY', 100000 - n FROM odd"
synced full force 1
is "$(sql "SELECT jsonb_agg(symbol ORDER BY n) = (SELECT value->'symbols' FROM cache_entries WHERE environment = 'DEFAULT' AND key = 'all_stocks') FROM odd")" t 'every odd symbol is a member, in its place, as it is'
is "$(sql "SELECT count(*) FROM odd o, cache_entries c, jsonb_array_elements(c.value->'stocks') s WHERE c.key = 'all_stocks' AND c.environment = 'DEFAULT' AND s->>'ticker' = o.symbol
           AND s->>'name' = coalesce(nullif(o.name, ''), 'Unknown') AND s->>'exchange' = CASE o.n % 3 WHEN 0 THEN 'XNAS' ELSE CASE o.n % 2 WHEN 0 THEN 'XNYS' ELSE 'Unknown' END END
           AND s->>'sector' = 'Unknown' AND s->>'market' = 'Unknown'")" 22 'and so are its name and its exchange'
is "$(unfolded)" '' 'the log folds to them'
is "$(sql "SELECT string_agg(symbol, ',' ORDER BY symbol COLLATE \"C\") FROM sync_changes_log WHERE universe = 'top_50' AND reason = 'baseline'")" ",ODD"$'\x01'"\"q\\,é" 'odd members that stood there are logged, other values are not members'
is "$(sql "SELECT string_agg(symbol || ' ' || reason, ', ' ORDER BY id) FROM sync_changes_log WHERE universe = 'all_stocks' AND symbol = 'OLD'")" 'OLD baseline, OLD unknown_symbol' 'members of an old value shape too'
before=$(written)
synced full
is "$(job_field "$id" total_changes):$(sql "SELECT count(*) FROM sync_changes_log WHERE job_id = '$id'")" 0:0 'again: no change of odd names'
is "$(written | cut -d'|' -f 1-3)" "$(echo "$before" | cut -d'|' -f 1-3)" 'again: nothing rewritten'
like "$("$BUILD/cachesync" --json members all_stocks | jq -c '.symbols | length')" '^22$' 'the command line prints them'

# ---- closes, shares and caps that are none, or too much
sql "DELETE FROM ohlcv_daily; DELETE FROM symbols;
     INSERT INTO symbols (symbol, name, type, active, market_cap, weighted_shares_outstanding, sector)
     SELECT s, s, 'CS', true, 7000000000, 1000, 'Tech' FROM unnest(ARRAY['NULLCLOSE', 'NANCLOSE', 'ZEROCLOSE', 'NEGCLOSE', 'INFCLOSE', 'HUGECLOSE', 'HALFUP', 'HALFBIG', 'NOCLOSE', 'FARCLOSE', 'MAXCAP']) s;
     INSERT INTO symbols (symbol, type, active, market_cap, weighted_shares_outstanding) VALUES ('NULLSHARES', 'CS', true, 6e9, NULL), ('ZEROSHARES', 'CS', true, 6e9, 0), ('NEGSHARES', 'CS', true, 6e9, -5),
        ('ZEROCAP', 'CS', true, 0, NULL), ('NEGCAP', 'CS', true, -5e9, NULL), ('NULLCAP', 'CS', true, NULL, NULL), ('ABSURD', 'CS', true, 1000000000000000000, NULL), ('INACTIVE', 'CS', false, 9e9, 1000),
        ('NULLACTIVE', 'CS', NULL, 9e9, 1000), ('NULLTYPE', NULL, true, 9e9, 1000), ('LOWER', 'cs', true, 9e9, 1000), ('PFD', 'PFD', true, 9e9, 1000);
     INSERT INTO symbols (symbol, name, type, active, market_cap, aum_millions) VALUES ('E1', 'Bond A', 'ETF', true, NULL, 'NaN'), ('E2', 'Bond B', 'ETF', true, NULL, 1e30), ('E3', 'Bond C', 'ETF', true, NULL, -1),
        ('E4', 'Bond D', 'ETF', true, NULL, NULL), ('E5', 'Bond E', 'ETF', true, 5, 100), ('E6', 'Bond F', 'ETF', true, NULL, 'Infinity'), ('E7', 'Bond G', 'ETF', true, NULL, 1.5), ('E8', 'Bond H', 'ETF', true, NULL, '-Infinity');
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, '$TODAY', 8000000 FROM symbols WHERE symbol IN ('NULLSHARES', 'ZEROSHARES', 'NEGSHARES', 'INACTIVE', 'NULLACTIVE', 'PFD', 'NULLTYPE');
     INSERT INTO ohlcv_daily (symbol, date, close) VALUES ('NULLCLOSE', '$TODAY', NULL), ('NANCLOSE', '$TODAY', 'NaN'), ('ZEROCLOSE', '$TODAY', 0), ('NEGCLOSE', '$TODAY', -3),
        ('INFCLOSE', '$TODAY', 'Infinity'), ('HUGECLOSE', '$TODAY', 1e500), ('HALFUP', '$TODAY', 0.0005), ('HALFBIG', '$TODAY', 9007199254740.9935), ('FARCLOSE', 'infinity', 5), ('FARCLOSE', '$TODAY', 8000000),
        ('MAXCAP', '$TODAY', 9223372036854775.807), ('NULLCLOSE', '$(day -1)', 4)"
# The exact product, halves away from zero: 0.0005 x 1000 = 0.5 -> 1; 9007199254740.9935 x 1000 = ...993.5 -> ...994, which no double holds.
synced full force 1
cap() { sql "SELECT coalesce(market_cap::text, 'NULL') FROM symbols WHERE symbol = '$1'"; }
for s in NULLCLOSE NANCLOSE ZEROCLOSE NEGCLOSE INFCLOSE HUGECLOSE NOCLOSE; do is "$(cap $s)" 7000000000 "$s keeps its stored cap"; done
for s in NULLSHARES ZEROSHARES NEGSHARES; do is "$(cap $s)" 6000000000 "$s keeps its stored cap"; done
is "$(cap HALFUP) $(cap HALFBIG) $(cap MAXCAP) $(cap FARCLOSE)" '1 9007199254740994 9223372036854775807 8000000000' 'caps are the exact product, halves away from zero, up to the end of bigint'
is "$(cap INACTIVE) $(cap NULLACTIVE) $(cap PFD) $(cap NULLTYPE)" '9000000000 9000000000 8000000000 8000000000' 'every active symbol gets its cap, whatever its type; nobody else does'
is "$(job_field "$id" summary | jq -c '.warnings[] | select(.error_code == "market_cap_overflow") | .context')" '{"count":2,"symbol":"HUGECLOSE"}' 'what is beyond bigint is warned of'
is "$(members all_stocks)" 'MAXCAP ABSURD HALFBIG FARCLOSE HUGECLOSE INFCLOSE NANCLOSE NEGCLOSE NOCLOSE NULLCLOSE ZEROCLOSE NEGSHARES NULLSHARES ZEROSHARES HALFUP' \
    'stocks are active, of type CS, with a cap above 0; ties by symbol'
is "$(members all_etfs)" 'E2 E6 E7 E5 E1 E4 E3 E8' 'ETFs are ordered by cap, else AUM, else 0'
is "$(members etf_all)" 'E1 E2 E3 E4 E5 E6 E7 E8' 'and by symbol in their families'
is "$(sql "SELECT value->'overview'->>'total_market_cap' = sum(market_cap)::text AND value->'overview'->>'average_market_cap' = round(avg(market_cap))::text FROM cache_entries, symbols
           WHERE key = 'summary' AND environment = 'DEFAULT' AND active AND symbols.type = 'CS' AND market_cap > 0 GROUP BY value")" t 'a sum beyond bigint is exact'
is "$(unfolded)" '' 'the log folds'
close_of HALFUP 999e9 2999-01-01
refused incomplete_market_data full
sql "DELETE FROM ohlcv_daily WHERE date = '2999-01-01'"

# ---- sectors and industries: none, odd, and with the same key
sql "DELETE FROM ohlcv_daily; DELETE FROM symbols; CREATE TABLE part (symbol text, sector text, industry text);
     INSERT INTO part SELECT 'P' || to_char(row_number() OVER (), 'FM00'), s, i FROM (VALUES (NULL, NULL), ('', ''), ('Unknown', 'Unknown'), ('Oil & Gas', 'Twin'), ('Oil and Gas', 'Twin'), ('OIL, AND GAS!', 'Twin'),
        ('Stocks', 'Space'), ('Stocks', 'Space'), ('Stocks', 'Space'), ('!!!', 'Top 50'), ('???', 'Top 50'), ('Other', 'Top 50'), ('Energy', 'Recent IPOs'), ('Energy', 'Recent IPOs'), ('Energy', 'recent ipos'),
        (repeat('long ', 18) || 'one and then one', 'All ETFs'), (repeat('long ', 18) || 'one and then two', 'All ETFs'), (repeat('long ', 30) || 'three', 'All ETFs'),
        ('Énergie', 'Top 10 Energy'), ('énergie', 'Top 10 Energy'), ('  ', 'Top 10 Energy'), ('unknown', 'Space Industry')) v(s, i);
     INSERT INTO symbols (symbol, type, active, weighted_shares_outstanding, sector, industry) SELECT symbol, 'CS', true, 1000, sector, industry FROM part;
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, '$TODAY', 5000000 FROM part"
synced full force 1
is "$(members top_10_oil_and_gas)" 'P04 P05 P06' 'sectors whose keys are the same are one universe with the members of all'
is "$(members top_10_stocks_sector)" 'P07 P08 P09' 'the sector Stocks is kept apart from the market leaders'
is "$(members top_10_stocks | wc -w)" 10 'which have their own row'
is "$(members top_10_other)" 'P10 P11 P12 P21' 'an empty key is other, and is merged with the sector of that name'
is "$(members top_10_nergie)" 'P19 P20' 'letters outside ASCII are separators'
is "$(members top_10_unknown)" P22 'only the literal Unknown is unknown'
is "$(sql "SELECT count(*), max(length(key)) FROM cache_entries WHERE environment = 'DEFAULT' AND name = 'sector_leaders' AND key LIKE 'top_10_long%'")" '2|100' 'keys are cut, and those that are then the same are merged'
is "$(sql "SELECT string_agg(s, ' ' ORDER BY s) FROM cache_entries, jsonb_array_elements_text(value->'symbols') s WHERE environment = 'DEFAULT' AND name = 'sector_leaders' AND key LIKE 'top_10_long%'")" 'P16 P17 P18' 'with every member'
is "$(members space_industry)" 'P07 P08 P09 P22' 'the industry Space is kept apart from the theme, and merged with the one that has that name'
for i in top_50 all_etfs recent_ipos top_10_energy; do
    is "$(sql "SELECT count(*) FROM cache_entries WHERE environment = 'DEFAULT' AND name = 'industry' AND key = '${i}_industry' AND jsonb_array_length(value->'symbols') = 3")" 1 "the industry $i is kept apart"
done
is "$(members top_10_energy)" 'P13 P14 P15' 'and the sector keeps the name'
is "$(sql "SELECT value->>'sector' FROM cache_entries WHERE name = 'industry' AND key = 'top_50_industry'")" '!!!' "an industry's sector is the most frequent, ties by name"
is "$(members twin)" 'P04 P05 P06' 'one industry in several sectors is one industry'
is "$(sql "SELECT count(*) - count(DISTINCT universe) FROM cache_sync_rows WHERE environment = 'DEFAULT' AND type = 'stock_universe'")" 0 'no two universes have one name'
is "$(unfolded)" '' 'the log folds'
before=$(rows)
synced full
is "$(job_field "$id" total_changes):$(rows)" "0:$before" 'again: nothing'

# ---- a sector and an industry for every stock
sql "DELETE FROM ohlcv_daily; DELETE FROM symbols;
     INSERT INTO symbols (symbol, type, active, weighted_shares_outstanding, sector, industry) SELECT 'M' || n, 'CS', true, 1000, 'Sector ' || n, 'Industry ' || n / 3 FROM generate_series(1, 3000) n;
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, '$TODAY', 1e6 FROM symbols"
synced full force 1
is "$(sql "SELECT count(*), count(DISTINCT value->'symbols'->>0) FROM cache_entries WHERE environment = 'DEFAULT' AND name = 'sector_leaders' AND key NOT LIKE 'top_10_mine_%'")" '3000|3000' 'three thousand sectors of one stock each'
is "$(sql "SELECT count(*) FROM cache_entries WHERE environment = 'DEFAULT' AND name = 'industry'")" 20 'and of a thousand industries the twenty that come first'
is "$(unfolded)" '' 'the log folds'

# ---- what is not ours
is "$(rows "$foreign")" "$foreign_before" 'the rows of others were never touched'
sql "UPDATE symbols SET sector = 'Mine 1'"
synced full force 1
is "$(members top_10_mine_1 | wc -w)" 10 'a row that a value names becomes ours'
is "$(sql "SELECT string_agg(symbol || reason, ' ' ORDER BY id) FROM sync_changes_log WHERE universe = 'top_10_mine_1' AND symbol = 'A'")" 'Abaseline Aunknown_symbol' 'with its members logged'
finish
