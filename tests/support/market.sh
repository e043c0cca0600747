# shellcheck shell=bash
# A market made by hand, for tests of the engine; sourced after lib.sh. Today is New York's.
#
#   stock SYMBOL CAP [SECTOR [INDUSTRY [LIST_DATE]]]   an active stock: 1,000 shares, closes of yesterday and today
#   close_of SYMBOL CAP [DATE]                         its close (today's) so that close x shares = CAP
#   synced MODE [FIELD VALUE...]                       run a job that must complete; sets id

TODAY=$(TZ=America/New_York date +%F)
day() { date -d "$TODAY $1 days" +%F; } # day -3

stock() {
    sql "INSERT INTO symbols (symbol, name, exchange, market, type, active, market_cap, weighted_shares_outstanding, sector, industry, list_date)
         VALUES ('$1', '$1 Inc', 'XNAS', 'stocks', 'CS', true, $2, 1000, nullif('${3:-}', ''), nullif('${4:-}', ''), nullif('${5:-}', '')::date);
         INSERT INTO ohlcv_daily (symbol, date, close) SELECT '$1', d::date, $2 / 1000.0 FROM unnest(ARRAY['$(day -1)', '$TODAY']) d"
}
close_of() {
    sql "INSERT INTO ohlcv_daily (symbol, date, close) VALUES ('$1', '${3:-$TODAY}', $2 / 1000.0)
         ON CONFLICT (symbol, date) DO UPDATE SET close = excluded.close"
}
synced() {
    id=$(run_job mode "$@")
    is "$(job_field "$id" status)$(job_field "$id" error_details)" completed "sync: $*"
}
refused() { # CODE MODE [FIELD VALUE...]: sets id
    local code=$1; shift
    id=$(run_job mode "$@")
    is "$(job_field "$id" error_details | jq -r .code)" "$code" "sync is refused with $code: $*"
}
# members KEY [ENVIRONMENT]: in the order of the row of stock_universe (or whatever else has the key)
members() {
    sql "SELECT string_agg(s, ' ' ORDER BY n) FROM cache_entries, jsonb_array_elements_text(content->'symbols') WITH ORDINALITY e(s, n)
          WHERE key = '$1' AND environment = '${2:-DEFAULT}'"
}
# Everything that a sync may write, with the transactions that wrote it.
written() {
    sql "SELECT (SELECT md5(string_agg(xmin || symbol || coalesce(market_cap, -1), ',' ORDER BY symbol)) FROM symbols),
                (SELECT md5(string_agg(xmin || type || name || key || environment || value::text, ',' ORDER BY id)) FROM cache_entries),
                (SELECT count(*) FROM sync_changes_log), (SELECT count(*) FROM cache_sync_runs), (SELECT count(*) FROM cache_sync_rows)"
}
# rows [CONDITION]: the transactions that wrote the rows of cache_entries
rows() { sql "SELECT md5(string_agg(type || name || key || xmin, ',' ORDER BY id)) FROM cache_entries WHERE ${1:-true}"; }
# Changes of job $1 as the log has them: "+universe:SYMBOL -universe:SYMBOL ..."
logged() {
    sql "SELECT string_agg(CASE action WHEN 'added' THEN '+' ELSE '-' END || universe || ':' || symbol, ' ' ORDER BY universe COLLATE \"C\", symbol COLLATE \"C\")
           FROM sync_changes_log WHERE job_id = '$1' AND change_type <> 'baseline'"
}
# Universes whose log does not fold to what their row says; none is right. [ENVIRONMENT]
unfolded() {
    sql "SELECT string_agg(DISTINCT r.universe, ' ') FROM cache_entries c JOIN cache_sync_rows r USING (environment, type, name, key)
          WHERE r.cache_type <> 'stats' AND environment = '${1:-DEFAULT}' AND ARRAY(SELECT jsonb_array_elements_text(c.content->'symbols') ORDER BY 1)
                IS DISTINCT FROM ARRAY(SELECT universe_as_of(r.universe, r.environment, now()) ORDER BY 1)"
}
# Events of a channel that belong to job $2, payloads one a line.
events() {
    redis --json XRANGE "$P:events" - + | jq -c --arg channel "$1" --arg job "$2" '.[][1] | [range(0; length; 2) as $i | {key: .[$i], value: .[$i + 1]}]
        | from_entries | select(.channel == $channel) | .event | fromjson | select((.payload.job_id // .payload.context.job_id) == $job) | .payload'
}
