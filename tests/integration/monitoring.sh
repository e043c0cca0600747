#!/bin/bash
# The alert rules and the dashboard: their syntax, when they fire, and that each metric they name is one that the adapter gives.
# shellcheck disable=SC2317 # functions that wait_until and ok run
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/http.sh
. "$(dirname "$0")/../support/http.sh"

rules=$ROOT/deploy/prometheus/cachesync.rules.yml
dashboard=$ROOT/deploy/grafana/cachesync.json
ok 'promtool takes the rules' promtool check rules "$rules"
fires() { cd "$ROOT/tests/integration" && promtool test rules alerts.yml; }
ok 'each alert fires when it should, and only then' fires
sed -n 's/^ *- alert: //p' "$rules" | sort >"$SCRATCH/alerts"
is "$(grep -o 'alertname: [A-Za-z]*' "$ROOT/tests/integration/alerts.yml" | cut -d' ' -f2 | sort -u | diff - "$SCRATCH/alerts")" '' 'each alert has a case'
sed -n 's/^### \(Cachesync[A-Za-z]*\)$/\1/p' "$ROOT/docs/operations.md" | sort >"$SCRATCH/sections"
is "$(diff "$SCRATCH/sections" "$SCRATCH/alerts")" '' 'each alert has its section in the runbook'
is "$(paste -d' ' <(sed -n 's/^ *- alert: //p' "$rules") <(sed -n 's/.*runbook: .*#//p' "$rules") | awk 'tolower($1) != $2')" '' 'and points at it'

# ---- the dashboard: JSON, unique ids, no overlap, expressions that parse
ok 'the dashboard is JSON' jq -e '.uid == "cachesync" and (.panels | length) > 10' "$dashboard"
is "$(jq -r '[.panels[].id] | group_by(.)[] | select(length > 1) | .[0]' "$dashboard")" '' 'each panel has its own id'
is "$(jq -r '[.panels[] | .gridPos | . as {$x, $y, $w, $h} | range($x; $x + $w) as $i | range($y; $y + $h) as $j | "\($i),\($j)"] | group_by(.)[] | select(length > 1) | .[0]' "$dashboard")" '' 'no panel covers another'
# shellcheck disable=SC2016 # Grafana's variable, not ours
jq -r '.. | objects | .expr // empty' "$dashboard" | sed 's/\$__rate_interval/5m/g' >"$SCRATCH/expressions"
jq -Rn '{groups: [{name: "dashboard", rules: [inputs | {record: "a:b", expr: .}]}]}' "$SCRATCH/expressions" >"$SCRATCH/dashboard-rules.json"
# Lint complains of the same name again and again; parsing is what counts.
ok 'each of its expressions parses' promtool check rules --lint=none "$SCRATCH/dashboard-rules.json"

# ---- what the adapter gives
start_redis
now=$(date +%s%3N)
redis ZADD "$P:workers" "$now" w1 >/dev/null
redis HSET "$P:worker:w1" last_read_ms "$now" threads 2 busy 1 database up >/dev/null
redis HSET "$P:metrics" "last_success_ms:DEFAULT" "$now" "market_date:DEFAULT" 2026-11-23 >/dev/null
TICKSTOCKPL_API_KEY=key-of-the-test TICKSTOCKPL_PORT=$PORT "$BUILD/cachesync-http" 2>>"$SCRATCH/http.log" &
PIDS+=("$!")
metrics() { curl -sf -H 'Authorization: Bearer key-of-the-test' "http://127.0.0.1:$PORT/metrics" >"$SCRATCH/metrics" && grep -q 'redis_up 1' "$SCRATCH/metrics"; }
wait_until 20 'the adapter gives its metrics' metrics
metrics
is "$(promtool check metrics <"$SCRATCH/metrics" 2>&1)" '' 'promtool finds nothing to complain of'
sed -n 's/^\([a-z_]*\)[{ ].*/\1/p' "$SCRATCH/metrics" | sort -u >"$SCRATCH/names"
named() { grep -o 'cachesync_[a-z_]*' "$1" | sort -u; }
is "$(named "$SCRATCH/expressions" | comm -23 - "$SCRATCH/names")" '' 'the dashboard names only what there is'
grep -v '^ *#' "$rules" | grep -v runbook >"$SCRATCH/rules"
is "$(named "$SCRATCH/rules" | comm -23 - "$SCRATCH/names")" '' 'and so do the alerts'
finish
