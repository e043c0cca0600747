#!/usr/bin/env bash
# Buffered bands and rankings on real days: the members are those of a model of banding in SQL, which keeps its own state.
. "$(dirname "$0")/../support/lib.sh"
. "$ROOT/tests/support/nights.sh"
. "$ROOT/tests/support/buffers.sh"
if ! have_market_data; then
    skip "buffers on real days: no market data in $MARKET_DATA (set MARKET_DATA)"
    finish
fi
start_postgres
start_redis
migrate
buffer_rules '0 3 12.5' '0 3 10' '0 40' >"$SCRATCH/rules.json"
chmod 644 "$SCRATCH/rules.json"
is "$("$BUILD/cachesync" rules check "$SCRATCH/rules.json" >/dev/null 2>&1; echo $?)" 0 'rules with widths are right'
start_daemon CACHESYNC_RULES="$SCRATCH/rules.json"

# A member stays while it is less than the width outside, a newcomer comes when it is the width or more inside; a universe
# without members takes all of the plain rule. down and up: a cap band in dollars; n: a ranking.
sql_file /dev/stdin <<'EOS'
CREATE TABLE rule (universe text, down numeric, up numeric, n int, width numeric);
INSERT INTO rule SELECT b.u || '_' || replace(w::text, '.', '_'), b.down, b.up, NULL, w FROM (VALUES ('mega_cap', 200e9, 'Infinity'), ('large_cap', 10e9, 200e9),
    ('mid_cap', 2e9, 10e9), ('small_cap', 300e6, 2e9), ('micro_cap', 50e6, 300e6)) b(u, down, up), unnest('{0,3,12.5}'::numeric[]) w;
INSERT INTO rule SELECT 'top_100_' || w, NULL, NULL, 100, w FROM unnest('{0,3,10}'::numeric[]) w;
INSERT INTO rule SELECT 'top_500_' || w, NULL, NULL, 500, w FROM unnest('{0,40}'::numeric[]) w;
CREATE TABLE model (universe text, symbol text COLLATE "C");
CREATE TABLE next_model (LIKE model);
CREATE INDEX ON model (universe, symbol);
CREATE FUNCTION advance() RETURNS void LANGUAGE sql AS $$
    TRUNCATE next_model;
    INSERT INTO next_model
    WITH stock AS (SELECT symbol::text COLLATE "C" AS symbol, market_cap AS cap, row_number() OVER (ORDER BY market_cap DESC, symbol COLLATE "C") AS rank
                     FROM symbols WHERE active AND type = 'CS' AND market_cap > 0),
    pair AS (SELECT r.*, s.*, EXISTS (SELECT FROM model m WHERE m.universe = r.universe AND m.symbol = s.symbol) AS was,
                    EXISTS (SELECT FROM model m WHERE m.universe = r.universe) AS old FROM rule r CROSS JOIN stock s)
    SELECT universe, symbol FROM pair
     WHERE CASE WHEN n IS NOT NULL THEN rank <= n + CASE WHEN NOT old THEN 0 WHEN was THEN width ELSE -width END
                WHEN NOT old THEN cap >= down AND cap < up
                WHEN was THEN cap >= down * (1 - width / 100) AND cap < up * (1 + width / 100)
                ELSE cap >= down * (1 + width / 100) AND cap < up * (1 - width / 100) END;
    TRUNCATE model;
    INSERT INTO model TABLE next_model
$$;
CREATE VIEW differ AS
SELECT coalesce(m.universe, c.universe) || ' ' || coalesce(m.symbol, c.symbol) AS what
  FROM model m FULL JOIN (SELECT key::text AS universe, (jsonb_array_elements_text(content->'symbols')) COLLATE "C" AS symbol FROM cache_entries) c
    ON c.universe = m.universe AND c.symbol = m.symbol WHERE m.universe IS NULL OR c.universe IS NULL;
EOS
mapfile -t days < <("$MARKET_DATA/load.sh" -l | sed -n '1,2p;4,8p')
for day in "${days[@]}"; do
    load_night "$day"
    id=$(run_job mode full)
    is "$(job_field "$id" status)" completed "$day: a sync with buffers completes"
    sql 'SELECT advance()' >/dev/null
    is "$(sql 'SELECT count(*), string_agg(what, $$, $$) FROM differ')" '0|' "$day: the members are the model's"
done
is "$(sql "SELECT count(*) FROM cache_entries")" 20 'every width of every universe has its row'
is "$(sql "SELECT string_agg(universe, ' ' ORDER BY n) FROM (SELECT universe, count(*) AS n FROM sync_changes_log WHERE universe LIKE 'mid%' GROUP BY 1) u")" \
    'mid_cap_12_5 mid_cap_3 mid_cap_0' 'the wider, the fewer changes'
ok 'a ranking with a buffer is not always its limit' test "$(sql "SELECT count(*) FROM model WHERE universe = 'top_500_40'")" -ne 500

# A newcomer to the market inside the width belongs to no band until it leaves it; the plain rule has it.
sql "INSERT INTO symbols (symbol, name, type, active, market_cap, list_date) VALUES ('ZZNEW', 'New', 'CS', true, 2010000000, '${days[-1]}')"
run_job mode full >/dev/null
is "$(sql "SELECT string_agg(key, ' ' ORDER BY key) FROM cache_entries WHERE name = 'market_cap' AND content->'symbols' ? 'ZZNEW'")" mid_cap_0 \
    'a new listing at the border: in the plain band alone'
sql "UPDATE symbols SET market_cap = 2300000000 WHERE symbol = 'ZZNEW'"
run_job mode full >/dev/null
sql "UPDATE symbols SET market_cap = 1990000000 WHERE symbol = 'ZZNEW'"
run_job mode full >/dev/null
is "$(sql "SELECT string_agg(key, ' ' ORDER BY key) FROM cache_entries WHERE name = 'market_cap' AND content->'symbols' ? 'ZZNEW'")" \
    'mid_cap_12_5 mid_cap_3 small_cap_0' 'once inside it stays until it is that far outside'
finish
