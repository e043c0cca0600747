-- The memberships that contract section 4 defines, from symbols and ohlcv_daily alone: view oracle(universe, members).
-- Written apart from the engine: sets and windows instead of columns and passes.
CREATE OR REPLACE FUNCTION oracle_key(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(nullif(trim(BOTH '_' FROM regexp_replace(replace(lower(t COLLATE "C"), '&', 'and'), '[^a-z0-9]+', '_', 'g')), ''), 'other')
$$;
CREATE OR REPLACE VIEW oracle AS
WITH stock AS MATERIALIZED (
    SELECT symbol, symbol COLLATE "C" AS s, market_cap AS cap, list_date,
           nullif(nullif(sector, ''), 'Unknown') AS sector, nullif(nullif(industry, ''), 'Unknown') AS industry,
           row_number() OVER (ORDER BY market_cap DESC, symbol COLLATE "C") AS rank
      FROM symbols WHERE active AND type = 'CS' AND market_cap > 0),
day AS (SELECT max(date) AS d FROM ohlcv_daily),
bands(universe, low, high) AS (VALUES ('mega_cap', 200e9, 1e30), ('large_cap', 10e9, 200e9), ('mid_cap', 2e9, 10e9),
                                      ('small_cap', 300e6, 2e9), ('micro_cap', 50e6, 300e6)),
tops(universe, n) AS (VALUES ('top_10_stocks', 10), ('top_50', 50), ('top_100', 100), ('top_250', 250), ('top_500', 500),
                             ('top_1000', 1000), ('top_2000', 2000)),
sectors AS (SELECT 'top_10_' || oracle_key(sector) AS universe, symbol, rank,
                   row_number() OVER (PARTITION BY oracle_key(sector) ORDER BY rank) AS n FROM stock WHERE sector IS NOT NULL),
top_industries AS (SELECT industry FROM stock WHERE industry IS NOT NULL GROUP BY industry HAVING count(*) >= 3
                    ORDER BY count(*) DESC, industry COLLATE "C" LIMIT 20),
industries AS (SELECT oracle_key(industry) AS universe, symbol, rank,
                      row_number() OVER (PARTITION BY industry ORDER BY rank) AS n FROM stock JOIN top_industries USING (industry)),
member AS (
    SELECT universe, symbol, rank FROM bands JOIN stock ON cap >= low AND cap < high
    UNION ALL SELECT universe, symbol, rank FROM tops JOIN stock ON rank <= n
    UNION ALL SELECT universe, symbol, rank FROM sectors WHERE n <= 10
    UNION ALL SELECT universe, symbol, rank FROM industries WHERE n <= 15
    UNION ALL SELECT 'all_stocks', symbol, rank FROM stock
    UNION ALL SELECT 'recent_ipos', symbol, row_number() OVER (ORDER BY list_date DESC, s) FROM stock, day
               WHERE list_date BETWEEN d - 30 AND d
    UNION ALL SELECT 'all_etfs', symbol, row_number() OVER (ORDER BY coalesce(market_cap, aum_millions * 1e6, 0) DESC, symbol COLLATE "C")
                FROM symbols WHERE active AND type = 'ETF'
    UNION ALL SELECT 'etf_all', symbol, row_number() OVER (ORDER BY symbol COLLATE "C") FROM symbols WHERE active AND type = 'ETF')
SELECT universe, string_agg(symbol, ' ' ORDER BY rank) AS members FROM member GROUP BY universe;
