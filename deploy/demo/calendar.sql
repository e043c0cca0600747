-- What both evenings of the sample market share: the trading days, and a number that a symbol always has.
-- trading_day.back counts weekdays back from the newest one in New York: 0 is the second evening, 1 the first.
CREATE TEMP TABLE trading_day ON COMMIT DROP AS
SELECT day::date, row_number() OVER (ORDER BY day DESC) - 1 AS back
  FROM generate_series((now() AT TIME ZONE 'America/New_York')::date - 60, (now() AT TIME ZONE 'America/New_York')::date,
                       interval '1 day') AS day
 WHERE extract(isodow FROM day) < 6
 ORDER BY day DESC
 LIMIT 30;
CREATE TEMP TABLE calendar ON COMMIT DROP AS
SELECT (SELECT day FROM trading_day WHERE back = 1) AS first_day, (SELECT day FROM trading_day WHERE back = 0) AS second_day;

-- 0 <= share < 1, the same for the same symbol and purpose for ever.
CREATE OR REPLACE FUNCTION pg_temp.share(symbol text, purpose text) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ('x' || substr(md5(purpose || ':' || symbol), 1, 8))::bit(32)::bigint / 4294967296.0::double precision $$;
