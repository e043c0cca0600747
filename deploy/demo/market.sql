-- The sample market, first evening: about 6,000 stocks, 153 ETFs and the closes of 29 trading days, up to the weekday
-- before the newest one (next-day.sql brings that one). Everything but the calendar follows from the symbols alone: the
-- same market at every run. The well-known companies have round caps and made-up listing dates. Run it in this directory, on tables that `cachesync migrate` made:
--   psql -d "$DATABASE_URI" -f market.sql
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
BEGIN;
\ir calendar.sql

CREATE TEMP TABLE known (symbol text, name text, sector text, industry text, exchange text, billions numeric)
    ON COMMIT DROP;
CREATE TEMP TABLE fund (symbol text, issuer text, etf_type text, billions numeric, name text) ON COMMIT DROP;
\copy known FROM 'best-known.csv' WITH (FORMAT csv, HEADER true)
\copy fund FROM 'etfs.csv' WITH (FORMAT csv, HEADER true)

-- What a company may be called, and do.
CREATE TEMP TABLE word ON COMMIT DROP AS
SELECT string_to_array('Alder Amber Arbor Atlas Aurora Beacon Birch Blue Bright Canyon Cedar Clear Coastal Copper Crest '
           'Delta Eagle Ember Evergreen Falcon First Forge Granite Harbor Hawk High Horizon Iron Juniper Keystone Lake '
           'Liberty Lone Maple Meridian Mesa Mountain North Oak Ocean Old Orchard Pacific Pine Pioneer Prairie Quarry '
           'Red Ridge River Sage Silver Spring Sterling Stone Summit Union Valley Western Willow', ' ') AS first,
       string_to_array('Bancorp Biosciences Brands Capital Devices Dynamics Energy Foods Genomics Health Holdings '
           'Industries Labs Logistics Materials Media Networks Partners Pharma Properties Resources Robotics Software '
           'Solutions Storage Systems Technologies Therapeutics Utilities Works', ' ') AS second;
CREATE TEMP TABLE trade ON COMMIT DROP AS
SELECT sector, industry, row_number() OVER (ORDER BY sector COLLATE "C", industry COLLATE "C") - 1 AS n, count(*) OVER () AS of
  FROM known GROUP BY sector, industry;

-- Four letters from a number: 7919 is prime to 26^4, so no two numbers meet.
CREATE TEMP TABLE made ON COMMIT DROP AS
SELECT chr(65 + (c / 17576)) || chr(65 + (c / 676) % 26) || chr(65 + (c / 26) % 26) || chr(65 + c % 26) AS symbol
  FROM (SELECT (n * 7919 + 104729) % 456976 AS c FROM generate_series(1, 5760) AS n) AS code;
DELETE FROM made WHERE symbol IN (SELECT symbol FROM known UNION ALL SELECT symbol FROM fund);

CREATE TEMP TABLE stock ON COMMIT DROP AS
SELECT symbol, name, exchange, 'CS' AS type, true AS active, sector, industry,
       billions * 1e9 AS cap, 15 + 400 * pg_temp.share(symbol, 'price') AS price,
       make_date(1970 + (45 * pg_temp.share(symbol, 'year'))::int, 1 + (11 * pg_temp.share(symbol, 'month'))::int, 15) AS list_date
  FROM known
UNION ALL
SELECT m.symbol,
       w.first[1 + floor(pg_temp.share(symbol, 'first') * cardinality(w.first))::int] || ' ' ||
           w.second[1 + floor(pg_temp.share(symbol, 'second') * cardinality(w.second))::int] ||
           CASE kind WHEN 'PFD' THEN ', Inc. Preferred Stock' WHEN 'WARRANT' THEN ' Corp. Warrants'
                     WHEN 'ADRC' THEN ' plc American Depositary Shares' ELSE ', Inc. Common Stock' END,
       (ARRAY['XNAS', 'XNAS', 'XNAS', 'XNYS', 'XNYS', 'XASE'])[1 + floor(6 * pg_temp.share(symbol, 'exchange'))::int],
       kind,
       pg_temp.share(symbol, 'gone') >= 0.008,
       -- As in real tables some have no sector, written in three ways.
       CASE WHEN blank < 0.02 THEN NULL WHEN blank < 0.03 THEN '' WHEN blank < 0.04 THEN 'Unknown' ELSE t.sector END,
       CASE WHEN blank < 0.02 THEN NULL WHEN blank < 0.03 THEN '' WHEN blank < 0.04 THEN 'Unknown' ELSE t.industry END,
       power(10, 6.6 + 3.4 * pg_temp.share(symbol, 'cap')), 1 + 120 * power(pg_temp.share(symbol, 'price'), 2),
       make_date(1980 + (44 * pg_temp.share(symbol, 'year'))::int, 1 + (11 * pg_temp.share(symbol, 'month'))::int, 15)
  FROM made AS m
 CROSS JOIN word AS w
 CROSS JOIN LATERAL (SELECT pg_temp.share(symbol, 'blank') AS blank,
                            CASE WHEN pg_temp.share(symbol, 'type') < 0.02 THEN 'PFD'
                                 WHEN pg_temp.share(symbol, 'type') < 0.035 THEN 'WARRANT'
                                 WHEN pg_temp.share(symbol, 'type') < 0.05 THEN 'ADRC' ELSE 'CS' END AS kind) AS k
  JOIN trade AS t ON t.n = floor(pg_temp.share(symbol, 'trade') * t.of);

-- Fifteen companies went public in the four weeks before.
UPDATE stock SET list_date = (SELECT first_day FROM calendar) - (s.n * 2 - 1)::int
  FROM (SELECT symbol, row_number() OVER (ORDER BY pg_temp.share(symbol, 'ipo')) AS n
          FROM stock JOIN made USING (symbol) WHERE type = 'CS' AND active AND cap BETWEEN 1e8 AND 9e9) AS s
 WHERE s.symbol = stock.symbol AND s.n <= 15;

INSERT INTO symbols (symbol, name, exchange, primary_exchange, market, type, active, market_cap,
                     weighted_shares_outstanding, sector, industry, country, list_date, last_updated)
SELECT symbol, name, exchange, exchange, 'stocks', type, active, round(cap), round(cap / price), sector, industry,
       'United States', list_date, (SELECT first_day FROM calendar) + time '16:00'
  FROM stock;
INSERT INTO symbols (symbol, name, exchange, primary_exchange, market, type, active, country, etf_type, issuer, aum_millions,
                     list_date, last_updated)
SELECT symbol, name, 'ARCX', 'ARCX', 'stocks', 'ETF', true, 'United States', etf_type, issuer, billions * 1000,
       date '2010-01-15', (SELECT first_day FROM calendar) + time '16:00'
  FROM fund;

-- Closes walk by up to 2 % a day and end within 2 % of the price that the share count was made from. Who was delisted stopped ten
-- days ago; who is new started on the day of its listing.
INSERT INTO ohlcv_daily (symbol, date, open, high, low, close, volume)
SELECT symbol, day, close, round(close * 1.01, 2), round(close * 0.99, 2), close, volume
  FROM (SELECT s.symbol, d.day,
               greatest(0.05, round((s.price * exp(-sum(0.04 * (pg_temp.share(s.symbol, 'walk' || d.back) - 0.5))
                            OVER (PARTITION BY s.symbol ORDER BY d.back)))::numeric, 2)) AS close,
               1000 + floor(pg_temp.share(s.symbol, 'volume' || d.back) * s.cap / s.price * 0.01)::bigint AS volume,
               s.active, s.list_date, d.back
          FROM (SELECT symbol, cap, price, active, list_date FROM stock
                UNION ALL
                SELECT symbol, billions * 1e9, 25 + 400 * pg_temp.share(symbol, 'price'), true, NULL FROM fund) AS s
         CROSS JOIN trading_day AS d
         WHERE d.back BETWEEN 1 AND 29) AS walk
 WHERE (active OR back > 10) AND (list_date IS NULL OR day >= list_date);
COMMIT;
ANALYZE symbols;
ANALYZE ohlcv_daily;
