#!/usr/bin/env bash
# The demo's sample market (two evenings, the same at every load) and the loader of the screener's file.
. "$(dirname "$0")/../support/lib.sh"
DEMO=$ROOT/deploy/demo
start_postgres
migrate

market() { (cd "$DEMO" && sql_file "$1"); }
fingerprint() { sql "SELECT md5(string_agg(concat_ws('|', symbol, name, type, active, market_cap, weighted_shares_outstanding, sector,
    list_date), ',' ORDER BY symbol COLLATE \"C\")) || md5((SELECT string_agg(concat_ws('|', symbol, date, close), ','
    ORDER BY symbol COLLATE \"C\", date) FROM ohlcv_daily)) FROM symbols"; }
newest=$(sql "SELECT max(d)::date FROM generate_series((now() AT TIME ZONE 'America/New_York')::date - 3,
    (now() AT TIME ZONE 'America/New_York')::date, interval '1 day') AS d WHERE extract(isodow FROM d) < 6")

ok 'the first evening loads' market market.sql
first=$(fingerprint)
stocks=$(sql "SELECT count(*) FROM symbols WHERE type = 'CS' AND active")
ok "about 6,000 stocks ($stocks)" test "$stocks" -gt 5500 -a "$stocks" -lt 6500
is "$(sql "SELECT count(*) FROM symbols WHERE type = 'ETF' AND active")" 153 '153 ETFs'
is "$(sql "SELECT count(*) FROM symbols WHERE symbol IN ('AAPL', 'MSFT', 'NVDA', 'BRK.B', 'TSLA') AND market_cap > 500e9")" 5 \
    'the best-known are there, and large'
# Every universe that the rules name has members: the sample market shows them all.
start_redis
start_daemon
id=$(run_job mode full force 1)
is "$(job_field "$id" status)" completed 'a full sync of it completes'
is "$(sql "WITH rule AS (SELECT o.type, o.name, o.key FROM jsonb_array_elements(\$json\$$(cat "$ROOT/deploy/rules/universes.json")\$json\$::jsonb->'universes') u,
            jsonb_to_recordset(u->'outputs') AS o(type text, name text, key text) WHERE u->'per' IS NULL)
          SELECT string_agg(r.key, ' ') FROM rule r LEFT JOIN cache_entries c USING (type, name, key)
           WHERE r.type <> 'stock_stats' AND coalesce(jsonb_array_length(c.content->'symbols'), 0) = 0")" '' \
    'every universe of the default rules has members'
is "$(sql "SELECT count(*) FILTER (WHERE cache_type = 'sector') || ' ' || count(*) FILTER (WHERE cache_type = 'industry') FROM cache_entries")" '11 20' \
    'eleven sectors, twenty industries'
is "$(sql 'SELECT count(DISTINCT date) FROM ohlcv_daily')" 29 '29 trading days'
is "$(sql 'SELECT count(*) FROM ohlcv_daily WHERE extract(isodow FROM date) > 5')" 0 'none of them at a weekend'
is "$(sql "SELECT max(date) < '$newest' AND max(date) >= '$newest'::date - 3 FROM ohlcv_daily")" t 'the newest weekday is left for the second evening'
is "$(sql 'SELECT count(*) FROM symbols WHERE list_date > (SELECT max(date) FROM ohlcv_daily) - 31')" 15 '15 recent listings'
is "$(sql "SELECT count(*) FROM symbols s JOIN ohlcv_daily o USING (symbol) WHERE s.type <> 'ETF'
      AND o.date = (SELECT max(date) FROM ohlcv_daily) AND abs(o.close * s.weighted_shares_outstanding / s.market_cap - 1) > 0.05")" 0 \
    'share counts fit caps and closes'
is "$(sql "SELECT count(*) FROM symbols s WHERE active AND NOT EXISTS (SELECT FROM ohlcv_daily o WHERE o.symbol = s.symbol
      AND o.date = (SELECT max(date) FROM ohlcv_daily))")" 0 'every active symbol has a close on the market date'

ok 'the second evening loads' market next-day.sql
is "$(sql 'SELECT max(date) FROM ohlcv_daily')" "$newest" 'its closes are of the newest weekday'
is "$(sql "SELECT count(*) FROM symbols WHERE list_date = '$newest'")" 4 'four new listings'
is "$(sql "SELECT count(*) FROM symbols WHERE NOT active AND last_updated::date = '$newest'")" 8 'eight delistings'
is "$(sql "SELECT count(*) FROM symbols s JOIN ohlcv_daily o USING (symbol) WHERE NOT s.active AND o.date = '$newest'")" 0 \
    'who was delisted has no close any more'

sql 'TRUNCATE symbols, ohlcv_daily'
market market.sql
is "$(fingerprint)" "$first" 'another load makes the same market'

# ---- load-screener ----
sql 'TRUNCATE symbols, ohlcv_daily'
H='Symbol,Name,Last Sale,Net Change,% Change,Market Cap,Country,IPO Year,Volume,Sector,Industry'
cat >"$SCRATCH/one.csv" <<EOF
$H
AAA,"Alpha, Inc. Common Stock",\$1.50,-0.10,-6.25%,"3,000,000.00",United States,2011,"1,200",Technology,Semiconductors
BBBW,Beta Acquisition Corp. Warrants,\$0.25,0.01,4%,,,NA,10,,
CCC^A,Gamma Bank 5% Series A,\$20.00,0,0%,0.00,United States,,7,Finance,Banks
DDD,Delta plc American Depositary Shares,\$1234.00,1,1%,9000000000.00,Ireland,1999,5000,Health Care,Biotechnology
EEE,Epsilon Trust ETF,NA,0,0%,0.00,United States,,0,,
EOF
load() { "$DEMO/load-screener" "$@" 2>&1; }
is "$(load "$SCRATCH/one.csv" 2024-05-09)" '2024-05-09: 5 rows in the file, 5 symbols (1 stocks), 4 closes' 'the loader says what it did'
is "$(sql 'SELECT symbol, type, market_cap, weighted_shares_outstanding, country, sector, list_date FROM symbols ORDER BY 1')" \
    'AAA|CS|3000000|2000000|United States|Technology|2011-01-01
BBBW|WARRANT|||||
CCC^A|PFD|||United States|Finance|
DDD|ADRC|9000000000|7293355|Ireland|Health Care|1999-01-01
EEE|ETF|||United States||' 'symbols: numbers without $ and commas, types from the names'
is "$(sql 'SELECT symbol, date, close, volume FROM ohlcv_daily ORDER BY 1')" 'AAA|2024-05-09|1.50|1200
BBBW|2024-05-09|0.25|10
CCC^A|2024-05-09|20.00|7
DDD|2024-05-09|1234.00|5000' 'closes: none where there is no price'
before=$(sql 'SELECT xmin, symbol FROM ohlcv_daily ORDER BY 2')
load "$SCRATCH/one.csv" 2024-05-09 >/dev/null
is "$(sql 'SELECT xmin, symbol FROM ohlcv_daily ORDER BY 2')" "$before" 'the same file again rewrites no close'

{ printf '\xef\xbb\xbf'; sed 's/$/\r/' <<EOF; } >"$SCRATCH/two.csv"
$H
AAA,"Alpha, Inc. Common Stock",\$3.00,1.5,100%,6000000.00,United States,2011,5,Technology,Semiconductors
NEW,New One Inc. Common Stock,\$10.00,0,0%,1000.00,United States,2024,5,Technology,Software
EOF
ok 'a file with a byte order mark and carriage returns' load "$SCRATCH/two.csv" 2024-05-10
is "$(sql "SELECT symbol, market_cap, weighted_shares_outstanding, list_date, active, industry FROM symbols WHERE symbol IN ('AAA', 'NEW', 'DDD') ORDER BY 1")" \
    'AAA|6000000|2000000|2011-01-01|t|Semiconductors
DDD|9000000000|7293355|1999-01-01|t|Biotechnology
NEW|1000|100|2024-05-10|t|Software' 'a later day updates, lists the new and keeps the rest'
ok 'a complete file' load --complete "$SCRATCH/two.csv" 2024-05-10
is "$(sql 'SELECT symbol, active FROM symbols ORDER BY 1')" 'AAA|t
BBBW|f
CCC^A|f
DDD|f
EEE|t
NEW|t' 'who is not in it is inactive, but for ETFs'
ok 'without a day' load "$SCRATCH/two.csv"
is "$(sql 'SELECT max(date) FROM ohlcv_daily')" "$newest" 'it is the newest weekday'

# refused MESSAGE CODE ARGUMENTS...: one clear line, and the exit code.
refused() {
    local message=$1 code=$2 out rc=0; shift 2
    out=$(load "$@") || rc=$?
    like "$out" "$message" "refused: $message"
    is "$rc" "$code" "exit code $code: $message"
}
echo 'Ticker,Price' >"$SCRATCH/other.csv"
refused 'not a screener file' 1 "$SCRATCH/other.csv"
refused 'cannot read' 2 "$SCRATCH/absent.csv"
refused 'no such day: 2024-02-30' 2 "$SCRATCH/one.csv" 2024-02-30
DATABASE_URI='' refused 'DATABASE_URI is not set' 2 "$SCRATCH/one.csv"
finish
