#!/bin/bash
# What goes wrong around a job: Redis refuses, foreign types, trimmed entries, a thread that does not come back, retries, poison.
# Functions are called through wait_until:
# shellcheck disable=SC2317
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

start_postgres
start_redis
migrate
send() { job_id_of "$(redis XADD "$P:commands" '*' "$@")"; }
code_of() { job_field "$1" error_details | jq -r .code; }
empty() { [ "$(redis XLEN "$P:commands")" = 0 ]; }
said() { grep -q "$@" "$SCRATCH/daemon.log"; }
backend() { sql "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'cachesyncd/%' AND state <> 'idle' AND query LIKE '%$1%' LIMIT 1"; }
has_backend() { [ -n "$(backend "$1")" ]; }
worker_field() { redis HGET "$(redis --scan --pattern "$P:worker:*.$DAEMON_PID.*")" "$1"; }
worker_is() { [ "$(worker_field "$1")" = "$2" ]; }
coproc HOLD { psql -X -q -A -t -d "$DATABASE_URI" 2>&1; }
hold() { echo "BEGIN; LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
let_go() { echo "ROLLBACK; SELECT 'free';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
last_letter() { redis XREVRANGE "$P:dead" + - COUNT 1 | grep -q "$1"; }
refusals() { redis INFO errorstats | sed -n "s/^errorstat_$1:count=\([0-9]*\).*/\1/p"; }
refused_more() { [ "$(refusals "$1" || echo 0)" -gt "$2" ]; }
export CACHESYNC_GRACE_S=1
start_daemon CACHESYNC_LEASE_MS=1000 CACHESYNC_WORKERS=2 CACHESYNC_JOB_TIMEOUT_S=600

# ---- a foreign type at each key of ours: kept, said, and gone on with when it is moved away
for key in jobs events metrics pending:DEFAULT entries; do
    before=$(refusals WRONGTYPE)
    redis DEL "$P:$key" >/dev/null
    redis SET "$P:$key" foreign >/dev/null
    id=$(send force 1)
    wait_until 30 "a foreign P:$key is refused" refused_more WRONGTYPE "${before:-0}"
    redis DEL "$P:$key" >/dev/null
    wait_until 40 'and the job ends when it is gone' job_is "$id" completed
done
ok 'the log names script and key' said -E "redis_refused .*script=admit error=\"WRONGTYPE $P:jobs holds a string"
for key in dead universes:DEFAULT "daily:$(date -u +%F)"; do
    redis DEL "$P:$key" >/dev/null
    redis SET "$P:$key" foreign >/dev/null
    id=$(send force 1)
    wait_until 30 "with a foreign P:$key it runs" job_is "$id" running
    redis DEL "$P:$key" >/dev/null
    wait_until 40 'and is ended once that is gone' job_is "$id" completed
done
id=0190aaaa-0000-7000-8000-00000000000a
redis SET "$P:job:$id" foreign >/dev/null
redis XADD "$P:commands" '*' job_id "$id" >/dev/null
wait_until 30 'a foreign hash is a dead letter' last_letter foreign_key
is "$(redis GET "$P:job:$id")" foreign 'and stays as it is'
redis DEL "$P:job:$id" >/dev/null

# ---- a foreign type where commands and cancels are read
redis DEL "$P:commands" "$P:control" >/dev/null
redis MSET "$P:commands" foreign "$P:control" foreign >/dev/null
wait_until 30 'a foreign P:commands is said' said -E '(group|read)_refused error="WRONGTYPE'
wait_until 30 'a foreign P:control is said' said -E 'control_refused error="WRONGTYPE'
redis DEL "$P:commands" "$P:control" >/dev/null
id=$(send force 1)
wait_until 40 'and work goes on when they are gone' job_is "$id" completed
ok 'not a line for each try' test "$(grep -c _refused "$SCRATCH/daemon.log")" -lt 12

# ---- memory is full, in the middle of a job
hold
id=$(send force 1)
wait_until 30 'a job runs' job_is "$id" running
redis CONFIG SET maxmemory 1 >/dev/null
let_go
wait_until 30 'its end is refused' refused_more OOM 0
is "$(job_field "$id" status)" running 'nothing of it is written'
redis CONFIG SET maxmemory 0 >/dev/null
wait_until 40 'and it ends when there is room' job_is "$id" completed
is "$(redis HGET "$P:metrics" jobs:full:completed)" "$(redis HGET "$P:metrics" duration_count)" 'each counts once'

# ---- input of every kind
big=$(head -c 1000000 /dev/zero | tr '\0' x)
id=$(job_id_of "$(printf '%s' "$big" | redis -x XADD "$P:commands" '*' mode)")
wait_until 30 'a megabyte in a field is refused' job_is "$id" failed
ok 'and cut in the dead letter' test "$(redis --json XREVRANGE "$P:dead" + - COUNT 1 | jq -r '.[0][1][1] | length')" = 4096
# shellcheck disable=SC2046 # a field and a value each
id=$(send force 1 $(seq 20000))
wait_until 30 '10,000 unknown fields are ignored' job_is "$id" completed
id=$(send mode $'\xff\xfe\x00')
wait_until 30 'binary is refused' job_is "$id" failed
id=$(send command dance)
wait_until 30 'an unknown command is refused' job_is "$id" failed
is "$(code_of "$id")" invalid_command 'as invalid_command'
before=$(redis XLEN "$P:dead")
redis XADD "$P:other" '*' a b >/dev/null
redis XADD "$P:commands" 281474976710656-0 force 1 >/dev/null
wait_until 30 'an entry id that fits no job id leaves the stream' empty
is "$(redis XLEN "$P:dead")" $((before + 1)) 'as a dead letter'
# Nothing newer than that id can be added: begin anew.
stop_daemon
redis DEL "$P:commands" >/dev/null

# ---- entries that are trimmed: held ones go on, the dead worker's fail
start_daemon CACHESYNC_LEASE_MS=1000 CACHESYNC_WORKERS=1
hold
id=$(send force 1)
wait_until 30 'one runs' job_is "$id" running
waiting=$(send force 0)
wait_until 30 'one waits' job_is "$waiting" pending
redis XTRIM "$P:commands" MAXLEN 0 >/dev/null
let_go
wait_until 30 'a trimmed job that runs ends' job_is "$id" completed
wait_until 30 'one that waits too' job_is "$waiting" failed
hold
own=0190aaaa-0000-7000-8000-00000000000b
redis XADD "$P:commands" '*' force 1 job_id "$own" >/dev/null
wait_until 30 'again one runs' job_is "$own" running
kill_hard "$DAEMON_PID"
redis XTRIM "$P:commands" MAXLEN 0 >/dev/null
redis DEL "$(redis --scan --pattern "$P:worker:*")" >/dev/null
let_go
start_daemon CACHESYNC_LEASE_MS=1000 CACHESYNC_WORKERS=2 CACHESYNC_JOB_TIMEOUT_S=2 CACHESYNC_MAX_ATTEMPTS=2
wait_until 40 'that of a dead worker fails' job_is "$own" failed
is "$(code_of "$own")" entry_trimmed 'as entry_trimmed'
is "$(redis HGET "$P:metrics" trimmed)" 1 'the metrics count it'
is "$(redis XPENDING "$P:commands" workers | head -1)" 0 'nothing is left pending'

# ---- a thread that does not come back: a stopped backend answers no cancel
hold
id=$(send force 1)
wait_until 30 'a job stands in a statement' has_backend symbols
pid=$(backend symbols)
kill -STOP "$pid"
wait_until 60 'the thread is written off' said thread_stuck
ok 'an event too' grep -q thread_stuck <(redis XREVRANGE "$P:events" + - COUNT 50)
other=$(send command ping)
wait_until 20 'others go on' job_is "$other" completed
redis XADD "$P:control" '*' command cancel job_id "$id" >/dev/null
wait_until 20 'its job ends' job_is "$id" failed
before=$(sql 'SELECT count(*) FROM cache_sync_runs')
kill -CONT "$pid"
let_go
wait_until 30 'the thread is back' worker_is stuck 0
is "$(sql 'SELECT count(*) FROM cache_sync_runs')" "$before" 'and has committed nothing'

# ---- a retry waits until it is due, over a restart
stop_daemon
sql 'ALTER TABLE cachesync_schema RENAME TO elsewhere' >/dev/null
start_daemon DATABASE_URI="postgresql:///none?host=$SCRATCH" CACHESYNC_MAX_ATTEMPTS=5
id=$(send force 1)
waits() { [ -n "$(job_field "$id" due_ms)" ] && job_is "$id" pending; }
wait_until 30 'a job without a database waits for its next attempt' waits
redis HSET "$P:job:$id" due_ms $(($(date +%s%3N) + 4000)) >/dev/null
sql 'ALTER TABLE elsewhere RENAME TO cachesync_schema' >/dev/null
kill_hard "$DAEMON_PID"
redis HSET "$P:job:$id" due_ms $(($(date +%s%3N) + 4000)) >/dev/null
due=$(job_field "$id" due_ms)
start_daemon CACHESYNC_LEASE_MS=500
wait_until 60 'another worker tries again' job_is "$id" completed
ok 'not before it is due' test "$(date -d "$(job_field "$id" start_time)" +%s%3N)" -ge "$due"
stop_daemon

# ---- a worker that dies of every attempt; one that had committed
hold
start_daemon CACHESYNC_LEASE_MS=500 CACHESYNC_MAX_ATTEMPTS=1
id=$(send force 1)
wait_until 30 'it runs' job_is "$id" running
kill_hard "$DAEMON_PID"
let_go
start_daemon CACHESYNC_LEASE_MS=500 CACHESYNC_MAX_ATTEMPTS=1
wait_until 40 'out of attempts it fails' job_is "$id" failed
is "$(code_of "$id")" attempts_exhausted 'as attempts_exhausted'
done_id=$(run_job force 1)
hold
id=$(send force 1)
wait_until 30 'one runs' job_is "$id" running
kill_hard "$DAEMON_PID"
sql "INSERT INTO cache_sync_runs (job_id, mode, environment, started_at, committed_at, total_changes, result)
     SELECT '$id', mode, environment, started_at, committed_at, 7, jsonb_set(result, '{total_changes}', '7') FROM cache_sync_runs WHERE job_id = '$done_id'" >/dev/null
let_go
start_daemon CACHESYNC_LEASE_MS=500 CACHESYNC_MAX_ATTEMPTS=1
wait_until 40 'what had committed is completed, also out of attempts' job_is "$id" completed
is "$(job_field "$id" total_changes)" 7 'with its recorded result'

# ---- stop: within the grace time a job is handed back, and its attempt with it
hold
id=$(send force 1)
wait_until 30 'a job runs' job_is "$id" running
stop_daemon
start_daemon CACHESYNC_GRACE_S=1
wait_until 40 'the next one takes it' job_is "$id" running
kill -TERM "$DAEMON_PID"
wait "$DAEMON_PID"
is $? 0 'it stops at the end of the grace time'
is "$(job_field "$id" status) $(job_field "$id" attempts)" 'pending 0' 'and hands the job back, and its attempt'
start_daemon
wait_until 40 'which another takes at once' job_is "$id" running
: >"$SCRATCH/daemon.log"
kill -TERM "$DAEMON_PID"
wait_until 20 'it is stopping' said stopping
kill -TERM "$DAEMON_PID"
wait "$DAEMON_PID"
is $? 143 'a second signal ends it at once'
let_go
finish
