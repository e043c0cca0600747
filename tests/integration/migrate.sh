#!/usr/bin/env bash
# cachesync migrate: an empty database, AppV2's, again, down, too new; and no jsonb that the generated columns refuse.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck disable=SC2119
start_postgres
CS=$BUILD/cachesync

fresh() { psql -X -q -d "${DATABASE_URI/tickstock/postgres}" -c 'DROP DATABASE tickstock' -c 'CREATE DATABASE tickstock'; }
# Everything a migration could touch, as text.
shape() {
    sql "SELECT table_name, column_name, data_type, is_generated, generation_expression FROM information_schema.columns
          WHERE table_schema = 'public' ORDER BY 1, ordinal_position"
    sql "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    sql "SELECT oid::regprocedure, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
}

# ---- an empty database
is "$("$CS" --json migrate --status)" '{"version":0,"latest":1}' 'status of an empty database is 0'
is "$(sql "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")" 0 'status creates nothing'
is "$("$CS" --json migrate)" '{"from":0,"to":1,"applied":1}' 'migrate goes from 0 to 1'
is "$(sql "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'")" \
    'cache_entries cache_sync_rows cache_sync_runs cachesync_schema ohlcv_daily symbols sync_changes_log' 'the tables are there'
is "$(sql "SELECT string_agg(data_type, ' ' ORDER BY column_name) FROM information_schema.columns
            WHERE table_name = 'symbols' AND column_name IN ('market_cap', 'weighted_shares_outstanding')")" \
    'bigint bigint' 'market caps are bigint'
before=$(shape; sql 'TABLE cachesync_schema')
is "$("$CS" --json migrate)" '{"from":1,"to":1,"applied":0}' 'migrate again has nothing to do'
is "$(shape; sql 'TABLE cachesync_schema')" "$before" 'migrate again changes nothing'
sql 'ALTER TABLE sync_changes_log DROP COLUMN metadata'
sql 'ALTER TABLE cache_entries DROP COLUMN content'
ok 'migrate repairs what was lost' "$CS" migrate
is "$(sql "SELECT count(*) FROM information_schema.columns WHERE (table_name, column_name) IN
           (('sync_changes_log', 'metadata'), ('cache_entries', 'content'))")" 2 'lost columns are back'

# ---- who knows more, and bad arguments
sql "INSERT INTO cachesync_schema (version, name) VALUES (999, '0999_future')"
before=$(shape)
like "$("$CS" migrate 2>&1)" 'schema 999.*newer program' 'a newer schema is refused with the remedy'
"$CS" migrate >/dev/null 2>&1
is $? 1 'a newer schema exits 1'
is "$(shape)" "$before" 'a newer schema is left alone'
sql 'DELETE FROM cachesync_schema WHERE version = 999'
"$CS" migrate --to x >/dev/null 2>&1
is $? 2 'a bad --to is wrong usage'
ok 'a schema that is not there is refused' test "$("$CS" migrate --to 7 2>/dev/null; echo $?)" = 2
DATABASE_URI="postgresql://tick:geheim@/none?host=$SCRATCH/nowhere" "$CS" migrate >"$SCRATCH/out" 2>&1
is $? 3 'an unreachable server exits 3'
ok 'its message hides the password' test "$(grep -c geheim "$SCRATCH/out")" = 0

# ---- universe_as_of folds the log
sql "INSERT INTO sync_changes_log (universe, environment, symbol, action, created_at) VALUES
     ('top_50', 'DEFAULT', 'B', 'added', '2024-05-01Z'), ('top_50', 'DEFAULT', 'A', 'added', '2024-05-01Z'),
     ('top_50', 'DEFAULT', 'A', 'removed', '2024-05-03Z'), ('top_50', 'DEFAULT', 'A', 'added', '2024-05-03Z'),
     ('top_50', 'DEFAULT', 'B', 'removed', '2024-05-04Z'), ('top_50', 'OTHER', 'C', 'added', '2024-05-01Z'),
     ('top_100', 'DEFAULT', 'D', 'added', '2024-05-01Z')"
as_of() { sql "SELECT string_agg(m, ' ') FROM universe_as_of('top_50', 'DEFAULT', '$1') m"; }
is "$(as_of 2024-04-30Z)" '' 'nobody before the first change'
is "$(as_of 2024-05-01Z)" 'A B' 'an instant includes its own changes, by symbol'
is "$(as_of '2024-05-03 00:00:00Z')" 'A B' 'of changes at one instant the last id counts'
is "$(as_of 2024-05-05Z)" 'A' 'a removed symbol is gone'
is "$("$CS" members top_50 --at 2024-05-02T00:00:00Z | tr '\n' ' ')" 'A B ' 'members --at prints them'
"$CS" members no_such_universe >/dev/null 2>&1
is $? 1 'an unknown universe fails'
like "$("$CS" members top_50 --at yesterdayish 2>&1)" '--at is not a time' 'a bad time is named with the remedy'

# ---- down keeps what is not ours
sql "INSERT INTO symbols (symbol, type) VALUES ('A', 'CS')"
sql "INSERT INTO cache_entries (type, name, key, value) VALUES ('app_settings', 'a', 'b', '[1]')"
is "$("$CS" --json migrate --to 0)" '{"from":1,"to":0,"applied":1}' 'down to 0'
is "$(sql "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'")" \
    'cache_entries ohlcv_daily symbols' 'down removes our tables only'
is "$(sql "SELECT (SELECT count(*) FROM symbols), (SELECT count(*) FROM cache_entries)")" '1|1' 'down keeps the rows'
is "$(sql "SELECT count(*) FROM information_schema.columns WHERE is_generated = 'ALWAYS' AND table_schema = 'public'")" 0 \
    'down drops the generated columns'
ok 'and up again' "$CS" migrate

# ---- AppV2's database: its table, 290 rows of its own, every type it knows
fresh
sql "CREATE TABLE cache_entries (id serial PRIMARY KEY, type varchar(50) NOT NULL, name varchar(100) NOT NULL,
       key varchar(100) NOT NULL, value jsonb NOT NULL, environment varchar(10) NOT NULL, created_at timestamp DEFAULT now(),
       updated_at timestamp DEFAULT now(), CONSTRAINT unique_cache_entry UNIQUE (type, name, key, environment));
     CREATE TABLE symbols (symbol varchar(20) PRIMARY KEY, name varchar(100), market_cap bigint, cik text);
     INSERT INTO cache_entries (type, name, key, value, environment)
     SELECT (ARRAY['app_settings', 'cache_config', 'priority_stocks', 'stock_universe', 'themes', 'etf_universe'])[1 + n % 6],
            'name ' || n, 'key_' || n,
            (ARRAY['[\"AAPL\"]', '7', '{\"stocks\":[{\"ticker\":\"AAPL\"}]}', 'null', '\"text\"'])[1 + n % 5]::jsonb, 'DEFAULT'
       FROM generate_series(1, 290) n"
rows() { sql 'SELECT id, type, name, key, value, environment, created_at, updated_at FROM cache_entries ORDER BY id'; }
before=$(rows)
symbols_before=$(sql "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'symbols' ORDER BY 1")
is "$("$CS" --json migrate)" '{"from":0,"to":1,"applied":1}' "migrate takes AppV2's database"
is "$(rows)" "$before" "AppV2's rows are unchanged"
is "$(sql "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'symbols' ORDER BY 1")" \
    "$symbols_before" "AppV2's symbols table is unchanged"
file=$(sql "SELECT pg_relation_filenode('cache_entries')")
"$CS" migrate >/dev/null
is "$(sql "SELECT pg_relation_filenode('cache_entries')")" "$file" 'the second migrate does not rewrite the table'

# ---- the generated columns
sql 'TRUNCATE cache_entries'
entry() { # TYPE NAME KEY VALUE: universe|cache_type|content
    sql "INSERT INTO cache_entries (type, name, key, value, environment) VALUES ('$1', '$2', '$3', '$4', 'T')
         RETURNING universe, cache_type, content"
}
is "$(entry stock_universe market_cap mega_cap '{"count":1,"symbols":["A"],"stocks":[{"ticker":"Z"}]}')" \
    'mega_cap|market_cap|{"symbols": ["A"]}' 'symbols win over stocks'
is "$(entry stock_universe sector_leaders top_10_energy '{"stocks":[{"ticker":"A"},{"ticker":"B","rank":2},7]}')" \
    'top_10_energy|sector|{"symbols": ["A", "B"]}' 'stocks give tickers'
is "$(entry etf_universe 'Growth ETFs' etf_growth_detailed '{"etfs":[{"symbol":"X","ticker":"Q"}]}')" \
    'etf_growth_detailed|etf|{"symbols": ["Q"]}' 'etfs give tickers'
is "$(entry themes '  R&D -- Ätzend! ' list '["A","B"]')" 'theme_randd_tzend|theme|{"symbols": ["A", "B"]}' \
    'a theme is named by its normalised title'
is "$(entry themes '!!' list '[]')" 'theme_other|theme|{"symbols": []}' 'an empty title is other'
is "$(entry stock_universe market_leaders top_50 '{"symbols":"A"}')" 'top_50|market_leader|{"symbols": []}' 'symbols that are no array do not count'
is "$(entry stock_stats universe summary '{"overview":{}}')" 'summary|stats|{"symbols": []}' 'stats have no symbols'
is "$(entry stock_etf_combo stock_etf_test combo_test '["A"]')" 'combo_test|combo|{"symbols": ["A"]}' 'combo is a list'
is "$(entry etf_universe complete all_etfs '["A"]')" 'all_etfs|complete|{"symbols": ["A"]}' 'all_etfs is complete'
is "$(entry app_settings theme dark '["A"]')" 'dark||' "another program's row has neither"
is "$(entry stock_universe mine k '["A"]')" 'k||' 'an unknown name of our type has neither'

# ---- every ugly value under every type and name: none may fail, content is always an array or NULL
fuzz="WITH v(j) AS (SELECT j::jsonb FROM unnest(ARRAY['null', 'true', '0', '-1e300', '\"\"', '\"text\"', '[]', '{}', '[[]]',
  '[null]', '[1,2]', '[{\"ticker\":1}]', '{\"symbols\":null}', '{\"symbols\":{}}', '{\"symbols\":5}', '{\"symbols\":[null,{}]}',
  '{\"symbols\":\"A\",\"stocks\":[{\"ticker\":\"A\"}]}', '{\"stocks\":null}', '{\"stocks\":\"x\"}', '{\"stocks\":{\"ticker\":\"A\"}}',
  '{\"stocks\":[null,1,\"s\",[],{},{\"ticker\":null},{\"ticker\":[\"A\"]},{\"ticker\":{\"ticker\":\"A\"}}]}', '{\"etfs\":[[[]]]}',
  '{\"etfs\":7,\"stocks\":true}', '{\"\":{\"\":[]}}', '{\"symbols\":{\"symbols\":[]}}', '\"\\\\u0001\"',
  repeat('[', 500) || repeat(']', 500), repeat('{\"stocks\":[', 300) || repeat(']}', 300)]) j
  UNION ALL SELECT jsonb_build_object('stocks', jsonb_agg(jsonb_build_object('ticker', 'S' || n))) FROM generate_series(1, 20000) n),
 t(type, name) AS (SELECT type, name FROM unnest(ARRAY['stock_universe', 'themes', 'etf_universe', 'stock_etf_combo',
  'stock_stats', 'app_settings', '']) type, unnest(ARRAY['market_cap', 'market_leaders', 'sector_leaders', 'industry', 'themes',
  'complete', 'ipo', 'stock_etf_test', 'universe', '', '&&&', repeat('&', 100), repeat('ü', 100)]) name)"
is "$(sql "$fuzz INSERT INTO cache_entries (type, name, key, value, environment)
           SELECT type, name, 'k' || row_number() OVER (), j, 'FUZZ' FROM v, t" 2>&1)" '' 'no jsonb makes an INSERT fail'
is "$(sql "SELECT count(*) FROM cache_entries WHERE environment = 'FUZZ'")" $((29 * 7 * 13)) 'all of them are in'
is "$(sql "SELECT count(*) FROM cache_entries WHERE universe IS NULL OR (cache_type IS NULL) <> (content IS NULL)
            OR jsonb_typeof(content->'symbols') IS DISTINCT FROM CASE WHEN cache_type IS NOT NULL THEN 'array' END")" 0 \
    'content.symbols is an array wherever there is a cache_type'
ok "the newer layout's query works without its WHERE" sql "SELECT universe, jsonb_array_length(content->'symbols')
    FROM cache_entries ORDER BY updated_at DESC LIMIT 10000"
is "$(sql "SELECT count(*) FROM cache_entries WHERE universe !~ '^theme_[a-z0-9]([a-z0-9_]{0,98}[a-z0-9])?\$' AND type = 'themes'")" 0 \
    'theme names are keys'
finish
