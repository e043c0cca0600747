#!/bin/bash
# The logs of real programs, as JSON and as text: every line is well-formed, its event is in docs/logs.md, what is about a job
# names it, and no input forges a line.
# Backquotes are text here:
# shellcheck disable=SC2016
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/http.sh"

start_redis
start_postgres
migrate
export TICKSTOCKPL_API_KEY=a-key-of-ours TICKSTOCKPL_PORT=$PORT CACHESYNC_LOG_LEVEL=debug
documented() { sed -n 's/^| `\([a-z_]*\)` |.*/\1/p' "$ROOT/docs/logs.md"; }
for format in json text; do
    export CACHESYNC_LOG_FORMAT=$format
    : >"$SCRATCH/daemon.log"
    start_daemon
    "$BUILD/cachesync-http" 2>"$SCRATCH/http.log" &
    adapter=$!
    PIDS+=("$adapter")
    wait_until 20 "$format: the adapter answers" curl -s "http://127.0.0.1:$PORT/health"
    good=$(run_job mode full force 1)
    bad=$(run_job mode $'side\nways level=error job=forged')
    evil=$(run_job mode themes force 1 triggered_by $'x"}\n{"event":"forged"}')
    curl -s -H "X-API-Key: $TICKSTOCKPL_API_KEY" "http://127.0.0.1:$PORT/api/processing/cache-sync/status/$good?%0Aforged=1" >/dev/null
    sent=$(curl -s -X POST -H "X-API-Key: $TICKSTOCKPL_API_KEY" "http://127.0.0.1:$PORT/api/processing/cache-sync/trigger" | jq -r .job_id)
    kill -HUP "$DAEMON_PID"
    wait_until 20 "$format: rules are read again" grep -q rules_loaded "$SCRATCH/daemon.log"
    kill "$adapter"
    wait "$adapter"
    stop_daemon
    cat "$SCRATCH/daemon.log" "$SCRATCH/http.log" >"$SCRATCH/all.log"
    if [ "$format" = json ]; then
        jq -r '"\(.event)|\(.job_id // "")|\(.level)"' "$SCRATCH/all.log" >"$SCRATCH/events" 2>"$SCRATCH/jq.err"
        is "$(cat "$SCRATCH/jq.err")" '' 'json: every line is an object'
    else
        is "$(grep -cvE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z (debug|info |warn |error) [a-z_]+( [a-z_]+=("([^"\\]|\\.)*"|[^" ]+))*$' "$SCRATCH/all.log")" 0 'text: every line has the form'
        sed -E 's/^[^ ]* ([a-z]+) +([a-z_]+)( job=([^ ]*))?.*/\2|\4|\1/' "$SCRATCH/all.log" >"$SCRATCH/events"
    fi
    is "$(wc -l <"$SCRATCH/events")" "$(wc -l <"$SCRATCH/all.log")" "$format: an event a line"
    is "$(cut -d'|' -f1 "$SCRATCH/events" | sort -u | comm -23 - <(documented | sort -u))" '' "$format: every event is in docs/logs.md"
    is "$(grep -c '^forged|\||forged' "$SCRATCH/events")" 0 "$format: no forged line, no forged job"
    for id in "$good" "$bad" "$evil"; do
        ok "$format: the end of a job names it" grep -q "^job_finished|$id|" "$SCRATCH/events"
    done
    ok "$format: the start of a job names it" grep -q "^job_started|$good|info" "$SCRATCH/events"
    ok "$format: a failed job is a warning" grep -q "^job_finished|$bad|warn" "$SCRATCH/events"
    ok "$format: a request about a job names it" grep -q "^request|$good|debug" "$SCRATCH/events"
    ok "$format: a trigger names the job that it started" grep -q "^request|$sent|debug" "$SCRATCH/events"
    ok "$format: start and stop" grep -qE '^stopped\|' "$SCRATCH/events"
done
finish
