#!/bin/bash
# What becomes of a job when something is taken from under it: its table, its session, its entry, its lease, the rights of its
# worker; of pings while memory is full, of many entries of a dead worker, and of the log and the rules at SIGHUP.
# Functions are called through wait_until:
# shellcheck disable=SC2317
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

start_postgres
start_redis
migrate
send() { job_id_of "$(redis XADD "$P:commands" '*' "$@")"; }
detail() { job_field "$1" error_details | jq -r "$2"; }
empty() { [ "$(redis XLEN "$P:commands")" = 0 ]; }
said() { grep -qE "$@" "$SCRATCH/daemon.log"; }
none_pending() { [ "$(redis XPENDING "$P:commands" workers | head -1)" = 0 ]; }
coproc HOLD { psql -X -q -A -t -d "$DATABASE_URI" 2>&1; }
hold() { echo "BEGIN; LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
let_go() { echo "ROLLBACK; SELECT 'free';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
stands() { [ -n "$(sql "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'cachesyncd/%' AND wait_event_type = 'Lock'")" ]; }
break_it() { sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cachesyncd/%' AND wait_event_type = 'Lock'" >/dev/null; }
# running [FIELD VALUE...]: a job that stands in a statement; sets id.
running() {
    hold
    id=$(send force 1 "$@")
    wait_until 20 'a job runs' job_is "$id" running
    wait_until 20 'and stands in a statement' stands
}
export CACHESYNC_GRACE_S=1 CACHESYNC_LEASE_MS=1000 CACHESYNC_WORKERS=2
start_daemon CACHESYNC_LOG_LEVEL=debug

# ---- its table, its session
sql 'ALTER TABLE symbols RENAME TO elsewhere' >/dev/null
id=$(run_job force 1)
is "$(job_field "$id" status) $(detail "$id" '"\(.code) \(.sqlstate) \(.attempts)"')" 'failed database_error 42P01 1' 'a missing table fails the job at the first attempt'
sql 'ALTER TABLE elsewhere RENAME TO symbols' >/dev/null
running
break_it
wait_until 20 'a session that the server ended is tried again' said "job_retry job=$id "
let_go
wait_until 40 'and the job completes' job_is "$id" completed
is "$(job_field "$id" attempts)" 2 'at the second attempt'

# ---- its lease, its entry
running
redis XGROUP CREATECONSUMER "$P:commands" workers thief >/dev/null
redis XCLAIM "$P:commands" workers thief 0 "$(job_field "$id" entry_id)" >/dev/null
wait_until 20 'a job that another worker claimed is stopped' said "lease_lost job=$id"
is "$(sql "SELECT count(*) FROM cache_sync_runs WHERE job_id = '$id'")" 0 'and has committed nothing'
let_go
wait_until 40 'when that worker is dead it is taken over' job_is "$id" completed
is "$(sql "SELECT count(*) FROM cache_sync_runs WHERE job_id = '$id'")" 1 'and runs once'
running
redis XTRIM "$P:commands" MAXLEN 0 >/dev/null
stop_daemon
is "$? $(job_field "$id" status) $(detail "$id" .code)" '0 failed entry_trimmed' 'a job that cannot be handed back, since its entry is gone, fails'
let_go

# ---- its idempotency key belongs to a job that failed
start_daemon CACHESYNC_LOG_LEVEL=debug
running idempotency_key k1
redis XADD "$P:control" '*' command cancel job_id "$id" >/dev/null
wait_until 20 'the first of a key is cancelled' job_is "$id" failed
let_go
twin=$(run_job force 1 idempotency_key k1)
is "$(job_field "$twin" status) $(detail "$twin" .code) $(job_field "$twin" coalesced_into)" "failed cancelled $id" 'who repeats it fails as it did'

# ---- a dry run
events=$(redis XLEN "$P:events")
id=$(run_job mode full force 1 dry_run 1 as_of 2024-01-02)
is "$(job_field "$id" status)" completed 'a dry run completes'
told=$(redis --json XREVRANGE "$P:events" + - COUNT $(($(redis XLEN "$P:events") - events)) | jq -c '[.[][1][3] | fromjson]')
is "$(jq -c 'map(select(.event == "cache_sync_triggered"))[0].payload.dry_run' <<<"$told")" true 'its trigger says so'
is "$(jq 'map(select(.event == "universe_updated")) | length' <<<"$told")" 0 'and it announces no change'

# ---- rights, and memory, that Redis takes away
redis ACL SETUSER default -publish >/dev/null
id=$(run_job force 1)
is "$(job_field "$id" status)" completed 'without the right to publish a job ends all the same'
ok 'and it is said what is missing' said "finish_incomplete job=$id error=.*remedy="
redis ACL SETUSER default +@all >/dev/null
redis ACL SETUSER default -xpending >/dev/null
wait_until 20 'without the right to look for dead workers it is said' said 'takeover_refused error='
redis ACL SETUSER default +@all >/dev/null
kill -STOP "$DAEMON_PID"
for _ in $(seq 30); do ping=$(send command ping); done
redis CONFIG SET maxmemory 1 >/dev/null
kill -CONT "$DAEMON_PID"
wait_until 20 'with memory full pings are kept' said 'redis_refused script=pings error="?OOM'
is "$(redis XLEN "$P:commands")" 30 'every one'
redis CONFIG SET maxmemory 0 >/dev/null
wait_until 20 'and end when there is room' job_is "$ping" completed
wait_until 20 'all of them' empty

# ---- imports: a run id that is a number; one that cannot be queued
redis PUBLISH tickstock:import:completed '{"run_id":7}' >/dev/null
imported() { [ -n "$(redis GET "$P:idem:import:7")" ]; }
wait_until 20 'under that number' imported
wait_until 30 'and ends' empty
redis DEL "$P:commands" >/dev/null
redis SET "$P:commands" foreign >/dev/null
redis PUBLISH tickstock:import:completed '{"run_id":8}' >/dev/null
wait_until 20 'an import that cannot be queued is said' said 'autostart_refused error=.*WRONGTYPE'
redis DEL "$P:commands" >/dev/null

# ---- many entries of a dead worker, some of them with ids of their own
stop_daemon
redis XGROUP CREATE "$P:commands" workers 0 MKSTREAM >/dev/null
for n in $(seq 120); do echo "XADD $P:commands * command ping job_id 0190bbbb-0000-4000-8000-$(printf %012x "$n")"; done | redis >/dev/null
redis XREADGROUP GROUP workers ghost COUNT 200 STREAMS "$P:commands" '>' >/dev/null
mkdir "$SCRATCH/log"
cp "$ROOT/deploy/rules/universes.json" "$SCRATCH/rules.json"
start_daemon CACHESYNC_LOG="$SCRATCH/log/own.log" CACHESYNC_RULES="$SCRATCH/rules.json"
wait_until 30 'the 120 entries of a dead worker are taken over' empty
is "$(job_field 0190bbbb-0000-4000-8000-000000000078 status)" completed 'to the last'
wait_until 20 'and nothing stays pending' none_pending

# ---- SIGHUP: the log's folder is gone; rules that a job still uses
mv "$SCRATCH/log" "$SCRATCH/moved"
kill -HUP "$DAEMON_PID"
wait_until 20 'a log that cannot be opened anew is said in the old one' grep -q 'log_not_reopened error=.*log/own.log' "$SCRATCH/moved/own.log"
running
kill -HUP "$DAEMON_PID"
loaded() { [ "$(grep -c rules_loaded "$SCRATCH/moved/own.log")" = "$1" ]; }
wait_until 20 'rules are loaded while a job runs' loaded 2
let_go
wait_until 30 'which ends with those that it began with' job_is "$id" completed
kill -HUP "$DAEMON_PID"
wait_until 20 'and again when none runs' loaded 3
stop_daemon
is $? 0 'SIGTERM exits 0'
said=$(CACHESYNC_LOG=$SCRATCH/log/own.log "$BUILD/cachesyncd" 2>&1)
is "$? $(wc -l <<<"$said")" '2 1' 'a log that cannot be opened ends the start, with one line'
like "$said" "^cachesyncd: .*$SCRATCH/log/own.log" 'that names it'

# ---- a thread that hangs at the end
start_daemon
running
pid=$(sql "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'cachesyncd/%' AND wait_event_type = 'Lock'")
kill -STOP "$pid"
stop_daemon
is "$? $(job_field "$id" status) $(job_field "$id" attempts)" '0 pending 0' 'a stop does not wait for a hanging thread: its job is handed back, with its attempt'
kill -CONT "$pid"
let_go
finish
