-- A market, rules, days and commands drawn from a seed, and a slow model of what a sync must leave: schema property. Sets and
-- windows instead of columns and passes; it keeps the members of the last sync itself.
--
--   SELECT property.draw_rules(seed)     rules into property.rule; then property.rules_json() is the file
--   SELECT property.draw_day(n)          the market of day n (0: the first)
--   SELECT property.draw_command(n)      what is asked for that day, into property.command: mode, force, dry_run, as_of
--   SELECT property.command(mode)        that mode, forced, instead
--   SELECT property.advance()            what must come of it: property.verdict, property.moved, property.member beside property.before
--   SELECT property.differences(job...)  one line for each thing that is otherwise; no row: all agree
SET client_min_messages = warning;
CREATE SCHEMA property;
CREATE TABLE property.rule (nr int, family text, universe text, filter jsonb, n int, width int, ord text, per text, per_min int, per_limit int, also text[]);
CREATE TABLE property.limits (max_shrink numeric, shrink_min_members int, min_close_share numeric, max_cap_change numeric);
CREATE TABLE property.command (mode text, forced bool, dry bool, as_of date);
CREATE TABLE property.member (universe text COLLATE "C", pos bigint, symbol text COLLATE "C");
CREATE TABLE property.before (LIKE property.member);
CREATE TABLE property.next (LIKE property.member);
CREATE TABLE property.moved (universe text COLLATE "C", symbol text COLLATE "C", action text);
CREATE TABLE property.seen (symbol text COLLATE "C", day date, cap numeric); -- usable closes
CREATE TABLE property.cap (symbol text COLLATE "C" PRIMARY KEY, cap numeric, stored numeric); -- what ranks, what symbols must hold then
CREATE TABLE property.market (active_stocks bigint, closed_stocks bigint, total numeric, market_date date);
CREATE TABLE property.last (LIKE property.market); -- of the last sync that committed
CREATE TABLE property.verdict (code text);         -- '': completed; else why it is refused

CREATE FUNCTION property.below(n int) RETURNS int LANGUAGE sql AS $$ SELECT floor(random() * n)::int $$;
CREATE FUNCTION property.pick(VARIADIC list text[]) RETURNS text LANGUAGE sql AS $$ SELECT list[1 + property.below(array_length(list, 1))] $$;
CREATE FUNCTION property.some_symbols(n int) RETURNS text[] LANGUAGE sql AS
    $$ SELECT array_agg(DISTINCT 'S' || lpad(property.below(60)::text, 2, '0')) FROM generate_series(1, n) $$;
CREATE FUNCTION property.key(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(nullif(trim(BOTH '_' FROM regexp_replace(replace(lower(t COLLATE "C"), '&', 'and'), '[^a-z0-9]+', '_', 'g')), ''), 'other')
$$;

CREATE FUNCTION property.draw_rules(seed float8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE f text; filter jsonb; w int; lo int; lim int;
BEGIN
    PERFORM setseed(seed);
    INSERT INTO property.limits SELECT (1 + property.below(9)) / 10.0, 2 + property.below(8), property.below(9) / 10.0, (1 + property.below(19)) / 20.0;
    FOR i IN 1..12 LOOP
        f := (ARRAY['market_leader', 'market_cap', 'theme', 'sector', 'ipo', 'etf', 'combo'])[1 + (i - 1) % 7];
        filter := jsonb_build_object('asset', CASE f WHEN 'etf' THEN 'etf' ELSE 'stock' END);
        lim := CASE WHEN random() < 0.6 THEN 2 + property.below(20) ELSE 0 END;
        IF f IN ('market_leader', 'combo') AND lim = 0 THEN lim := 7; END IF;
        IF f = 'market_cap' OR random() < 0.2 THEN
            lo := 20 + property.below(200);
            filter := filter || jsonb_build_object('cap_min', lo);
            IF random() < 0.7 THEN filter := filter || jsonb_build_object('cap_max', lo * 3); END IF;
            IF f = 'market_cap' THEN lim := 0; END IF;
        END IF;
        IF f = 'theme' THEN
            filter := filter || jsonb_build_object('symbols', property.some_symbols(15));
            IF random() < 0.5 THEN filter := filter || '{"any_of_lists": true, "sectors": ["Oil & Gas"]}'; END IF;
        END IF;
        IF f = 'ipo' THEN filter := filter || jsonb_build_object('listed_within_days', 3 + property.below(20)); END IF;
        w := CASE WHEN random() < 0.6 AND f IN ('market_leader', 'market_cap', 'theme', 'sector') AND (lim > 0 OR filter ? 'cap_min')
                  THEN CASE WHEN lim > 0 THEN property.below(lim) ELSE property.below(30) END ELSE 0 END;
        INSERT INTO property.rule VALUES (i, f, 'u' || i || CASE f WHEN 'sector' THEN '_{key}' ELSE '' END, filter, lim, w,
            CASE f WHEN 'etf' THEN 'symbol' WHEN 'ipo' THEN 'list_date' ELSE property.pick('cap', 'cap', 'symbol') END,
            CASE f WHEN 'sector' THEN 'sector' END, CASE f WHEN 'sector' THEN 1 + property.below(6) END,
            CASE f WHEN 'sector' THEN property.below(4) END, CASE f WHEN 'combo' THEN property.some_symbols(8) END);
    END LOOP;
END $$;

CREATE FUNCTION property.rules_json() RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_build_object('version', 1, 'limits', (SELECT to_jsonb(l) || '{"stale_days": 3650}' FROM property.limits l), 'universes', jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'family', family, 'key', universe, 'title', 'T ' || nr, 'select', filter, 'limit', nullif(n, 0), 'buffer', nullif(width, 0), 'order', ord,
        'per', per, 'per_min', per_min, 'per_limit', nullif(per_limit, 0), 'also', CASE WHEN also IS NOT NULL THEN jsonb_build_object('asset', 'both', 'symbols', also) END,
        'outputs', jsonb_build_array(jsonb_build_object('key', universe,
            'type', CASE family WHEN 'etf' THEN 'etf_universe' WHEN 'combo' THEN 'stock_etf_combo' ELSE 'stock_universe' END,
            'name', CASE family WHEN 'market_leader' THEN 'market_leaders' WHEN 'sector' THEN 'sector_leaders' WHEN 'theme' THEN 'themes' WHEN 'etf' THEN 'Funds ' || nr
                                WHEN 'combo' THEN 'stock_etf_test' ELSE family END,
            'shape', CASE WHEN family IN ('etf', 'combo') THEN 'tickers' ELSE 'stocks' END)))) ORDER BY nr))::text FROM property.rule
$$;

-- ---- the market ----
CREATE FUNCTION property.draw_symbol(name text, day date) RETURNS void LANGUAGE sql AS $$
    INSERT INTO symbols (symbol, name, exchange, market, type, active, market_cap, weighted_shares_outstanding, sector, industry, list_date, aum_millions)
    SELECT name, 'Name ' || name, 'XNAS', 'stocks', property.pick('CS', 'CS', 'CS', 'CS', 'ETF', 'ADRC'), random() < 0.9,
           CASE WHEN random() < 0.5 THEN property.below(400) END, CASE WHEN random() < 0.9 THEN 1 + property.below(40) END,
           property.pick('Oil & Gas', 'Oil and Gas', 'Tech', 'Health Care', 'Unknown', '', NULL), 'Chips', day - property.below(40),
           CASE WHEN random() < 0.5 THEN property.below(300) / 1e6 END
    ON CONFLICT DO NOTHING
$$;
CREATE FUNCTION property.draw_day(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE day date := date '2024-01-01' + n;
BEGIN
    IF n = 0 THEN
        PERFORM property.draw_symbol('S' || lpad(i::text, 2, '0'), day) FROM generate_series(0, 49) i;
    ELSE
        PERFORM property.draw_symbol('S' || lpad(property.below(60)::text, 2, '0'), day) FROM generate_series(1, property.below(4));
        UPDATE symbols SET active = NOT active WHERE random() < 0.05;
        UPDATE symbols SET sector = property.pick('Oil & Gas', 'Tech', 'Fish', NULL) WHERE random() < 0.05;
        UPDATE symbols SET weighted_shares_outstanding = nullif(property.below(40), 0) WHERE random() < 0.1;
        IF random() < 0.3 THEN DELETE FROM symbols WHERE symbol = (SELECT symbol FROM symbols ORDER BY random() LIMIT 1); END IF;
    END IF;
    INSERT INTO ohlcv_daily (symbol, date, close)
    SELECT symbol, day, CASE WHEN random() < 0.03 THEN (ARRAY[NULL, 'NaN', 0, -1]::numeric[])[1 + property.below(4)] ELSE (1 + property.below(30)) / 2.0 END
      FROM symbols WHERE n = 0 OR random() < 0.6 ORDER BY symbol;
END $$;

-- ---- the command ----
CREATE FUNCTION property.command(mode text, forced bool DEFAULT true, dry bool DEFAULT false, as_of date DEFAULT NULL) RETURNS void LANGUAGE sql AS
    $$ DELETE FROM property.command; INSERT INTO property.command VALUES (mode, forced, dry, as_of) $$;
CREATE FUNCTION property.draw_command(n int) RETURNS void LANGUAGE sql AS $$
    SELECT property.command(property.pick('full', 'full', 'market_cap', 'themes', 'ipos', 'ipos'), random() < 0.5, random() < 0.2,
                            CASE WHEN random() < 0.25 THEN date '2024-01-01' + property.below(n + 1) END)
$$;
CREATE FUNCTION property.fields() RETURNS text LANGUAGE sql AS $$
    SELECT format('mode %s force %s dry_run %s', mode, forced::int, dry::int) || coalesce(' as_of ' || as_of, '') FROM property.command
$$;

-- ---- the model ----
CREATE FUNCTION property.covers(mode text, family text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE mode WHEN 'full' THEN true WHEN 'themes' THEN family = 'theme' WHEN 'ipos' THEN family = 'ipo'
                     ELSE family IN ('market_cap', 'market_leader', 'sector', 'combo') END
$$;
CREATE FUNCTION property.family(u text) RETURNS text LANGUAGE sql AS $$
    SELECT family FROM property.rule WHERE universe = u OR (per IS NOT NULL AND starts_with(u, replace(universe, '{key}', '')))
$$;

-- Caps and closes as the command sees them: of each symbol the last row up to as_of, if its close is usable.
CREATE FUNCTION property.look() RETURNS void LANGUAGE sql AS $$
    DELETE FROM property.cap;
    DELETE FROM property.market;
    DELETE FROM property.seen;
    INSERT INTO property.seen SELECT s.symbol, o.date, round(o.close * s.weighted_shares_outstanding) FROM symbols s, property.command c, LATERAL
        (SELECT date, close FROM ohlcv_daily o WHERE o.symbol = s.symbol AND (c.as_of IS NULL OR o.date <= c.as_of) ORDER BY date DESC LIMIT 1) o
        WHERE o.close > 0 AND o.close <> 'NaN';
    INSERT INTO property.cap
    SELECT s.symbol, coalesce(CASE WHEN c.as_of IS NOT NULL OR c.mode IN ('full', 'market_cap') THEN n.cap END, s.market_cap, CASE s.type WHEN 'ETF' THEN s.aum_millions * 1e6 END, 0),
           CASE WHEN s.active AND c.as_of IS NULL AND c.mode IN ('full', 'market_cap') THEN coalesce(n.cap, s.market_cap) ELSE s.market_cap END
      FROM property.command c, symbols s LEFT JOIN property.seen n USING (symbol);
    INSERT INTO property.market
    SELECT count(*) FILTER (WHERE s.type = 'CS'), count(*) FILTER (WHERE s.type = 'CS' AND n.day = d.day), coalesce(sum(c.cap) FILTER (WHERE s.type = 'CS' AND c.cap > 0), 0), d.day
      FROM symbols s JOIN property.cap c USING (symbol) LEFT JOIN property.seen n USING (symbol),
           (SELECT max(day) AS day FROM property.seen JOIN symbols USING (symbol) WHERE active) d WHERE s.active GROUP BY d.day;
$$;

-- The members by the rules of every universe, and for mode ipos those that listings make; what the mode does not cover stays.
CREATE FUNCTION property.choose() RETURNS void LANGUAGE sql AS $$
    DELETE FROM property.next;
    INSERT INTO property.next
    WITH asked AS (SELECT * FROM property.command),
    live AS (SELECT s.symbol::text COLLATE "C" AS symbol, c.cap, s.type, nullif(nullif(s.sector, ''), 'Unknown') AS sector, s.list_date
               FROM symbols s JOIN property.cap c USING (symbol) WHERE s.active AND s.type IN ('CS', 'ETF')),
    known AS MATERIALIZED (SELECT DISTINCT b.universe FROM property.before b CROSS JOIN asked a LEFT JOIN symbols s ON s.symbol = b.symbol WHERE s.active OR a.mode = 'ipos'),
    -- every pair of rule and symbol that may be one, with the universe that it would be in
    pair AS (SELECT r.*, l.*, CASE WHEN r.per IS NULL THEN r.universe ELSE replace(r.universe, '{key}', property.key(l.sector)) END AS u
               FROM property.rule r CROSS JOIN live l
              WHERE CASE r.filter->>'asset' WHEN 'etf' THEN l.type = 'ETF' ELSE l.type = 'CS' AND l.cap > 0 END
                AND (r.per IS NULL OR l.sector IS NOT NULL)),
    judged AS MATERIALIZED (SELECT p.*, EXISTS (SELECT FROM property.before b WHERE b.universe = p.u AND b.symbol = p.symbol) AS was, EXISTS (SELECT FROM known k WHERE k.universe = p.u) AS old FROM pair p),
    passed AS (SELECT j.* FROM judged j, property.market m, LATERAL (SELECT CASE WHEN j.n > 0 OR NOT j.old THEN 0 WHEN j.was THEN j.width ELSE -j.width END / 100.0 AS share) b
                WHERE (NOT j.filter ? 'cap_min' OR j.cap >= (j.filter->>'cap_min')::numeric * (1 - b.share))
                  AND (NOT j.filter ? 'cap_max' OR j.cap < (j.filter->>'cap_max')::numeric * (1 + b.share))
                  AND (NOT j.filter ? 'listed_within_days' OR j.list_date BETWEEN m.market_date - (j.filter->>'listed_within_days')::int AND m.market_date)
                  AND (NOT j.filter ? 'symbols' OR j.filter->'symbols' ? j.symbol OR (j.filter ? 'any_of_lists' AND j.filter->'sectors' ? j.sector))),
    -- rank within the universe, in the rule's order; a partition's value with too few, or beyond the largest, has none
    ranked AS (SELECT p.*, row_number() OVER (PARTITION BY nr, u ORDER BY CASE WHEN ord = 'cap' THEN -cap END, CASE WHEN ord = 'list_date' THEN list_date END DESC, symbol) AS rank,
                      count(*) OVER (PARTITION BY nr, u) AS size, min(sector COLLATE "C") OVER (PARTITION BY nr, u) AS title FROM passed p),
    value AS (SELECT nr, u, size, row_number() OVER (PARTITION BY nr ORDER BY size DESC, title) AS place FROM ranked WHERE per IS NOT NULL AND size >= per_min GROUP BY nr, u, size, title),
    first AS (SELECT r.* FROM ranked r LEFT JOIN value v USING (nr, u)
               WHERE (r.per IS NULL OR (v.place IS NOT NULL AND (r.per_limit = 0 OR v.place <= r.per_limit)))
                 AND (r.n = 0 OR r.rank <= r.n + CASE WHEN NOT r.old THEN 0 WHEN r.was THEN r.width ELSE -r.width END)),
    also AS (SELECT r.universe AS u, l.symbol FROM property.rule r JOIN live l ON l.symbol = ANY (r.also)
              WHERE (l.type = 'ETF' OR l.cap > 0) AND NOT EXISTS (SELECT FROM first f WHERE f.nr = r.nr AND f.symbol = l.symbol)),
    -- mode ipos: who enters a universe of new listings, and where else
    listed AS (SELECT DISTINCT symbol FROM first WHERE family = 'ipo' AND NOT was),
    placed AS (SELECT f.u, f.symbol FROM first f JOIN listed USING (symbol) CROSS JOIN asked a WHERE a.mode = 'ipos' AND f.family IN ('market_cap', 'theme') AND NOT f.was),
    grown AS (SELECT universe AS u, symbol FROM property.before WHERE universe IN (SELECT u FROM placed) UNION SELECT u, symbol FROM placed),
    stays AS (SELECT b.* FROM property.before b, asked a WHERE NOT property.covers(a.mode, property.family(b.universe)) AND b.universe NOT IN (SELECT u FROM placed))
    SELECT u, rank, symbol FROM first, asked a WHERE property.covers(a.mode, family)
    UNION ALL SELECT u, 1000 + row_number() OVER (PARTITION BY u ORDER BY symbol), symbol FROM also, asked a WHERE property.covers(a.mode, 'combo')
    UNION ALL SELECT g.u, row_number() OVER (PARTITION BY g.u ORDER BY CASE WHEN r.ord = 'cap' THEN -coalesce(c.cap, 0) END, g.symbol), g.symbol
                FROM grown g JOIN property.rule r ON r.universe = g.u LEFT JOIN property.cap c ON c.symbol = g.symbol
    UNION ALL SELECT * FROM stays
$$;

-- Which check refuses it, in their order.
CREATE FUNCTION property.refusal() RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN m.closed_stocks < l.min_close_share * m.active_stocks THEN 'incomplete_market_data'
                WHEN last.active_stocks - m.active_stocks > l.max_shrink * last.active_stocks THEN 'universe_shrink'
                WHEN last.active_stocks IS NOT NULL AND EXISTS (SELECT FROM
                        (SELECT universe, count(*) FILTER (WHERE old) AS before, count(*) FILTER (WHERE NOT old) AS after
                           FROM (SELECT universe, true AS old FROM property.before UNION ALL SELECT universe, false FROM property.next) b GROUP BY 1) u
                      WHERE property.family(universe) <> 'ipo' AND before >= l.shrink_min_members AND before - after > l.max_shrink * before) THEN 'universe_shrink'
                WHEN last.total > 0 AND abs(m.total - last.total) > l.max_cap_change * last.total THEN 'absurd_market_cap'
                ELSE '' END
      FROM property.market m CROSS JOIN property.limits l LEFT JOIN property.last ON true
$$;

CREATE FUNCTION property.advance() RETURNS void LANGUAGE plpgsql SET jit = off AS $$
DECLARE asked property.command; code text;
BEGIN
    SELECT * INTO asked FROM property.command;
    DELETE FROM property.before; INSERT INTO property.before SELECT * FROM property.member;
    PERFORM property.look();
    PERFORM property.choose();
    code := CASE WHEN asked.forced THEN '' ELSE property.refusal() END;
    DELETE FROM property.verdict; INSERT INTO property.verdict VALUES (code);
    DELETE FROM property.moved;
    INSERT INTO property.moved
        SELECT universe, symbol, 'added' FROM (SELECT universe, symbol FROM property.next EXCEPT SELECT universe, symbol FROM property.before) a
        UNION ALL SELECT universe, symbol, 'removed' FROM (SELECT universe, symbol FROM property.before EXCEPT SELECT universe, symbol FROM property.next) r;
    IF code <> '' OR asked.dry THEN
        UPDATE property.cap p SET stored = s.market_cap FROM symbols s WHERE s.symbol = p.symbol;
    ELSE
        DELETE FROM property.member; INSERT INTO property.member SELECT * FROM property.next;
        DELETE FROM property.last; INSERT INTO property.last SELECT * FROM property.market;
    END IF;
END $$;

-- What was told of the job: its status, the code of its failure, total_changes, and the diff of a dry run.
CREATE FUNCTION property.differences(job text, status text, code text, changes bigint, diff jsonb) RETURNS SETOF text LANGUAGE sql SET jit = off AS $$
    WITH asked AS (SELECT c.*, v.code AS refused, v.code = '' AND NOT c.dry AS written FROM property.command c, property.verdict v),
    wanted AS (SELECT universe, string_agg(symbol, ' ' ORDER BY pos) AS members FROM property.member GROUP BY 1),
    got AS (SELECT universe::text COLLATE "C" AS universe, (SELECT string_agg(s, ' ' ORDER BY n) FROM jsonb_array_elements_text(content->'symbols') WITH ORDINALITY e(s, n)) AS members
              FROM cache_entries WHERE environment = 'DEFAULT' AND cache_type IS NOT NULL),
    moved AS (SELECT m.* FROM property.moved m, asked WHERE written),
    logged AS (SELECT universe::text COLLATE "C" AS universe, symbol::text COLLATE "C" AS symbol, action::text FROM sync_changes_log WHERE job_id::text = job),
    promised AS (SELECT m.* FROM property.moved m, asked WHERE refused = '' AND dry),
    told AS (SELECT u.key COLLATE "C" AS universe, s COLLATE "C" AS symbol, a.key FROM jsonb_each(diff) u, jsonb_each(u.value) a, jsonb_array_elements_text(a.value) s),
    folded AS (SELECT w.universe, (SELECT string_agg(s, ' ' ORDER BY s COLLATE "C") FROM universe_as_of(w.universe, 'DEFAULT', now()) s) AS members,
                      (SELECT string_agg(symbol, ' ' ORDER BY symbol) FROM property.member m WHERE m.universe = w.universe) AS wanted
                 FROM (SELECT universe FROM property.member UNION SELECT universe FROM property.before) w)
    SELECT format('it is %s %s, not %s', status, code, CASE refused WHEN '' THEN 'completed' ELSE 'failed ' || refused END)
      FROM asked WHERE (status, coalesce(code, '')) IS DISTINCT FROM (CASE refused WHEN '' THEN 'completed' ELSE 'failed' END, refused)
    UNION ALL SELECT format('%s: %s, not %s', coalesce(w.universe, g.universe), g.members, w.members) FROM wanted w FULL JOIN got g USING (universe) WHERE w.members IS DISTINCT FROM g.members
    UNION ALL SELECT format('market cap of %s: %s, not %s', symbol, s.market_cap, c.stored) FROM symbols s JOIN property.cap c USING (symbol) WHERE s.market_cap IS DISTINCT FROM c.stored
    UNION ALL SELECT format('log: %s %s %s is missing', universe, symbol, action) FROM (SELECT * FROM moved EXCEPT ALL SELECT * FROM logged) d
    UNION ALL SELECT format('log: %s %s %s did not happen', universe, symbol, action) FROM (SELECT * FROM logged EXCEPT ALL SELECT * FROM moved) d
    UNION ALL SELECT format('diff: %s %s %s is missing', universe, symbol, action) FROM (SELECT * FROM promised EXCEPT ALL SELECT * FROM told) d
    UNION ALL SELECT format('diff: %s %s %s would not happen', universe, symbol, action) FROM (SELECT universe, symbol, key AS action FROM told EXCEPT ALL SELECT * FROM promised) d
    UNION ALL SELECT format('log folds %s to %s, not %s', universe, members, wanted) FROM folded WHERE members IS DISTINCT FROM wanted
    UNION ALL SELECT format('total_changes %s, not %s', changes, (SELECT count(*) FROM property.moved)) FROM asked WHERE refused = '' AND changes IS DISTINCT FROM (SELECT count(*) FROM property.moved)
$$;
