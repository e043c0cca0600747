-- Night after night: what the validation checks must say of one, what a sync of it must have changed, logged and told, and what
-- must be remembered of it. On top of oracle.sql; read once, then for each night:
--
--   SELECT oracle.verdict(today, stale_days)   after oracle.compute(): the code of the refusal, or ''
--   SELECT * FROM oracle.judge(job_id)         after the sync: one row a check, wrong is '' or says what differs
--   SELECT * FROM oracle.judge_past(from, to)  at the end: universe_as_of at the moment of every night
SET client_min_messages = warning;
CREATE TABLE oracle.night (id serial PRIMARY KEY, moment timestamptz, active_stocks bigint, total_cap numeric);
CREATE TABLE oracle.kept (night int, universe text, family text, members text[], PRIMARY KEY (night, universe));
CREATE TABLE oracle.fold (universe text COLLATE "C", symbol text COLLATE "C", PRIMARY KEY (universe, symbol));
CREATE UNLOGGED TABLE oracle.change (universe text COLLATE "C", symbol text COLLATE "C", action text, delisted boolean, PRIMARY KEY (universe, symbol));
CREATE TABLE oracle.listed (symbol text PRIMARY KEY);
CREATE TABLE oracle.last_cap (symbol text COLLATE "C" PRIMARY KEY, cap bigint);
CREATE TABLE oracle.jump (night int, symbol text COLLATE "C", before bigint, after bigint);

CREATE VIEW oracle.figures AS
SELECT (SELECT d FROM oracle.day) AS d, count(*) AS active, count(*) FILTER (WHERE closed = (SELECT d FROM oracle.day)) AS closed,
       (SELECT sum(cap) FROM oracle.stock) AS total
  FROM oracle.market WHERE kind = 'CS';

CREATE FUNCTION oracle.verdict(today date, stale_days int) RETURNS text LANGUAGE sql AS $$
    WITH last AS (SELECT * FROM oracle.night ORDER BY id DESC LIMIT 1),
    shrunk AS (
        SELECT FROM oracle.kept k JOIN last ON k.night = last.id LEFT JOIN (SELECT universe, count(*) AS n FROM oracle.member GROUP BY 1) m USING (universe)
         WHERE cardinality(k.members) >= 20 AND k.family <> 'ipo' AND coalesce(m.n, 0) < 0.8 * cardinality(k.members))
    SELECT CASE WHEN f.d IS NULL OR today - f.d > stale_days THEN 'stale_market_data'
                WHEN f.closed < 0.8 * f.active THEN 'incomplete_market_data'
                WHEN f.active < 0.8 * last.active_stocks OR EXISTS (SELECT FROM shrunk) THEN 'universe_shrink'
                WHEN abs(f.total / last.total_cap - 1) > 0.15 THEN 'absurd_market_cap'
                ELSE '' END
      FROM oracle.figures f LEFT JOIN last ON true
$$;

-- Memberships that differ from the last night's; who left and is inactive was delisted.
CREATE FUNCTION oracle.fill_change() RETURNS void LANGUAGE sql AS $$
    TRUNCATE oracle.change;
    INSERT INTO oracle.change
    SELECT universe, symbol, CASE WHEN m.family IS NULL THEN 'removed' ELSE 'added' END, m.family IS NULL AND NOT EXISTS (SELECT FROM oracle.market a WHERE a.symbol = f.symbol)
      FROM oracle.fold f FULL JOIN oracle.member m USING (universe, symbol) WHERE m.family IS NULL OR f.universe IS NULL
$$;

-- Fold one job's log: '' or the entries that do not fit what was folded before.
CREATE FUNCTION oracle.fold_job(job text) RETURNS text LANGUAGE sql AS $$
    WITH log AS (SELECT universe, symbol, action FROM sync_changes_log WHERE job_id = job AND environment = 'DEFAULT'),
    misfit AS (SELECT l.* FROM log l LEFT JOIN oracle.fold f USING (universe, symbol) WHERE (l.action = 'added') <> (f.symbol IS NULL)),
    gone AS (DELETE FROM oracle.fold f USING log l WHERE l.action = 'removed' AND l.universe = f.universe AND l.symbol = f.symbol),
    came AS (INSERT INTO oracle.fold SELECT universe, symbol FROM log WHERE action = 'added' ON CONFLICT DO NOTHING)
    SELECT coalesce(string_agg(concat_ws(' ', universe, symbol, action), ', '), '') FROM misfit
$$;

-- The checks, each a query of what is wrong; NULL and '' are right.
CREATE VIEW oracle.wrong_rows AS
SELECT string_agg(concat_ws('/', type, name, key), ' ') AS wrong
  FROM oracle.row o FULL JOIN (SELECT type, name, key, oracle.content(value) AS value FROM cache_entries WHERE environment = 'DEFAULT') c USING (type, name, key)
 WHERE o.value IS DISTINCT FROM c.value;
CREATE VIEW oracle.wrong_caps AS
SELECT string_agg(symbol, ' ') AS wrong FROM symbols s JOIN oracle.before b USING (symbol) LEFT JOIN oracle.market m USING (symbol)
 WHERE s.market_cap IS DISTINCT FROM CASE WHEN m.kind = 'ETF' AND b.market_cap IS NULL AND s.weighted_shares_outstanding IS NULL OR m.symbol IS NULL
                                          THEN b.market_cap ELSE nullif(m.cap, CASE WHEN b.market_cap IS NULL THEN 0 END) END;
CREATE VIEW oracle.wrong_rewrites AS
SELECT string_agg(b.key, ' ') AS wrong FROM oracle.before_row b JOIN oracle.row o USING (type, name, key) JOIN cache_entries c USING (type, name, key)
 WHERE c.environment = 'DEFAULT' AND b.value = o.value AND c.xmin <> b.version;
CREATE VIEW oracle.wrong_fold AS
SELECT string_agg(concat_ws(' ', universe, symbol), ', ') AS wrong FROM oracle.fold f FULL JOIN oracle.member m USING (universe, symbol) WHERE f.universe IS NULL OR m.family IS NULL;

CREATE FUNCTION oracle.differ(got text[], wanted text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN coalesce(got, '{}') = coalesce(wanted, '{}') THEN '' ELSE format('got %s, wanted %s', got, wanted) END
$$;

-- Stocks whose cap is twice or half of what it was at the last sync, whatever caps an importer wrote in between; of those that
-- were none then, what stood in symbols.
CREATE VIEW oracle.jumping AS
SELECT symbol, before, after FROM (
    SELECT s.symbol, coalesce(l.cap, CASE WHEN s.closed IS NOT NULL AND y.weighted_shares_outstanding > 0 THEN b.market_cap END) AS before, s.cap AS after
      FROM oracle.stock s JOIN oracle.before b USING (symbol) JOIN symbols y ON y.symbol = s.symbol LEFT JOIN oracle.last_cap l ON l.symbol = s.symbol) x
 WHERE before > 0 AND (after >= 2 * before OR before >= 2 * after);

-- The warnings of one code as texts, and their counts.
CREATE FUNCTION oracle.warned(r jsonb, code text) RETURNS SETOF jsonb LANGUAGE sql AS $$
    SELECT w->'context' FROM jsonb_array_elements(r#>'{summary,warnings}') w WHERE w->>'error_code' = code
$$;
CREATE FUNCTION oracle.judge_warnings(r jsonb) RETURNS TABLE (name text, wrong text) LANGUAGE sql AS $$
    WITH top AS (SELECT * FROM oracle.jumping ORDER BY abs(after::float8 - before) DESC, symbol LIMIT 20),
    moves AS (SELECT c.symbol, m.family, bool_or(c.action = 'removed') AS left_one, count(*) FILTER (WHERE c.action = 'added') AS joined FROM oracle.change c
                JOIN (SELECT DISTINCT universe, family FROM oracle.member WHERE family IN ('sector', 'industry')) m USING (universe) GROUP BY 1, 2),
    now AS MATERIALIZED (SELECT job_id FROM cache_sync_runs ORDER BY committed_at DESC LIMIT 1),
    back AS (SELECT c.symbol FROM oracle.change c JOIN LATERAL (SELECT reason FROM sync_changes_log l WHERE l.universe = c.universe COLLATE "default" AND l.symbol = c.symbol COLLATE "default"
                AND l.environment = 'DEFAULT' AND l.job_id <> (SELECT job_id FROM now) ORDER BY created_at DESC, id DESC LIMIT 1) l ON l.reason = 'delisted'
              WHERE c.action = 'added' AND c.universe IN ('all_stocks', 'all_etfs'))
    SELECT 'the warning of caps that jump', oracle.differ(
           (SELECT ARRAY[w->>'count'] || array_agg(concat_ws(' ', e->>'symbol', e->>'market_cap_before', e->>'market_cap') ORDER BY e->>'symbol' COLLATE "C")
              FROM oracle.warned(r, 'market_cap_jump') w, jsonb_array_elements(w->'symbols') e GROUP BY w),
           (SELECT ARRAY[(SELECT count(*)::text FROM oracle.jumping)] || array_agg(concat_ws(' ', symbol, before, after) ORDER BY symbol) FROM top HAVING count(*) > 0))
    UNION ALL SELECT 'the warning of listings that rank high', oracle.differ(
           (SELECT array_agg(concat_ws(' ', e->>'symbol', e->>'rank') ORDER BY (e->>'rank')::int) FROM oracle.warned(r, 'new_listing_rank') w, jsonb_array_elements(w->'symbols') e),
           (SELECT array_agg(concat_ws(' ', symbol, rank) ORDER BY rank) FROM oracle.stock, oracle.day WHERE rank <= 100 AND list_date BETWEEN d - 30 AND d))
    UNION ALL SELECT 'the count of symbols that are back', oracle.differ((SELECT ARRAY[w->>'count'] FROM oracle.warned(r, 'symbol_returned') w), (SELECT ARRAY[count(*)::text] FROM back HAVING count(*) > 0))
    UNION ALL SELECT 'the count of symbols in another sector or industry', oracle.differ((SELECT ARRAY[w->>'count'] FROM oracle.warned(r, 'sector_changed') w),
           (SELECT ARRAY[sum(joined)::text] FROM moves WHERE left_one HAVING sum(joined) > 0))
    UNION ALL SELECT 'the count of stocks without a close', oracle.differ((SELECT ARRAY[w->>'count'] FROM oracle.warned(r, 'no_trade') w),
           (SELECT ARRAY[count(*)::text] FROM oracle.stock, oracle.day WHERE closed IS DISTINCT FROM d HAVING count(*) > 0))
$$;

-- What the recorded result tells, against the changes.
CREATE FUNCTION oracle.judge_result(r jsonb, job text) RETURNS TABLE (name text, wrong text) LANGUAGE sql AS $$
    WITH new AS (SELECT symbol FROM oracle.change c WHERE universe = 'recent_ipos' AND action = 'added' AND NOT EXISTS (SELECT FROM oracle.listed l WHERE l.symbol = c.symbol)),
    moved AS (SELECT universe, count(*) FILTER (WHERE action = 'added') AS added, count(*) FILTER (WHERE action = 'removed') AS removed FROM oracle.change GROUP BY 1),
    churned AS (SELECT universe, cardinality(members) AS before, added, removed FROM oracle.kept JOIN moved USING (universe)
                 WHERE night = (SELECT max(id) FROM oracle.night) AND greatest(added, removed) > 0.2 * cardinality(members) AND EXISTS (SELECT FROM oracle.member m WHERE m.universe = kept.universe))
    SELECT 'the log holds the changes',
           (SELECT string_agg(concat_ws(' ', universe, symbol, action), ', ')
              FROM (SELECT universe, symbol, action, delisted, 1 AS made FROM oracle.change) c
              FULL JOIN (SELECT universe, symbol, action, reason = 'delisted' AS delisted, 1 AS logged FROM sync_changes_log WHERE job_id = job) l USING (universe, symbol, action, delisted)
             WHERE made IS NULL OR logged IS NULL)
    UNION ALL SELECT 'total_changes counts them', oracle.differ(ARRAY[r->>'total_changes'], ARRAY[(SELECT count(*)::text FROM oracle.change)])
    UNION ALL SELECT 'universes_updated names those with changes',
           oracle.differ((SELECT array_agg(u ORDER BY u COLLATE "C") FROM jsonb_array_elements_text(r->'universes_updated') u), (SELECT array_agg(DISTINCT universe) FROM oracle.change))
    UNION ALL SELECT 'the event of delistings', oracle.differ((SELECT array_agg(s ORDER BY s COLLATE "C") FROM jsonb_array_elements_text(nullif(r#>'{events,delistings,symbols}', 'null')) s),
           (SELECT array_agg(DISTINCT symbol) FROM oracle.change WHERE delisted))
    UNION ALL SELECT 'the events of new listings',
           oracle.differ((SELECT array_agg(concat_ws(' ', e->>'symbol', e->>'universe') ORDER BY e->>'symbol' COLLATE "C", e->>'universe' COLLATE "C") FROM jsonb_array_elements(r#>'{events,ipos}') e),
           (SELECT array_agg(concat_ws(' ', symbol, universe) ORDER BY symbol, universe) FROM oracle.change JOIN new USING (symbol) WHERE action = 'added'))
    UNION ALL SELECT 'the warnings of churn',
           oracle.differ((SELECT array_agg(concat_ws(' ', c->>'universe', c->>'before', c->>'added', c->>'removed') ORDER BY c->>'universe' COLLATE "C")
                            FROM jsonb_array_elements(r->'warnings') w, LATERAL (SELECT w->'context' AS c) x WHERE w->>'error_code' = 'universe_churn'),
           (SELECT array_agg(concat_ws(' ', universe, before, added, removed) ORDER BY universe) FROM churned))
    UNION ALL SELECT 'the figures of the checks', oracle.differ(
           (SELECT ARRAY[g->>'active_stocks', g->>'with_close', round((g->>'total_market_cap')::numeric)::text] FROM (SELECT r#>'{summary,guard}' AS g) x),
           (SELECT ARRAY[active::text, closed::text, total::text] FROM oracle.figures))
    UNION ALL SELECT 'the counts of market caps', oracle.differ(
           (SELECT ARRAY[m->>'changed', m->>'significant'] FROM (SELECT r#>'{summary,market_caps}' AS m) x),
           (SELECT ARRAY[count(*)::text, count(*) FILTER (WHERE b.market_cap > 0 AND abs(s.market_cap::float8 / b.market_cap - 1) > 0.05)::text]
              FROM symbols s JOIN oracle.before b USING (symbol) WHERE s.market_cap IS DISTINCT FROM b.market_cap))
    UNION ALL SELECT 'the counts of families', (SELECT string_agg(family, ' ') FROM
           (SELECT family, count(DISTINCT universe) AS universes, count(*) AS members FROM oracle.member GROUP BY 1) m FULL JOIN
           (SELECT key AS family, (value->>'universes')::bigint AS universes, (value->>'members')::bigint AS members FROM jsonb_each(r#>'{summary,families}') WHERE key <> 'stats') f
           USING (family) WHERE coalesce(m.universes, 0) <> coalesce(f.universes, -1) OR coalesce(m.members, 0) <> coalesce(f.members, -1))
$$;

CREATE FUNCTION oracle.judge(job text) RETURNS TABLE (name text, wrong text) LANGUAGE plpgsql AS $$
DECLARE
    misfit text;
BEGIN
    PERFORM oracle.fill_change();
    RETURN QUERY SELECT j.* FROM cache_sync_runs, oracle.judge_result(result, job) j WHERE job_id = job;
    RETURN QUERY SELECT j.* FROM cache_sync_runs, oracle.judge_warnings(result) j WHERE job_id = job;
    misfit := oracle.fold_job(job);
    RETURN QUERY SELECT 'every row of every family: members, order, ranks, values', w.wrong FROM oracle.wrong_rows w
       UNION ALL SELECT 'caps are the latest close times shares; what has none keeps its own', w.wrong FROM oracle.wrong_caps w
       UNION ALL SELECT 'no unchanged row is rewritten', w.wrong FROM oracle.wrong_rewrites w
       UNION ALL SELECT 'every log entry changes a membership', misfit
       UNION ALL SELECT 'the log folds to the memberships', w.wrong FROM oracle.wrong_fold w;
    INSERT INTO oracle.listed SELECT symbol FROM oracle.member WHERE universe = 'recent_ipos' ON CONFLICT DO NOTHING;
    WITH put AS (INSERT INTO oracle.night (moment, active_stocks, total_cap) SELECT clock_timestamp(), active, total FROM oracle.figures RETURNING id)
    INSERT INTO oracle.kept SELECT id, universe, family, array_agg(symbol::text ORDER BY symbol) FROM put, oracle.member GROUP BY 1, 2, 3;
    INSERT INTO oracle.jump SELECT (SELECT max(id) FROM oracle.night), symbol, before, after FROM oracle.jumping;
    TRUNCATE oracle.last_cap;
    INSERT INTO oracle.last_cap SELECT symbol, cap FROM oracle.stock;
END
$$;

CREATE FUNCTION oracle.judge_past(first int, final int) RETURNS TABLE (id int, wrong text) LANGUAGE sql AS $$
    SELECT n.id, string_agg(u.universe, ' ') FILTER (WHERE ARRAY(SELECT universe_as_of(u.universe, 'DEFAULT', n.moment)) IS DISTINCT FROM coalesce(k.members, '{}'))
      FROM oracle.night n CROSS JOIN (SELECT DISTINCT universe FROM oracle.kept) u LEFT JOIN oracle.kept k ON k.night = n.id AND k.universe = u.universe
     WHERE n.id BETWEEN first AND final GROUP BY n.id
$$;
