#!/bin/bash
# Origins, rates, request ids, the access log, keys, a stop with requests in flight, a history that is long.
# shellcheck disable=SC2317 # called through ok and wait_until
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/http.sh
. "$(dirname "$0")/../support/http.sh"

logged() { grep -q -e "$1" "$SCRATCH/http.log"; }
start_redis
fake_worker

# ---- without anything configured ----
start_adapter_with_redis CACHESYNC_LOG_LEVEL=debug
call OPTIONS $BASE/stats -H 'Origin: https://app.example' -H 'Access-Control-Request-Method: GET'
refused 405 method_not_allowed 'no origin configured: no OPTIONS'
call GET $BASE/stats -H 'Origin: https://app.example'
is "$CODE $(header Access-Control-Allow-Origin)$(header Vary)" '200 ' 'nor anything else for it'

call GET /health -H 'X-Request-Id: mine-1.2:3'
is "$(header X-Request-Id)" mine-1.2:3 'the request id of the caller comes back'
wait_until 5 'and stands in the access log' logged 'request .*request_id=mine-1.2:3 .*from=127.0.0.1.*GET /health.*status=200.*bytes=[0-9]'
call GET /health
first=$(header X-Request-Id)
like "$first" '^[0-9a-f]{16}$' 'without one there is a new one'
call GET /health
ok 'another for each request' test "$(header X-Request-Id)" != "$first"
call GET /health -H 'X-Request-Id: a b"c'
like "$(header X-Request-Id)" '^[0-9a-f]{16}$' 'one that could forge a log line is replaced'
call GET /health -H "X-Request-Id: $(printf 'a%.0s' $(seq 65))"
like "$(header X-Request-Id)" '^[0-9a-f]{16}$' 'and so is a long one'
call GET "$BASE/status/00000000-0000-7000-8000-000000000000"
wait_until 5 'the job stands in the access log' logged 'request job=00000000-0000-7000-8000-000000000000'
ok 'the key does not' eval "! grep -q '$KEY' '$SCRATCH/http.log'"
like "$(header Date)" '^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT$' 'answers have a date'
is "$(header Cache-Control) $(header X-Content-Type-Options)" 'no-store nosniff' 'and are neither kept nor guessed at'

# ---- history: what it costs does not depend on how long it is ----
redis EVAL 'for i = 1, 20000 do
    local id = string.format("%08x-0000-4000-8000-000000000000", i)
    redis.call("ZADD", KEYS[1], i, id)
    redis.call("HSET", KEYS[2] .. id, "job_id", id, "mode", "full", "status", "completed", "created_at", "2024-05-09T20:00:00.000Z")
end' 2 "$P:jobs" "$P:job:" >/dev/null
calls() { redis INFO commandstats | tr -d '\r' | sed -n 's/^cmdstat_\([a-z|]*\):calls=\([0-9]*\).*/\1 \2/p' | grep -v -E '^(info|config|ping|client)' | sort; }
cost() { # PATH: commands that Redis runs for it
    redis CONFIG RESETSTAT >/dev/null
    call GET "$1"
    calls | tr '\n' ' '
}
is "$(cost "$BASE/history?limit=10&offset=19000")" 'hmget 10 zcard 1 zrevrange 1 ' 'a page far back costs a page'
is "$(jq -c '[.total, (.jobs | length), .jobs[0].job_id[0:8]]' "$SCRATCH/body")" '[20000,10,"000003e8"]' 'and is the right one'
is "$(cost "$BASE/history?limit=10&offset=19995")" 'hmget 5 zcard 1 zrevrange 1 ' 'the last page'
is "$(cost "$BASE/history?limit=1&offset=99999999")" 'zcard 1 zrevrange 1 ' 'past the end'
is "$(jq -c '[.total, .jobs]' "$SCRATCH/body")" '[20000,[]]' 'is an empty page'
is "$(cost "$BASE/stats")" 'hgetall 1 hmget 7 ' 'statistics: no KEYS, no SCAN'
like "$(cost "$BASE/status/00000001-0000-4000-8000-000000000000")" '^hgetall 1 $' 'a job is one read'

# ---- stop ----
kill -STOP "$REDIS_PID"
exec 5<>"/dev/tcp/127.0.0.1/$PORT"
exec 7<>"/dev/tcp/127.0.0.1/$PORT"
printf 'GET %s/stats HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n' "$BASE" "$KEY" >&7
kill -TERM "$HTTP_PID"
wait_until 10 'SIGTERM is heard' logged stopping
is "$(timeout 10 cat <&5; echo $?)" 0 'a connection between two requests is closed'
exec 5>&-
ok 'nobody new is accepted' eval "! (exec 6<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null"
kill -CONT "$REDIS_PID"
wait "$HTTP_PID"
is $? 0 'it exits 0'
timeout 10 cat <&7 >"$SCRATCH/stop"
like "$(cat "$SCRATCH/stop")" '^HTTP/1.1 (200|503).*Connection: close' 'the request in flight got its answer, which closes the connection'
ok 'and it is whole' eval "sed '1,/^.\$/d' '$SCRATCH/stop' | jq -e ."

start_adapter_with_redis
kill -STOP "$REDIS_PID"
exec 7<>"/dev/tcp/127.0.0.1/$PORT"
printf 'GET %s/stats HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n' "$BASE" "$KEY" >&7
: >"$SCRATCH/http.log"
kill -TERM "$HTTP_PID"
wait_until 10 'SIGTERM is heard again' logged stopping
kill -TERM "$HTTP_PID"
wait "$HTTP_PID"
is $? 0 'a second signal ends it, Redis or not, with a request in flight'
like "$(timeout 10 cat <&7)" '^HTTP/1.1 503.*redis_unavailable' 'which is told so'
exec 7>&-
kill -CONT "$REDIS_PID"

# ---- origins ----
start_adapter_with_redis CACHESYNC_CORS_ORIGIN=https://app.example
call OPTIONS $BASE/trigger -H 'X-API-Key:' -H 'Origin: https://app.example' -H 'Access-Control-Request-Method: POST'
is "$CODE $(header Access-Control-Allow-Origin) $(header Access-Control-Allow-Methods)" '204 https://app.example POST' 'what a browser asks first needs no key'
like "$(header Access-Control-Allow-Headers)" 'X-API-Key' 'the key may be sent'
is "$(header Content-Length)$(header Content-Type)$BODY" '' '204 has no body'
call OPTIONS $BASE/stats -H 'Origin: https://evil.example' -H 'Access-Control-Request-Method: GET'
is "$CODE $(header Access-Control-Allow-Origin) $(header Vary)" '204  Origin' 'another origin is not let in'
call OPTIONS /none -H 'Origin: https://app.example'
refused 404 not_found 'OPTIONS of an unknown path'
call GET $BASE/stats -H 'Origin: https://app.example'
is "$CODE $(header Access-Control-Allow-Origin)" '200 https://app.example' 'answers carry the origin'
like "$(header Access-Control-Expose-Headers)" 'Location.*X-Request-Id' 'and let the page read our headers'
KEY=wrong call GET $BASE/stats -H 'Origin: https://app.example'
is "$CODE $(header Access-Control-Allow-Origin)" '401 https://app.example' 'errors too'
call GET $BASE/stats
is "$CODE $(header Access-Control-Allow-Origin)" '200 ' 'without an origin there is none'
stop_adapter
start_adapter_with_redis CACHESYNC_CORS_ORIGIN='*'
call GET $BASE/stats -H 'Origin: https://any.example'
is "$CODE $(header Access-Control-Allow-Origin)" '200 *' 'any origin'
stop_adapter

# ---- rates ----
start_adapter_with_redis CACHESYNC_RATE_LIMIT=5 TICKSTOCKPL_API_KEY="$KEY,other-key"
codes() { for _ in $(seq "$1"); do status_with $BASE/stats -H "X-API-Key: $2"; echo; done | sort | uniq -c | awk '{ printf "%s:%s ", $2, $1 }'; }
limited() { call GET "$BASE/stats"; [ "$CODE" = 429 ]; }
wait_until 20 'more requests than the rate allows are refused' limited
refused 429 rate_limited 'with the reason'
like "$(header Retry-After)" '^[1-9][0-9]*$' 'and when to come back'
is "$(status_with $BASE/stats -H 'X-API-Key: other-key')" 200 'another key is not concerned'
is "$(codes 30 wrong | grep -o 429)" 429 'requests without a key have a rate as well'
is "$(for _ in $(seq 30); do status_with /health; echo; done | sort | uniq -c | awk '{ print $1, $2 }')" '30 200' '/health has none'
again() { call GET "$BASE/stats"; [ "$CODE" = 200 ]; }
wait_until 20 'after a while it goes on' again
stop_adapter

# ---- addresses ----
PORT=$(free_port)
if start_adapter CACHESYNC_LISTEN=::1; then
    is "$(curl -s -m 10 -g -o /dev/null -w '%{http_code}' "http://[::1]:$PORT/none")" 401 'IPv6'
    stop_adapter
fi
PORT=$(free_port)
if start_adapter CACHESYNC_LISTEN=::; then
    is "$(status_with /none)" 401 ':: takes IPv4 as well'
    stop_adapter
fi
PORT=$(free_port)
start_adapter CACHESYNC_LISTEN=localhost
is "$(status_with /none)" 401 'localhost is 127.0.0.1, whatever else'
stop_adapter
like "$(env TICKSTOCKPL_PORT="$PORT" TICKSTOCKPL_API_KEY=k CACHESYNC_LISTEN=256.1.1.1 "$BUILD/cachesync-http" 2>&1)" 'CACHESYNC_LISTEN=256.1.1.1: .*name an address' 'an address that is none'
like "$(env TICKSTOCKPL_PORT="$PORT" TICKSTOCKPL_API_KEY=k CACHESYNC_LISTEN=192.0.2.1 "$BUILD/cachesync-http" 2>&1)" 'cannot listen on 192.0.2.1' 'an address of another host'
env TICKSTOCKPL_PORT="$PORT" TICKSTOCKPL_API_KEY=tickstock-cache-sync-2025 "$BUILD/cachesync-http" >"$SCRATCH/published.log" 2>&1 &
PIDS+=($!)
wait_until 10 'the published key on a loopback address: a warning' grep -q 'warn.*published_key' "$SCRATCH/published.log"
ok 'two of them on one port' eval "! env TICKSTOCKPL_PORT=$PORT TICKSTOCKPL_API_KEY=k '$BUILD/cachesync-http' 2>'$SCRATCH/second.log'"
like "$(cat "$SCRATCH/second.log")" 'choose CACHESYNC_LISTEN and TICKSTOCKPL_PORT' 'the second says what to do'
finish
