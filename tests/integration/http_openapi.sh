#!/bin/bash
# /openapi.json beside the running adapter: the same routes; every response described is seen, and every response seen is as described.
# shellcheck disable=SC2016,SC2317 # programs of jq; called through wait_until
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/http.sh
. "$(dirname "$0")/../support/http.sh"

DOC=$ROOT/worker/http/openapi.json
: >"$SCRATCH/seen"
doc() { jq -r "$@" "$DOC"; }

# see METHOD TEMPLATE PATH [CURL OPTIONS...]: call it (with method $SENT if that is set), and hold status, headers and body against the operation's description.
see() {
    local method=$1 template=$2 path=$3 response type wrong name
    shift 3
    call "${SENT:-$method}" "$path" "$@"
    response=$(jq -c --arg p "$template" --arg m "${method,,}" --arg s "$CODE" '
        . as $d | def at: if has("$ref") then (.["$ref"] | ltrimstr("#/") | split("/")) as $p | $d | getpath($p) else . end;
        (.paths[$p][$m].responses | .[$s] // .default // {}) | at' "$DOC")
    echo "$method $template $CODE" >>"$SCRATCH/seen"
    is "$(jq -r '.description != null' <<<"$response")" true "$method $template $CODE is described"
    type=$(header Content-Type)
    is "$(jq -r --arg t "${type%%;*}" '.content | has($t)' <<<"$response")" true "$method $template $CODE: its type $type is described"
    while read -r name; do
        like "$(header "$name")" . "$method $template $CODE has $name"
    done < <(jq -r '.headers // {} | keys[]' <<<"$response")
    [ "$type" = application/json ] || return 0
    jq --argjson r "$response" '.components.schemas.Seen = ($r.content["application/json"].schema)' "$DOC" >"$SCRATCH/doc.json"
    wrong=$(jq -r --slurpfile d "$SCRATCH/doc.json" --arg schema '#/components/schemas/Seen' -f "$ROOT/tests/http/validate.jq" "$SCRATCH/body" 2>&1)
    is "$wrong" '' "$method $template $CODE: its body is as described"
}
json=(-H 'Content-Type: application/json')
none=00000000-0000-7000-8000-000000000000
paths() { doc '.paths | keys[]'; }
operations() { doc '.paths | to_entries[] | .key as $p | .value | keys[] | ascii_upcase + " " + $p'; }

start_postgres
start_redis
migrate
sql "INSERT INTO symbols (symbol, name, type, active, weighted_shares_outstanding) VALUES ('ONE', 'One Company', 'CS', true, 1000000000)"
sql "INSERT INTO ohlcv_daily (symbol, date, close) VALUES ('ONE', '2024-05-09', 300)"
start_adapter_with_redis CACHESYNC_MAX_BACKLOG=3
see GET /health /health
is "$CODE" 503 'nobody reads the stream yet'
start_daemon
healthy() { [ "$(status_with /health)" = 200 ]; }
wait_until 10 'the worker is seen' healthy

is "$(doc .info.version)" "$("$BUILD/cachesync-http" --version | awk '{ print $2 }')" 'the version described is that of the program'
see GET /openapi.json /openapi.json
ok 'what is served is the file' cmp "$SCRATCH/body" "$DOC"
see GET /metrics /metrics
is "$(sed -n 's/^cachesync_http_request_duration_seconds_count{route="\(\/[^"]*\)"}.*/\1/p' "$SCRATCH/body" | sort)" "$(paths | sort)" 'the routes of the adapter are those described'
while read -r method path; do
    code=$(status_with "${path/\{job_id\}/$none}" -X "$method" -H "X-API-Key: $KEY")
    ok "$method $path is served ($code)" test "$code" != 405 -a "$code" != 401
    code=$(status_with "${path/\{job_id\}/$none}" -X DELETE -H "X-API-Key: $KEY")
    is "$code" 405 "DELETE $path is not"
done < <(operations)
redis DEL "$P:commands" >/dev/null

# Without a key, or with a bad one.
good=$KEY
KEY=wrong
while read -r method path; do
    [ "$path" = /health ] || see "$method" "$path" "${path/\{job_id\}/$none}"
done < <(operations)
KEY=$good

SENT=PUT see GET /health /health
see GET /health /health
see POST $BASE/trigger $BASE/trigger "${json[@]}" -d '{"mode":"full","force":true,"dry_run":false,"environment":"DEFAULT","triggered_by":"a-test"}' -H 'Idempotency-Key: once'
id=$(jq -r .job_id <<<"$BODY")
see POST $BASE/trigger $BASE/trigger -H 'Idempotency-Key: once'
is "$(jq -r .job_id <<<"$BODY")" "$id" 'the key is known'
wait_until 20 'the job ends' job_is "$id" completed
see GET "$BASE/status/{job_id}" "$BASE/status/$id"
is "$CODE $(jq -r .status <<<"$BODY")" '200 completed' 'a job that ran is as described'
see GET /metrics /metrics
metric() { NAME=$1 awk '{ s = $0; sub(/ [^ ]*$/, "", s) } s == ENVIRON["NAME"] { print $NF }' "$SCRATCH/body"; }
ok 'a real worker counts its job' test "$(metric 'cachesync_jobs_total{mode="full",status="completed"}')" -ge 1
ok 'its duration' test "$(metric cachesync_job_duration_seconds_count)" -ge 1
like "$(metric 'cachesync_last_success_age_seconds{environment="DEFAULT"}')" '^[0-9.]+$' 'and when it ended'
is "$(metric cachesync_workers)" 1 'the worker itself is seen'
like "$(grep -c '^cachesync_worker_loop_lag_seconds{worker=' "$SCRATCH/body")" '^[1-9]' 'with its loop lag'
see GET "$BASE/status/{job_id}" "$BASE/status/$none"
see POST "$BASE/cancel/{job_id}" "$BASE/cancel/$id"
see POST "$BASE/cancel/{job_id}" "$BASE/cancel/$none"
see GET $BASE/history $BASE/history
ok 'a page with a job is as described' test "$(jq '.jobs | length' <<<"$BODY")" -ge 1
see GET $BASE/history "$BASE/history?limit=0"
redis HSET "$P:universes:DEFAULT" a_universe '{"universe":"a_universe","type":"market_leader","symbol_count":10,"last_updated":"2024-05-09T20:00:00.000Z"}' >/dev/null
see GET $BASE/stats $BASE/stats
ok 'statistics with universes are as described' test "$(jq '.universes | length' <<<"$BODY")" -ge 2
is "$(jq '.universes | map(.universe) | . == sort' <<<"$BODY")" true 'universes are in their order'
see POST $BASE/trigger $BASE/trigger "${json[@]}" -d '{"mode":"sideways"}'
see POST $BASE/trigger $BASE/trigger "${json[@]}" -d '{"as_of":1}'
see POST $BASE/trigger $BASE/trigger -H 'Content-Type: text/plain' -d '{}'
head -c 70000 /dev/zero | tr '\0' ' ' >"$SCRATCH/long"
see POST $BASE/trigger $BASE/trigger "${json[@]}" -H 'Expect:' --data-binary "@$SCRATCH/long"

# A job that is waiting, and a full backlog, need a daemon that does not read.
stop_daemon
for _ in 1 2 3 4; do see POST $BASE/trigger $BASE/trigger; done
id=$(jq -r .job_id <<<"$BODY")
see GET "$BASE/status/{job_id}" "$BASE/status/$id"
is "$(jq -r .status <<<"$BODY")" pending 'a job that nobody has read is as described'
see POST "$BASE/cancel/{job_id}" "$BASE/cancel/$id"
see POST $BASE/trigger $BASE/trigger
is "$CODE" 429 'a full backlog is as described'

stop_adapter
start_adapter_with_redis CACHESYNC_RATE_LIMIT=1
while read -r method path; do
    [ "$path" = /health ] && continue
    status_with /metrics -H "X-API-Key: $KEY" >/dev/null
    see "$method" "$path" "${path/\{job_id\}/$none}"
done < <(operations)
stop_adapter
start_adapter_with_redis
kill -STOP "$REDIS_PID"
see GET $BASE/stats $BASE/stats
while read -r method path; do
    case $path in /openapi.json | /metrics | /health) continue ;; esac
    see "$method" "$path" "${path/\{job_id\}/$none}"
done < <(operations)
kill -CONT "$REDIS_PID"

doc '.paths | to_entries[] | .key as $p | .value | to_entries[] | "\(.key | ascii_upcase) \($p)" as $o | .value.responses | keys[] | select(. != "default") | "\($o) \(.)"' |
    sort >"$SCRATCH/described"
is "$(sort -u "$SCRATCH/seen" | comm -13 - "$SCRATCH/described" | tr '\n' ';')" '' 'every response that is described was seen'
finish
