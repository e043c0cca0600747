-- One day of the NASDAQ screener into symbols and ohlcv_daily. Run by load-screener: the file on standard input, the day
-- in the variable "day", "complete" true or false. One transaction.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
BEGIN;
CREATE TEMP TABLE screener (symbol text, name text, last_sale text, net_change text, percent_change text, market_cap text,
                            country text, ipo_year text, volume text, sector text, industry text) ON COMMIT DROP;
\copy screener FROM pstdin WITH (FORMAT csv, HEADER true)

-- A number as people write it: "$1,234.50". What is none ("NA", "") is missing.
CREATE FUNCTION pg_temp.plain(text) RETURNS numeric LANGUAGE sql IMMUTABLE
    AS $$ SELECT CASE WHEN t ~ '^[0-9]{1,24}(\.[0-9]{0,8})?$' THEN t::numeric END FROM translate(trim($1), '$,', '') AS t $$;

-- The file has no type; the name tells, without what it says in brackets. The first line that matches decides.
CREATE FUNCTION pg_temp.type_of(symbol text, name text) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT CASE WHEN symbol ~ '\^' THEN 'PFD'
                      WHEN bare ~* '\m(ETNs?|Exchange Traded Notes?)\M' THEN 'ETN'
                      WHEN bare ~* '\m(ETF|Exchange Traded Fund)\M' THEN 'ETF'
                      WHEN bare ~* '\m(Warrants?|Wts?)\M' THEN 'WARRANT'
                      WHEN bare ~* '\m(Rights?|Rts|CVR)\M' THEN 'RIGHT'
                      WHEN bare ~* '\m(Notes|Debentures|Bonds due|due 20[0-9]{2})\M' THEN 'NOTE'
                      WHEN bare ~* '\m(Preferred|Preference) (Stock|Shares?|Units?)\M' THEN 'PFD'
                      WHEN bare ~* '\m(Fund|Closed[- ]End)\M' THEN 'FUND'
                      WHEN bare ~* '\m(Preferred|Preference|Pfd)\M' THEN 'PFD'
                      WHEN bare ~* '\m(American Depositary|American Depository|ADS|ADR)\M' THEN 'ADRC'
                      WHEN bare ~* '\m(Common|Limited Partner(ship)?|Depositary|Trust|LP) Units?\M' THEN 'CS'
                      WHEN bare ~* '\m(Sub)?Units?\M' THEN 'UNIT'
                      ELSE 'CS' END
           FROM regexp_replace(name, '\([^)]*\)', '', 'g') AS bare $$;

CREATE TEMP TABLE listed ON COMMIT DROP AS
SELECT DISTINCT ON (symbol) symbol, name, pg_temp.type_of(symbol, name) AS type, close,
       CASE WHEN cap > 0 AND cap < 9e18 THEN round(cap) END AS cap,
       CASE WHEN cap > 0 AND cap < 9e18 AND close > 0 AND cap / close < 9e18 THEN round(cap / close) END AS shares,
       nullif(trim(country), '') AS country, nullif(trim(sector), '') AS sector, nullif(trim(industry), '') AS industry,
       CASE WHEN trim(ipo_year) ~ '^(19|20)[0-9]{2}$' THEN make_date(trim(ipo_year)::int, 1, 1) END AS ipo_date,
       CASE WHEN volume < 9e18 THEN trunc(volume) END AS volume
  FROM (SELECT trim(s.symbol) AS symbol, trim(s.name) AS name, pg_temp.plain(last_sale) AS close,
               pg_temp.plain(market_cap) AS cap, pg_temp.plain(s.volume) AS volume, country, sector, industry, ipo_year
          FROM screener AS s) AS cleaned
 WHERE symbol <> '' AND length(symbol) <= 20
 ORDER BY symbol;

-- When most of the file is new, it is a first load, and everybody has been listed since the year of the file; later, who is
-- new was listed on that day.
SELECT 2 * count(s.symbol) >= count(*) AS known FROM listed AS l LEFT JOIN symbols AS s USING (symbol) \gset
-- Share counts follow from cap and price, and stay until they are off by more than rounding explains.
INSERT INTO symbols AS s (symbol, name, exchange, market, type, active, market_cap, weighted_shares_outstanding, sector, industry,
                          country, list_date, last_updated)
SELECT symbol, name, NULL, 'stocks', type, true, cap, shares, sector, industry, country,
       CASE WHEN :'known'::boolean THEN :'day'::date ELSE ipo_date END, :'day'::date + time '16:00'
  FROM listed ORDER BY symbol
ON CONFLICT (symbol) DO UPDATE
   SET name = excluded.name, type = excluded.type, active = true,
       market_cap = coalesce(excluded.market_cap, s.market_cap),
       weighted_shares_outstanding =
           CASE WHEN excluded.weighted_shares_outstanding IS NULL
                  OR abs(excluded.weighted_shares_outstanding - s.weighted_shares_outstanding)
                     <= 0.005 * s.weighted_shares_outstanding
                THEN s.weighted_shares_outstanding ELSE excluded.weighted_shares_outstanding END,
       sector = coalesce(excluded.sector, s.sector), industry = coalesce(excluded.industry, s.industry),
       country = coalesce(excluded.country, s.country), last_updated = excluded.last_updated;

UPDATE symbols AS s SET active = false, last_updated = :'day'::date + time '16:00'
 WHERE :'complete'::boolean AND s.active AND s.type <> 'ETF' AND NOT EXISTS (SELECT FROM listed AS l WHERE l.symbol = s.symbol);

INSERT INTO ohlcv_daily AS o (symbol, date, open, high, low, close, volume)
SELECT symbol, :'day'::date, close, close, close, close, volume FROM listed WHERE close > 0
ON CONFLICT (symbol, date) DO UPDATE
   SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume
 WHERE (o.close, o.volume) IS DISTINCT FROM (excluded.close, excluded.volume);

SELECT format('%s: %s rows in the file, %s symbols (%s stocks), %s closes', :'day', (SELECT count(*) FROM screener), count(*),
              count(*) FILTER (WHERE type = 'CS'), count(*) FILTER (WHERE close > 0)) FROM listed;
COMMIT;
ANALYZE symbols;
ANALYZE ohlcv_daily;
