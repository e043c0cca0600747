#!/bin/bash
# /metrics: valid text for Prometheus, and each number where Redis has it.
# shellcheck disable=SC2317 # called through ok
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/http.sh
. "$(dirname "$0")/../support/http.sh"

# The rules of the text format: a HELP and a TYPE in front of each family, its samples together, buckets that grow, no sample twice.
valid() {
    awk '
        function bad(why) { print NR ": " why ": " $0; failed = 1 }
        /^# HELP / { if ($3 in helped) bad("HELP again"); helped[$3] = 1; next }
        /^# TYPE / { if (!($3 in helped) || $3 in type) bad("TYPE"); type[$3] = $4; family = $3; next }
        !/^[a-z_]+(\{[a-z_]+="([^"\\]|\\.)*"(,[a-z_]+="([^"\\]|\\.)*")*\})? -?[0-9.e+-]+$/ { bad("form") }
        {
            name = $1; sub(/\{.*/, "", name)
            base = name
            if (type[family] == "histogram" || type[family] == "summary") sub(/_(bucket|sum|count)$/, "", base)
            if (base != family) bad("outside of its family")
            if (type[family] == "counter" && name !~ /_total$/) bad("a counter without _total")
            sample = $0; sub(/ [^ ]*$/, "", sample)
            if (sample in seen) bad("twice")
            seen[sample] = 1
            if (name ~ /_bucket$/) { if ($NF < last) bad("a bucket that shrinks"); last = $NF }
        }
        END { exit failed }' "$1"
}
metric() { NAME=$1 awk '{ s = $0; sub(/ [^ ]*$/, "", s) } s == ENVIRON["NAME"] { print $NF }' "$SCRATCH/body"; }
shows() { is "$(metric "$1")" "$2" "$1 is $2"; }
hset() { redis HSET "$@" >/dev/null; }

start_redis
start_adapter_with_redis
is "$(status_with /metrics)" 401 'metrics need a key'

call GET /metrics
is "$CODE $(header Content-Type)" '200 text/plain; version=0.0.4; charset=utf-8' 'metrics of an empty Redis'
is "$(valid "$SCRATCH/body")" '' 'they are valid'
shows cachesync_workers 0
shows cachesync_redis_up 1
shows 'cachesync_jobs_total{mode="full",status="completed"}' 0
shows cachesync_job_duration_seconds_count 0
shows cachesync_queue_depth 0
shows cachesync_oldest_waiting_seconds 0
shows 'cachesync_http_requests_total{route="/health",code="503"}' "$(metric 'cachesync_http_request_duration_seconds_count{route="/health"}')"
shows 'cachesync_build_info{version="0.1.0"}' 1

now=$(date +%s%3N)
hset "$P:metrics" jobs:full:completed 7 jobs:ipos:failed 2 retries 3 dead_letters 4 takeovers 5 coalesced 6 duplicates 8 cancelled 9 \
    trimmed 10 churn_warnings 11 autostarts 12 duration_bucket:50 1 duration_bucket:2500 2 duration_bucket:inf 1 duration_ms 1234567 \
    duration_count 4 last_success_ms:DEFAULT $((now - 60000)) market_date:DEFAULT 2024-05-09 last_success_ms:PROD $((now - 5000)) \
    'last_success_ms:no"such' 1 market_date:PROD never
redis XGROUP CREATE "$P:commands" workers 0 MKSTREAM >/dev/null
for _ in 1 2 3; do redis XADD "$P:commands" '*' mode full >/dev/null; done
redis XADD "$P:dead" '*' reason none >/dev/null
redis XREADGROUP GROUP workers me COUNT 1 STREAMS "$P:commands" '>' >/dev/null
redis ZADD "$P:workers" "$now" 'w"1' "$now" w2 "$now" gone >/dev/null
hset "$P:worker:w\"1" last_read_ms "$now" threads 4 busy 2 loop_lag_ms 15 oldest_running_ms 2500 stuck 1 reconnects 3 rss_bytes 9000000 database up
hset "$P:worker:w2" last_read_ms $((now - 60000)) threads 2 busy 2 database down
call GET /metrics
is "$(valid "$SCRATCH/body")" '' 'full metrics are valid'
shows 'cachesync_jobs_total{mode="full",status="completed"}' 7
shows 'cachesync_jobs_total{mode="ipos",status="failed"}' 2
for m in retries=3 dead_letters=4 takeovers=5 coalesced=6 duplicates=8 cancelled=9 trimmed=10 churn_warnings=11 autostarts=12; do
    shows "cachesync_${m%=*}_total" "${m#*=}"
done
shows 'cachesync_job_duration_seconds_bucket{le="0.05"}' 1
shows 'cachesync_job_duration_seconds_bucket{le="1"}' 1
shows 'cachesync_job_duration_seconds_bucket{le="2.5"}' 3
shows 'cachesync_job_duration_seconds_bucket{le="1800"}' 3
shows 'cachesync_job_duration_seconds_bucket{le="+Inf"}' 4
shows cachesync_job_duration_seconds_sum 1234.567
shows cachesync_job_duration_seconds_count 4
shows cachesync_queue_depth 2
shows cachesync_pending_entries 1
shows cachesync_dead_letter_entries 1
shows cachesync_workers 1
shows cachesync_busy_threads 2
shows 'cachesync_worker_busy{worker="w\"1"}' 2
shows 'cachesync_worker_loop_lag_seconds{worker="w\"1"}' 0.015
shows 'cachesync_worker_oldest_running_seconds{worker="w\"1"}' 2.5
shows 'cachesync_worker_stuck{worker="w\"1"}' 1
shows 'cachesync_worker_reconnects_total{worker="w\"1"}' 3
shows 'cachesync_worker_resident_bytes{worker="w\"1"}' 9000000
shows 'cachesync_worker_database_up{worker="w\"1"}' 1
shows 'cachesync_worker_database_up{worker="w2"}' 0
shows 'cachesync_worker_busy{worker="gone"}' ''
shows 'cachesync_market_date_timestamp_seconds{environment="DEFAULT"}' 1715212800
is "$(grep -c '^cachesync_market_date_timestamp_seconds{' "$SCRATCH/body") $(grep -c '^cachesync_last_success_age_seconds{' "$SCRATCH/body")" '1 2' \
    'what is no environment or no date is left out'
within() { awk -v v="$(metric "$1")" -v a="$2" -v b="$3" 'BEGIN { exit !(v >= a && v <= b) }'; }
ok 'the age of the last success' within 'cachesync_last_success_age_seconds{environment="DEFAULT"}' 60 120
ok 'the age of the oldest waiting entry' within cachesync_oldest_waiting_seconds 0.001 60
ok 'and that of the oldest unfinished one is not less' within cachesync_oldest_unfinished_seconds "$(metric cachesync_oldest_waiting_seconds)" 60
if command -v promtool >/dev/null; then
    is "$(promtool check metrics <"$SCRATCH/body" 2>&1)" '' 'promtool has nothing to say'
else
    skip 'promtool is not here (apt-get install prometheus)'
fi

redis DEL "$P:metrics" >/dev/null
redis SET "$P:metrics" text >/dev/null
call GET /metrics
is "$CODE $(metric cachesync_redis_up)" '200 0' 'a key of another type: the adapter still tells of itself'
redis DEL "$P:metrics" >/dev/null

kill -STOP "$REDIS_PID"
call GET /metrics
is "$CODE $(metric cachesync_redis_up)" '200 0' 'with Redis frozen: the adapter tells of itself'
is "$(valid "$SCRATCH/body")" '' 'and that is valid'
shows 'cachesync_http_requests_total{route="/metrics",code="401"}' 1
kill -CONT "$REDIS_PID"
finish
