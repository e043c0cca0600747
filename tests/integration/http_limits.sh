#!/bin/bash
# Clients that are slow, many, mute or gone; Redis that hangs; no descriptors: the adapter serves whoever behaves.
# shellcheck disable=SC2317 # called through ok and wait_until
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/http.sh
. "$(dirname "$0")/../support/http.sh"

rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$HTTP_PID/status"; }
cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$HTTP_PID/stat"; }
metric() { call GET /metrics && NAME=$1 awk '{ s = $0; sub(/ [^ ]*$/, "", s) } s == ENVIRON["NAME"] { print $NF }' "$SCRATCH/body"; }
# A sanitizer keeps what was freed, and so does valgrind, whose programs are scripts here: then memory says nothing.
{ ldd "$BUILD/cachesync-http" 2>&1 || echo libasan; } | grep -qE 'lib[alt]san' && rss_kb() { echo 0; }
at_least() { [ "$(metric "$1")" -ge "$2" ]; }
is_metric() { [ "$(metric "$1")" = "$2" ]; }
healthy() { [ "$(status_with /health)" = 200 ]; }
# open_raw FD: a connection on that descriptor; raw FD TEXT: send (escapes as printf); heard FD: all that comes until the end.
open_raw() { eval "exec $1<>/dev/tcp/127.0.0.1/$PORT"; }
raw() { printf '%b' "$2" >&"$1"; }
heard() { timeout 15 cat <&"$1"; }
close_raw() { eval "exec $1>&-"; }
slow() {
    "$BUILD/http/slow" "$PORT" "$@" >"$SCRATCH/slow.log" &
    SLOW_PID=$!
    PIDS+=("$SLOW_PID")
    wait_until 60 "$1 clients have come" grep -q opened "$SCRATCH/slow.log"
}
slow_stop() { kill -TERM "$SLOW_PID" && wait "$SLOW_PID"; }

http_tools
start_redis
start_adapter_with_redis CACHESYNC_MAX_CONNECTIONS=64
fake_worker

# ---- one at a time ----
open_raw 5
raw 5 'GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
is "$(heard 5 | grep -a -o 'HTTP/1.1 [0-9]*' | tr '\n' ' ')" 'HTTP/1.1 200 HTTP/1.1 401 HTTP/1.1 200 ' 'requests sent together are answered in their order'
close_raw 5
open_raw 5
raw 5 'HEAD /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
is "$(heard 5 | grep -a -c 'healthy')" 1 'HEAD has no body, and the next answer is where it must be'
close_raw 5
call HEAD /health --head
length=$(header Content-Length)
call GET /health
is "$length" "${#BODY}" 'HEAD tells the length of what GET sends'

open_raw 5
raw 5 'GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /health HTTP/1.0\r\n\r\n'
is "$(heard 5 | tr -d '\r' | grep -a -E -o '^(HTTP/1.1 200|Connection: .*)' | tr '\n' ' ')" 'HTTP/1.1 200 Connection: keep-alive Connection: close ' 'HTTP/1.0 is told whether the connection stays'
close_raw 5

expect() { raw 5 "POST $BASE/trigger HTTP/1.1\r\nHost: x\r\nX-API-Key: $1\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"; }
open_raw 5
expect "$KEY"
IFS= read -r -t 10 line <&5
is "${line%$'\r'}" 'HTTP/1.1 100 Continue' 'Expect: 100-continue is answered'
raw 5 '{}'
like "$(timeout 2 cat <&5)" 'HTTP/1.1 202' 'then the body is read'
close_raw 5
open_raw 5
expect wrong
like "$(heard 5)" '^HTTP/1.1 401' 'without a good key nobody is asked for the body'
close_raw 5
open_raw 5
raw 5 "POST $BASE/trigger HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nabc"
like "$(heard 5)" '^HTTP/1.1 401.*Connection: close' 'nor is a body read without one'
close_raw 5

# ---- number ----
for fd in $(seq 20 99); do
    open_raw "$fd"
    raw "$fd" 'GET /health HTTP/1.1\r\nHo'
done
ok 'with all places taken a request is served' healthy
is "$(timeout 5 cat <&20; echo $?)" 0 'the oldest has made room'
is "$(timeout 0.5 cat <&99; echo $?)" 124 'the newest has not'
for fd in $(seq 20 99); do close_raw "$fd"; done
wait_until 10 'the places are free again' is_metric cachesync_http_connections 1
stop_adapter
is $? 0 'a clean stop after that'

start_adapter_with_redis
before=$(rss_kb)
slow 10000
for i in 1 2 3 4 5; do ok "request $i among 10,000 slow clients" healthy; done
ok 'no more connections than configured' test "$(metric cachesync_http_connections)" -le 1024
ok "resident memory stays bounded: $before, then $(rss_kb) kB" test "$(rss_kb)" -lt $((before + 16384))
slow_stop
ok 'most of them were closed' test "$(awk '/closed/ { print $2 }' "$SCRATCH/slow.log")" -ge "$(($(awk '/opened/ { print $2 }' "$SCRATCH/slow.log") - 1100))"

# ---- time ----
open_raw 5
raw 5 'GET /health HTTP/1.1\r\nHost: x\r\n'
open_raw 6
(for _ in $(seq 60); do printf 'X' >&6 || break; sleep 0.25; done) 2>/dev/null &
trickle=$!
PIDS+=("$trickle")
heard 5 >"$SCRATCH/slow.5" &
slow5=$!
heard 6 >"$SCRATCH/slow.6" &
slow6=$!
slow 100 mute
wait_until 10 'clients that read no answers are there' at_least cachesync_http_connections 50
ok 'others are served meanwhile' healthy
wait_until 30 'and they are closed' is_metric cachesync_http_connections 1
slow_stop
wait "$slow5" "$slow6"
like "$(cat "$SCRATCH/slow.5")" '^HTTP/1.1 408.*request_timeout' 'a request that is not complete in time is cut'
like "$(cat "$SCRATCH/slow.6")" '^(HTTP/1.1 408|$)' 'one that comes byte by byte as well'
kill "$trickle" 2>/dev/null
close_raw 5
close_raw 6
ok 'that is counted' at_least cachesync_http_requests_cut_total 1
ok "their answers did not pile up: $(rss_kb) kB" test "$(rss_kb)" -lt $((before + 32768))

# ---- Redis hangs ----
kill -STOP "$REDIS_PID"
for _ in $(seq 40); do curl -s -m 0.3 -o /dev/null -H "X-API-Key: $KEY" "http://127.0.0.1:$PORT$BASE/stats" & done
call GET "$BASE/stats"
refused 503 redis_unavailable 'Redis hangs: 503'
for i in 1 2 3; do call GET "$BASE/history"; done
refused 503 redis_unavailable 'and again, at once'
ok 'nothing stays in flight' is_metric cachesync_http_requests_in_flight 1
ok "nor in memory: $(rss_kb) kB" test "$(rss_kb)" -lt $((before + 32768))
kill -CONT "$REDIS_PID"
wait_until 20 'it recovers by itself' redis_seen

# ---- no descriptors ----
fds=$(find "/proc/$HTTP_PID/fd" -mindepth 1 | wc -l)
prlimit --pid "$HTTP_PID" --nofile="$((fds + 8))"
slow 200
ticks=$(cpu_ticks)
for i in 1 2 3; do ok "request $i without descriptors" healthy; done
ok 'and it does not spin' test "$(($(cpu_ticks) - ticks))" -lt 100
slow_stop
kill -STOP "$REDIS_PID"
for _ in $(seq 30); do curl -s -m 5 -o /dev/null -H "X-API-Key: $KEY" "http://127.0.0.1:$PORT$BASE/stats" & done
wait_until 10 'with every descriptor in use it waits' grep -q descriptors_exhausted "$SCRATCH/http.log"
kill -CONT "$REDIS_PID"
wait_until 20 'and goes on' healthy
finish
