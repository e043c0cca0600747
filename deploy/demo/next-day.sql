-- The sample market, second evening, on top of market.sql: the closes of the newest weekday, four new listings, and eight
-- companies that leave. psql -d "$DATABASE_URI" -f next-day.sql
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
BEGIN;
\ir calendar.sql

-- Of the companies whose names are made up two of the larger and six others leave; their last close was yesterday's.
UPDATE symbols SET active = false, last_updated = (SELECT second_day FROM calendar) + time '16:00'
 WHERE symbol IN (SELECT symbol FROM symbols
                   WHERE active AND type = 'CS' AND name LIKE '%, Inc. Common Stock' AND market_cap BETWEEN 9e9 AND 10e9 AND list_date < (SELECT first_day FROM calendar) - 365
                   ORDER BY pg_temp.share(symbol, 'delisted') LIMIT 2)
    OR symbol IN (SELECT symbol FROM symbols
                   WHERE active AND type = 'CS' AND name LIKE '%, Inc. Common Stock' AND market_cap BETWEEN 6e7 AND 1e9 AND list_date < (SELECT first_day FROM calendar) - 365
                   ORDER BY pg_temp.share(symbol, 'delisted') LIMIT 6);

CREATE TEMP TABLE listing (symbol text, name text, exchange text, sector text, industry text, cap numeric, price numeric)
    ON COMMIT DROP;
INSERT INTO listing VALUES
    ('ZZAXN', 'Axion Compute Corp. Class A Common Stock', 'XNAS', 'Technology', 'Semiconductors', 31000000000, 62.00),
    ('ZZBRW', 'Brightwater Foods, Inc. Common Stock', 'XNYS', 'Consumer Defensive', 'Packaged Food', 4200000000, 28.00),
    ('ZZGEN', 'Genesia Therapeutics, Inc. Common Stock', 'XNAS', 'Healthcare', 'Biotechnology',
     850000000, 17.00),
    ('ZZHYD', 'Hydra Storage Holdings, Inc. Common Stock', 'XASE', 'Utilities', 'Renewable Power', 140000000, 7.00);
INSERT INTO symbols (symbol, name, exchange, primary_exchange, market, type, active, market_cap,
                     weighted_shares_outstanding, sector, industry, country, list_date, last_updated)
SELECT symbol, name, exchange, exchange, 'stocks', 'CS', true, cap, round(cap / price), sector, industry, 'United States',
       (SELECT second_day FROM calendar), (SELECT second_day FROM calendar) + time '16:00'
  FROM listing;

INSERT INTO ohlcv_daily (symbol, date, open, high, low, close, volume)
SELECT symbol, (SELECT second_day FROM calendar), old, greatest(old, new), least(old, new), new, volume
  FROM (SELECT s.symbol, o.close AS old, o.volume,
               greatest(0.05, round((o.close * exp(0.04 * (pg_temp.share(s.symbol, 'walk0') - 0.5)))::numeric, 2)) AS new
          FROM symbols AS s
          JOIN ohlcv_daily AS o ON o.symbol = s.symbol AND o.date = (SELECT first_day FROM calendar)
         WHERE s.active
        UNION ALL
        SELECT symbol, price, 2500000, price FROM listing) AS move;
COMMIT;
ANALYZE symbols;
ANALYZE ohlcv_daily;
