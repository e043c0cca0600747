#!/bin/bash
# Around the jobs: imports that start a sync, SIGHUP, retention, cancels of unread jobs, heartbeat, metrics, several daemons.
# Functions are called through wait_until:
# shellcheck disable=SC2317
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

start_postgres
start_redis
migrate
said() { grep -q "$@" "$SCRATCH/daemon.log"; }
empty() { [ "$(redis XLEN "$P:commands")" = 0 ]; }
coproc HOLD { psql -X -q -A -t -d "$DATABASE_URI" 2>&1; }
hold() { echo "BEGIN; LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
let_go() { echo "ROLLBACK; SELECT 'free';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
cp "$ROOT/deploy/rules/universes.json" "$SCRATCH/rules.json"
export CACHESYNC_GRACE_S=1 CACHESYNC_RULES="$SCRATCH/rules.json" CACHESYNC_RETENTION_JOBS=5
start_daemon
first=$DAEMON_PID
start_daemon
second=$DAEMON_PID

# ---- an import starts one sync, however many daemons hear of it
heard() { [ "$(redis PUBSUB NUMSUB tickstock:data:import:status | tail -1)" = 2 ]; }
wait_until 20 'both listen' heard
for _ in 1 2 3; do
    redis PUBLISH tickstock:data:import:status '{"event":"data_import_completed","payload":{"run_id":"r1"}}' >/dev/null
done
redis PUBLISH tickstock:import:completed '{"rows":5}' >/dev/null
redis PUBLISH tickstock:data:import:status '{"event":"data_import_started","payload":{"run_id":"r2"}}' >/dev/null
redis PUBLISH tickstock:data:import:status 'no JSON' >/dev/null
started() { [ "$(redis HGET "$P:metrics" autostarts)" = "$1" ]; }
wait_until 20 'two imports start two syncs' started 2
wait_until 30 'which end' empty
id=$(redis GET "$P:idem:import:r1")
is "$(job_field "$id" triggered_by)" pipeline 'triggered by the pipeline'
is "$(redis ZCARD "$P:jobs")" 2 'and nothing else is started'

# ---- SIGHUP: a new log file; rules if they are valid, the old ones if not
kill -TERM "$first"
wait "$first"
stop_daemon
start_daemon CACHESYNC_LOG="$SCRATCH/own.log"
mv "$SCRATCH/own.log" "$SCRATCH/old.log"
echo '{ broken' >"$SCRATCH/rules.json"
kill -HUP "$DAEMON_PID"
wait_until 20 'broken rules are refused, in a new log' grep -q rules_refused "$SCRATCH/own.log"
is "$(job_field "$(run_job force 1)" status)" completed 'the old ones stay'
cp "$ROOT/deploy/rules/universes.json" "$SCRATCH/rules.json"
kill -HUP "$DAEMON_PID"
wait_until 20 'good ones are loaded' grep -q rules_loaded "$SCRATCH/own.log"
stop_daemon
is $? 0 'SIGTERM exits 0'

# ---- a cancel finds an unread job, also by an id of the producer's
start_daemon CACHESYNC_WORKERS=1
hold
busy=$(job_id_of "$(redis XADD "$P:commands" '*' force 1 environment A)")
wait_until 20 'the only thread is busy' job_is "$busy" running
ahead=$(job_id_of "$(redis XADD "$P:commands" '*' force 1 environment B)")
wait_until 20 'one is read ahead' job_is "$ahead" pending
own=0190aaaa-0000-4000-8000-00000000000c
redis XADD "$P:commands" '*' force 1 environment C >/dev/null
redis XADD "$P:commands" '*' force 1 environment C job_id "${own^^}" >/dev/null
redis XADD "$P:control" '*' command cancel job_id "$own" >/dev/null
wait_until 20 'an unread job is found by its own id' job_is "$own" failed
is "$(job_field "$own" error_details | jq -r .code)" cancelled 'and cancelled'
redis XADD "$P:control" '*' command cancel job_id 0190aaaa-0000-4000-8000-00000000000d >/dev/null
wait_until 20 'one that is not there is ignored' said 'cancel_ignored job=0190aaaa-0000-4000-8000-00000000000d'
let_go
wait_until 30 'the others end' empty

# ---- retention by number; the heartbeat; nothing is left
for _ in 1 2 3 4 5; do last=$(run_job force 1 environment A); done
is "$(redis ZCARD "$P:jobs")" 5 'the newest 5 jobs are kept'
is "$(redis --scan --pattern "$P:job:*" | wc -l)" 5 'with their hashes'
is "$(redis ZREVRANGE "$P:jobs" 0 0)" "$last" 'the newest among them'
month_ms=$((30 * 86400000))
left=$(redis PTTL "$P:job:$last")
ok 'a hash lives for the days of retention' test "$left" -gt $((month_ms - 600000)) -a "$left" -le $month_ms
ok 'and so do the counters of the day' test "$(redis PTTL "$P:daily:$(date -u +%F)")" -gt $((month_ms - 600000))
redis ZADD "$P:jobs" $(($(date +%s%3N) - month_ms - 1000)) 01890000-0000-7000-8000-000000000001 >/dev/null
last=$(run_job force 1 environment A)
is "$(redis ZSCORE "$P:jobs" 01890000-0000-7000-8000-000000000001)" '' 'what is older than that leaves the index'
worker=$(redis --scan --pattern "$P:worker:*.$DAEMON_PID.*")
up() { [ "$(redis HGET "$worker" database)" = up ]; }
wait_until 20 'the heartbeat tells of the database' up
for f in loop_lag_ms oldest_running_ms stuck reconnects rss_bytes last_read_ms; do
    like "$(redis HGET "$worker" "$f")" '^[0-9]+$' "and has $f"
done
redis CLIENT KILL TYPE normal SKIPME yes >/dev/null
again() { [ "$(redis HGET "$worker" reconnects)" -ge 1 ]; }
wait_until 20 'a lost connection is counted' again
is "$(job_field "$(run_job force 1)" status)" completed 'and work goes on'
like "$(redis HGET "$P:metrics" last_success_ms:A)" '^[0-9]{13}$' 'the metrics know the last success'
ok 'and durations' test "$(redis HGET "$P:metrics" duration_count)" -ge 5
stop_daemon
is $? 0 'SIGTERM exits 0'
: "$second"
finish
