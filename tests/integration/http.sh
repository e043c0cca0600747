#!/bin/bash
# The HTTP adapter over a real Redis: every route and its codes.
# shellcheck disable=SC2317 # called through wait_until
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

# shellcheck source=tests/support/http.sh
. "$(dirname "$0")/../support/http.sh"

adapter() { env TICKSTOCKPL_PORT="$PORT" "$@" "$BUILD/cachesync-http"; }

like "$(adapter 2>&1)" 'TICKSTOCKPL_API_KEY' 'without a key it does not start'
like "$(adapter TICKSTOCKPL_API_KEY=tickstock-cache-sync-2025 CACHESYNC_LISTEN=0.0.0.0 2>&1)" 'published key' \
    'the published key is refused off loopback'

like "$(adapter TICKSTOCKPL_API_KEY_FILE=/nonexistent 2>&1)" 'API_KEY_FILE /nonexistent cannot be read' 'a key file that is not there is named'

start_redis
echo 'second-key' >"$SCRATCH/keys"
start_adapter_with_redis TICKSTOCKPL_API_KEY="$KEY,third" TICKSTOCKPL_API_KEY_FILE="$SCRATCH/keys" CACHESYNC_MAX_BACKLOG=3

call GET /health
is "$CODE $(jq -r '.status + " " + .services.database' <<<"$BODY")" '503 unhealthy unknown' 'without a worker: unhealthy'
redis ZADD "$P:workers" 1 w1 >/dev/null
redis HSET "$P:worker:w1" last_read_ms "$(date +%s%3N)" busy 1 database up >/dev/null
call GET /health
is "$CODE $(jq -r '"\(.status) \(.processing_status) \(.workers)"' <<<"$BODY")" '200 healthy running 1' 'with a worker: healthy'
redis HSET "$P:worker:w1" last_read_ms "$(date +%s%3N)" busy 0 database down >/dev/null
call GET /health
is "$CODE $(jq -r '"\(.status) \(.processing_status)"' <<<"$BODY")" '200 degraded idle' 'database down: degraded'

for k in "$KEY" second-key third; do
    is "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $k" "http://127.0.0.1:$PORT$BASE/stats")" 200 "key accepted"
done
for k in '' "${KEY}x" "${KEY%?}" tickstock-cache-sync-2025; do
    is "$(curl -s -o /dev/null -w '%{http_code}' -H "X-API-Key: $k" "http://127.0.0.1:$PORT$BASE/stats")" 401 "key '$k' refused"
done

call POST "$BASE/trigger"
id=$(jq -r .job_id <<<"$BODY")
is "$CODE $(jq -r .message <<<"$BODY")" '202 Cache synchronization (full) started' 'an empty body triggers a full sync'
is "$(header Location)" "$BASE/status/$id" 'Location names the job'
entry=$(redis XREVRANGE "$P:commands" + - COUNT 1 | head -1)
is "$id" "$(job_id_of "$entry")" 'the job id is that of the entry'
call GET "$BASE/status/$id"
is "$CODE $(jq -r '"\(.job_id) \(.status) \(.mode) \(.triggered_by) \(.progress)"' <<<"$BODY")" "200 $id pending full api null" 'an unread job is pending'

post '{"mode":"themes","force":true}' -H 'Idempotency-Key: once'
first=$(jq -r .job_id <<<"$BODY")
is "$(redis XREVRANGE "$P:commands" + - COUNT 1 | tr '\n' ' ' | grep -c 'mode themes force 1')" 1 'the body reaches the stream'
post '{"mode":"full"}' -H 'Idempotency-Key: once'
is "$(jq -r '.mode + " " + .message' <<<"$BODY")" 'themes Cache synchronization (themes) started' 'the answer tells what the key has started'
is "$CODE $(jq -r .job_id <<<"$BODY") $(redis XLEN "$P:commands")" "202 $first 2" 'a repeated key gives the first job'
is "$(redis GET "$P:idem:once")" "$first" 'the key is kept'
post '{}'; post '{}'; post '{}'
refused 429 backlog_full 'a full backlog'
like "$(header Retry-After)" '^[0-9]+$' '429 has Retry-After'

post '{"mode":"sideways"}'; refused 400 invalid_mode 'an unknown mode'
post '{"mode":1}'; refused 400 invalid_mode 'a mode that is no string'
post '{"as_of":"2024-02-30"}'; refused 400 invalid_request 'a day that does not exist'
post '{"force":'; refused 400 invalid_request 'broken JSON'
post '[]'; refused 400 invalid_request 'a body that is no object'
call POST "$BASE/trigger" -H 'Content-Type: text/plain' -d '{}'; refused 415 unsupported_media_type 'another content type'
head -c 70000 /dev/zero | tr '\0' ' ' >"$SCRATCH/long"
call POST "$BASE/trigger" -H 'Content-Type: application/json' -H 'Expect:' --data-binary "@$SCRATCH/long"
refused 413 body_too_large 'a long body'

call GET "$BASE/status/00000000-0000-7000-8000-000000000000"; refused 404 not_found 'an unknown job'
call GET "$BASE/status/none"; refused 404 not_found 'what is no job id'
call GET /none; refused 404 not_found 'an unknown path'
call PATCH "$BASE/stats"; refused 405 method_not_allowed 'another method'
is "$(header Allow)" 'GET, HEAD' '405 has Allow'
is "$(curl -s -I -H "X-API-Key: $KEY" "http://127.0.0.1:$PORT$BASE/stats" "http://127.0.0.1:$PORT$BASE/stats" | grep -c '200 OK')" 2 \
    'HEAD leaves the connection usable'
code=$(curl -s -o /dev/null -w '%{http_code}' -X POST -H "X-API-Key: $KEY" -H 'Content-Length: +0' "http://127.0.0.1:$PORT$BASE/trigger")
is "$code" 400 'a signed Content-Length is refused'

for i in 1 2 3; do
    j=0000000$i-0000-4000-8000-000000000000
    redis HSET "$P:job:$j" job_id $j mode full status completed created_at 2024-05-09T20:00:00.000Z duration_seconds 1.5 triggered_by cli >/dev/null
    redis ZADD "$P:jobs" $i $j >/dev/null
done
redis HSET "$P:job:$j" status failed error_details '{"code":"cancelled"}' >/dev/null
call GET "$BASE/history?limit=2"
is "$CODE $(jq -c '[.total,.limit,.offset,(.jobs|map(.job_id[7:8],.has_errors))]' <<<"$BODY")" '200 [3,2,0,["3",true,"2",false]]' 'history, newest first'
call GET "$BASE/history?limit=2&offset=2"
is "$(jq -c '.jobs|map(.job_id[7:8])' <<<"$BODY")" '["1"]' 'the next page'
call GET "$BASE/history?offset=999999999999999999"
is "$CODE $BODY" '200 {"jobs":[],"total":3,"limit":10,"offset":999999999999999999}' 'a page far behind the end is empty'
for q in limit=0 limit=101 offset=-1 limit=x limit=; do call GET "$BASE/history?$q"; refused 400 invalid_request "history?$q"; done

call POST "$BASE/cancel/$j"; is "$CODE" 409 'an ended job cannot be cancelled'
call POST "$BASE/cancel/$id"
is "$CODE $(redis XREVRANGE "$P:control" + - COUNT 1 | tail -4 | tr '\n' ' ')" "202 command cancel job_id $id " 'cancel goes to the control stream'
call POST "$BASE/cancel/00000000-0000-7000-8000-000000000000"; refused 404 not_found 'cancel of an unknown job'

redis HSET "$P:universes:DEFAULT" b '{"universe":"b"}' a '{"universe":"a","symbol_count":2}' >/dev/null
redis HSET "$P:daily:$(date -u +%F)" total 3 completed 2 failed 1 duration_ms 3000 ran 2 >/dev/null
call GET "$BASE/stats"
is "$CODE $(jq -c '[(.universes|map(.universe)),(.job_statistics|map(.))]' <<<"$BODY")" '200 [["a","b"],[3,2,1,1.5]]' 'stats'
redis HSET "$P:daily:$(date -u -d yesterday +%F)" total 2 completed 2 duration_ms 5000 >/dev/null
redis HSET "$P:daily:$(date -u -d '2 days ago' +%F)" total 1 failed 1 >/dev/null
call GET "$BASE/stats"
is "$(jq -c '.job_statistics|map(.)' <<<"$BODY")" '[6,4,2,2]' 'stats: a day that does not say how many ran, and one on which none did'

redis RENAME "$P:jobs" "$P:jobs:kept" >/dev/null
redis SET "$P:jobs" text >/dev/null
for _ in 1 2 3 4 5; do call GET "$BASE/history"; done
refused 503 redis_unavailable 'a key of another type'
is "$(grep -c 'redis_error.*WRONGTYPE' "$SCRATCH/http.log")" 1 'an error of Redis is logged, once a second at most'
redis RENAME "$P:jobs:kept" "$P:jobs" >/dev/null

kill -STOP "$REDIS_PID"
curl -s -m 0.3 -H "X-API-Key: $KEY" "http://127.0.0.1:$PORT$BASE/stats" # a client that leaves while Redis thinks
call GET "$BASE/stats"; refused 503 redis_unavailable 'Redis hangs: 503 in bounded time'
like "$(header Retry-After)" '^[0-9]+$' '503 has Retry-After'
call GET /health
is "$CODE $(jq -r '"\(.status) \(.services.redis)"' <<<"$BODY")" '503 unhealthy down' 'health without Redis'
kill -CONT "$REDIS_PID"
stats_again() { call GET "$BASE/stats"; [ "$CODE" = 200 ]; }
wait_until 10 'it recovers by itself' stats_again

echo 'fourth-key' >"$SCRATCH/keys"
kill -HUP "$HTTP_PID"
reloaded() { [ "$(curl -s -o /dev/null -w '%{http_code}' -H "X-API-Key: $1" "http://127.0.0.1:$PORT$BASE/stats")" = "$2" ]; }
wait_until 5 'SIGHUP: the new key counts' reloaded fourth-key 200
ok 'a key taken out of the file is revoked' reloaded second-key 401
rm "$SCRATCH/keys"
kill -HUP "$HTTP_PID"
wait_until 5 'a file that cannot be read is named in the log' grep -q 'keys_kept.*API_KEY_FILE' "$SCRATCH/http.log"
ok 'and leaves the keys as they were' reloaded fourth-key 200

kill -TERM "$HTTP_PID"
wait "$HTTP_PID"
is $? 0 'SIGTERM: a clean stop exits 0'
finish
