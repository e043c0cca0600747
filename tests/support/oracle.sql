-- What a sync must leave, from symbols and ohlcv_daily alone, as docs/sync.md and docs/rules.md say: schema oracle. Written
-- apart from the engine: sets and windows instead of columns and passes.
--
--   SELECT oracle.read_rules('{"universes": ...}')   once: the lists of those themes that only the rules file has
--   SELECT oracle.remember()                         before a sync: the market and the rows as they stand
--   SELECT oracle.compute()                          then: what must come of it, in the tables market, member and row
--
-- Everything is for environment DEFAULT.
SET client_min_messages = warning;
CREATE SCHEMA oracle;

CREATE FUNCTION oracle.key(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(nullif(trim(BOTH '_' FROM regexp_replace(replace(lower(t COLLATE "C"), '&', 'and'), '[^a-z0-9]+', '_', 'g')), ''), 'other')
$$;
CREATE FUNCTION oracle.words(VARIADIC list text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT '\m(' || string_agg(regexp_replace(w, '([.+*?^$(){}|\[\]\\])', '\\\1', 'g'), '|') || ')\M' FROM unnest(list) w
$$;
CREATE FUNCTION oracle.texts(list jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(t) FROM jsonb_array_elements_text(list) t
$$;

-- ---- what the default rules list ----
CREATE TABLE oracle.band (universe text, low numeric, high numeric);
INSERT INTO oracle.band VALUES ('mega_cap', 200e9, 'Infinity'), ('large_cap', 10e9, 200e9), ('mid_cap', 2e9, 10e9),
    ('small_cap', 300e6, 2e9), ('micro_cap', 50e6, 300e6);
CREATE TABLE oracle.top (universe text, n int);
INSERT INTO oracle.top VALUES ('top_10_stocks', 10), ('top_50', 50), ('top_100', 100), ('top_250', 250), ('top_500', 500),
    ('top_1000', 1000), ('top_2000', 2000);
CREATE TABLE oracle.theme (title text, symbols text[], sectors text[], names text, industries text, any_of boolean DEFAULT false,
                           cap_min numeric DEFAULT 0, n int);
INSERT INTO oracle.theme (title, symbols)
SELECT split_part(t, ': ', 1), string_to_array(split_part(t, ': ', 2), ' ') FROM unnest(ARRAY[
    'AI: MSFT NVDA GOOGL AVGO PLTR AMD ADBE PANW CRWD INTC SNOW ZS', 'Biotech: AMGN GILD VRTX REGN BIIB INCY NBIX BMRN MRNA SRPT',
    'Cloud: MSFT AMZN GOOGL ORCL CRM NOW ADBE WDAY SNOW DDOG ZS AKAM', 'Crypto: MSTR COIN HOOD MARA CORZ RIOT GLXY BTDR CLSK HUT SQ',
    'Cybersecurity: PANW CRWD FTNT NET ZS OKTA CYBR S QLYS TENB', 'EV: TSLA GM F RIVN LCID BYD EVGO CHPT',
    'Fintech: MELI FI PYPL COIN NU HOOD AFRM SOFI UPST SQ', 'Marijuana: CRON TLRY SNDL ACB CGC VFF GRWG HYFM',
    'Quantum: MSFT NVDA GOOGL IBM INTC IONQ QBTS RGTI FORM', 'Robotics: NVDA TSLA ISRG ROK ZBRA TER SYM IRBT KSCP',
    'Semi: NVDA AVGO AMD TXN QCOM AMAT LRCX INTC MRVL MCHP', 'Space: RTX BA LMT NOC RKLB ASTS PL SPCE']) t;
CREATE TABLE oracle.fund (universe text, title text, names text, not_names text);
INSERT INTO oracle.fund VALUES
    ('etf_broad_market', 'Broad Market ETFs', oracle.words('Total Stock Market', 'Total Market', 'S&P 500', 'Russell', 'Core'),
     oracle.words('Bond', 'International', 'Emerging', 'Value', 'Growth', 'Technology', 'Sector')),
    ('etf_growth', 'Growth ETFs', oracle.words('Growth'), oracle.words('Bond', 'International')),
    ('etf_value', 'Value ETFs', oracle.words('Value'), oracle.words('Bond', 'International')),
    ('etf_technology', 'Technology ETFs', oracle.words('Technology', 'Information Technology', 'Tech'), oracle.words('Bond')),
    ('etf_bonds', 'Bond ETFs', oracle.words('Bond', 'Aggregate', 'Treasury'), NULL),
    ('etf_international', 'International ETFs', oracle.words('International', 'Emerging Markets', 'EAFE', 'Developed Markets'), oracle.words('Bond')),
    ('etf_factor', 'Factor ETFs', oracle.words('Factor', 'Momentum', 'Quality', 'Min Vol', 'Low Vol'), NULL),
    ('etf_sectors', 'Sector ETFs', oracle.words('Select Sector', 'Sector'), oracle.words('Bond')),
    ('etf_commodities', 'Commodity ETFs', oracle.words('Gold', 'Silver', 'Oil', 'Commodity', 'Natural Gas'), oracle.words('Miners')),
    ('etf_all', 'All ETFs', NULL, NULL);

-- A value of cache_entries without the time of its writing.
CREATE FUNCTION oracle.content(value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN jsonb_typeof(value) = 'object' THEN value #- '{last_updated}' #- '{overview,last_updated}' ELSE value END
$$;

-- The nine themes in words are the rules file's own: their lists are read from it, what they mean is done here.
CREATE FUNCTION oracle.read_rules(rules jsonb) RETURNS bigint LANGUAGE sql AS $$
    WITH put AS (
        INSERT INTO oracle.theme
        SELECT u->>'title', oracle.texts(s->'symbols'), oracle.texts(s->'sectors'), oracle.words(VARIADIC oracle.texts(s->'name_any')),
               oracle.words(VARIADIC oracle.texts(s->'industry_any')), coalesce((s->>'any_of_lists')::boolean, false),
               coalesce((s->>'cap_min')::numeric, 0), (u->>'limit')::int
          FROM jsonb_array_elements(rules->'universes') u, LATERAL (SELECT u->'select' AS s) x
         WHERE u->>'key' IN ('ai_ml_leaders', 'biotech_innovators', 'cloud_computing', 'crypto_blockchain', 'dividend_aristocrats',
                             'esg_leaders', 'fintech_disruptors', 'green_energy', 'technology_leaders') RETURNING 1)
    SELECT count(*) FROM put
$$;

-- ---- before a sync ----
CREATE UNLOGGED TABLE oracle.before (symbol text COLLATE "C" PRIMARY KEY, active boolean, market_cap bigint);
CREATE UNLOGGED TABLE oracle.before_row (type text, name text, key text, value jsonb, version xid);
CREATE FUNCTION oracle.remember() RETURNS void LANGUAGE sql AS $$
    TRUNCATE oracle.before, oracle.before_row;
    INSERT INTO oracle.before SELECT symbol, active, market_cap FROM symbols;
    INSERT INTO oracle.before_row SELECT type, name, key, oracle.content(value), xmin FROM cache_entries WHERE environment = 'DEFAULT'
$$;

-- ---- the market: active symbols with the caps that the sync must come to ----
CREATE UNLOGGED TABLE oracle.market (symbol text COLLATE "C" PRIMARY KEY, kind text, name text, cap bigint, closed date, rank bigint,
    sector text, industry text, exchange text, list_date date, stock text, fund text); -- objects but for their first brace
CREATE VIEW oracle.stock AS SELECT * FROM oracle.market WHERE kind = 'CS' AND cap > 0;
CREATE VIEW oracle.etf AS SELECT * FROM oracle.market WHERE kind = 'ETF';
CREATE VIEW oracle.day AS SELECT max(closed) AS d FROM oracle.market;

CREATE FUNCTION oracle.fill_market() RETURNS void LANGUAGE sql AS $$
    TRUNCATE oracle.market;
    INSERT INTO oracle.market
    WITH latest AS (SELECT DISTINCT ON (symbol) symbol, close, date FROM ohlcv_daily ORDER BY symbol DESC, date DESC),
    priced AS (
        SELECT s.*, b.market_cap AS stored, l.date AS closed,
               CASE WHEN l.close > 0 AND l.close <> 'NaN' AND s.weighted_shares_outstanding > 0 THEN round(l.close * s.weighted_shares_outstanding) END AS product
          FROM symbols s JOIN oracle.before b USING (symbol) LEFT JOIN latest l USING (symbol) WHERE s.active),
    valued AS (
        SELECT *, coalesce(CASE WHEN product < 9223372036854775808 THEN product END, stored, CASE WHEN type = 'ETF' THEN trunc(aum_millions * 1e6) END) AS cap,
               coalesce(nullif(exchange, ''), nullif(primary_exchange, '')) AS place FROM priced)
    SELECT symbol, type, name, coalesce(cap, 0), closed, NULL, nullif(nullif(sector, ''), 'Unknown'), nullif(nullif(industry, ''), 'Unknown'), place, list_date,
           substr(jsonb_build_object('ticker', symbol, 'name', coalesce(nullif(name, ''), 'Unknown'), 'sector', coalesce(nullif(sector, ''), 'Unknown'),
               'industry', coalesce(nullif(industry, ''), 'Unknown'), 'exchange', coalesce(place, 'Unknown'), 'market_cap', cap,
               'market', coalesce(nullif(market, ''), 'Unknown'))::text, 2),
           substr(jsonb_build_object('symbol', symbol, 'ticker', symbol, 'name', coalesce(nullif(name, ''), 'Unknown'), 'etf_type', coalesce(nullif(etf_type, ''), 'Unknown'),
               'issuer', coalesce(nullif(issuer, ''), 'Unknown'), 'exchange', coalesce(place, 'Unknown'))::text, 2)
      FROM valued;
    UPDATE oracle.market m SET rank = r.n
      FROM (SELECT symbol, row_number() OVER (PARTITION BY kind ORDER BY cap DESC, symbol) AS n FROM oracle.market WHERE kind = 'ETF' OR (kind = 'CS' AND cap > 0)) r
     WHERE r.symbol = m.symbol;
$$;

-- ---- the members of every universe, in their order ----
CREATE UNLOGGED TABLE oracle.member (family text, universe text COLLATE "C", title text, pos bigint, symbol text COLLATE "C", first_part boolean DEFAULT true,
    PRIMARY KEY (universe, symbol));

CREATE FUNCTION oracle.fill_member() RETURNS void LANGUAGE sql AS $$
    TRUNCATE oracle.member;
    INSERT INTO oracle.member
    WITH grouped AS (
        SELECT 'sector' AS family, 'top_10_' || oracle.key(sector) AS universe, sector AS text, symbol, rank FROM oracle.stock WHERE sector IS NOT NULL
        UNION ALL SELECT 'industry', oracle.key(industry), industry, symbol, rank FROM oracle.stock WHERE industry IS NOT NULL),
    numbered AS (SELECT *, row_number() OVER (PARTITION BY family, universe ORDER BY rank) AS n,
                        min(text COLLATE "C") OVER (PARTITION BY family, universe) AS title, count(*) OVER (PARTITION BY family, universe) AS size FROM grouped),
    industry AS (SELECT universe FROM numbered WHERE family = 'industry' AND size >= 3 GROUP BY universe, title, size ORDER BY size DESC, title COLLATE "C" LIMIT 20),
    themed AS (
        SELECT t.title, s.symbol, row_number() OVER (PARTITION BY t.title ORDER BY s.rank) AS n, t.n AS most
          FROM oracle.theme t JOIN oracle.stock s ON s.cap >= t.cap_min AND
               CASE WHEN any_of THEN coalesce(s.symbol = ANY (symbols), false) OR coalesce(s.sector = ANY (sectors), false) OR coalesce(s.name ~* names, false) OR coalesce(s.industry ~* industries, false)
                    ELSE (symbols IS NULL OR s.symbol = ANY (symbols)) AND (sectors IS NULL OR s.sector = ANY (sectors)) AND
                         (names IS NULL OR s.name ~* names) AND (industries IS NULL OR s.industry ~* industries) END)
    SELECT 'market_cap', b.universe, b.universe, row_number() OVER (PARTITION BY b.universe ORDER BY rank), symbol, true FROM oracle.band b JOIN oracle.stock ON cap >= low AND cap < high
    UNION ALL SELECT 'market_leader', t.universe, t.universe, rank, symbol, true FROM oracle.top t JOIN oracle.stock ON rank <= n
    UNION ALL SELECT family, universe, title, n, symbol, true FROM numbered WHERE family = 'sector' AND n <= 10
    UNION ALL SELECT family, universe, title, n, symbol, true FROM numbered WHERE family = 'industry' AND n <= 15 AND universe IN (SELECT universe FROM industry)
    UNION ALL SELECT 'theme', oracle.key(title), title, n, symbol, true FROM themed WHERE most IS NULL OR n <= most
    UNION ALL SELECT 'etf', f.universe, f.title, row_number() OVER (PARTITION BY f.universe ORDER BY symbol), symbol, true
                FROM oracle.fund f JOIN oracle.etf e ON (names IS NULL OR name ~* names) AND (not_names IS NULL OR name !~* not_names)
    UNION ALL SELECT 'ipo', 'recent_ipos', 'recent_ipos', row_number() OVER (ORDER BY list_date DESC, symbol), symbol, true FROM oracle.stock, oracle.day WHERE list_date BETWEEN d - 30 AND d
    UNION ALL SELECT 'complete', 'all_stocks', 'all_stocks', rank, symbol, true FROM oracle.stock
    UNION ALL SELECT 'complete', 'all_etfs', 'all_etfs', rank, symbol, true FROM oracle.etf
    UNION ALL SELECT 'combo', 'combo_test', 'combo_test', rank, symbol, true FROM oracle.stock WHERE rank <= 50
    UNION ALL SELECT 'combo', 'combo_test', 'combo_test', (SELECT least(50, count(*)) FROM oracle.stock) + row_number() OVER (ORDER BY symbol), symbol, false FROM oracle.etf
               WHERE symbol = ANY (string_to_array('SPY QQQ IWM VTI VUG VTV MTUM VGT XLK XLF XLV XLE XLI XLP XLY AGG BND VEA EEM IEFA', ' '))
$$;

-- ---- the rows of cache_entries, last_updated aside ----
CREATE UNLOGGED TABLE oracle.row (type text, name text, key text, value jsonb);

CREATE FUNCTION oracle.fill_row() RETURNS void LANGUAGE sql AS $$
    TRUNCATE oracle.row;
    INSERT INTO oracle.row
    WITH whole AS (
        SELECT e.family, e.universe, e.title, jsonb_agg(e.symbol ORDER BY pos) AS tickers, jsonb_build_object('count', count(*), 'symbols', jsonb_agg(e.symbol ORDER BY pos)) AS head,
               concat('[', string_agg('{"rank": ' || pos || ', ' || m.stock, ',' ORDER BY pos) FILTER (WHERE m.kind = 'CS'), ']')::jsonb AS stocks,
               concat('[', string_agg('{' || m.fund, ',' ORDER BY pos) FILTER (WHERE m.kind = 'ETF'), ']')::jsonb AS etfs
          FROM oracle.member e JOIN oracle.market m USING (symbol) GROUP BY e.family, e.universe, e.title),
    sectors AS (SELECT DISTINCT ON (universe) universe, sector FROM (SELECT oracle.key(industry) AS universe, sector, count(*) AS n FROM oracle.stock
                 WHERE industry IS NOT NULL AND sector IS NOT NULL GROUP BY 1, 2) c ORDER BY universe, n DESC, sector COLLATE "C")
    SELECT 'stock_universe', CASE family WHEN 'market_leader' THEN 'market_leaders' WHEN 'sector' THEN 'sector_leaders' WHEN 'theme' THEN 'themes' ELSE family END,
           universe, head || jsonb_build_object('stocks', stocks, 'metadata', '{}'::jsonb)
           || CASE WHEN family = 'industry' THEN jsonb_build_object('sector', coalesce((SELECT sector FROM sectors s WHERE s.universe = w.universe), 'Unknown')) ELSE '{}' END
      FROM whole w WHERE family IN ('market_cap', 'market_leader', 'sector', 'industry', 'theme', 'ipo') OR universe = 'all_stocks'
    UNION ALL SELECT 'themes', title, 'list', tickers FROM whole WHERE family = 'theme'
    UNION ALL SELECT 'etf_universe', title, universe, tickers FROM whole WHERE family = 'etf'
    UNION ALL SELECT 'etf_universe', title, universe || '_detailed', head || jsonb_build_object('etfs', etfs) FROM whole WHERE family = 'etf'
    UNION ALL SELECT 'etf_universe', 'complete', 'all_etfs', tickers FROM whole WHERE universe = 'all_etfs'
    UNION ALL SELECT 'stock_etf_combo', 'stock_etf_test', 'combo_test', tickers FROM whole WHERE family = 'combo'
    UNION ALL SELECT 'stock_etf_combo', 'stock_etf_test', 'combo_test_detailed', head || jsonb_build_object('stocks', stocks, 'etfs', etfs) FROM whole WHERE family = 'combo'
    UNION ALL SELECT 'stock_stats', 'universe', 'summary', jsonb_build_object('overview', jsonb_build_object('total_stocks', count(*), 'unique_exchanges', count(DISTINCT exchange),
                     'unique_sectors', count(DISTINCT sector), 'total_market_cap', coalesce(sum(cap), 0), 'average_market_cap', coalesce(round(sum(cap) / count(*)), 0)))
                FROM oracle.stock HAVING count(*) > 0
$$;

CREATE FUNCTION oracle.compute() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM oracle.fill_market();
    ANALYZE oracle.market;
    PERFORM oracle.fill_member();
    ANALYZE oracle.member;
    PERFORM oracle.fill_row();
END
$$;
