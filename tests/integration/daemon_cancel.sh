#!/bin/bash
# A cancel finds its job wherever it is: unread, read ahead, marked by another worker, waiting for its next attempt, repeating another; and
# what is no cancel, or not of a job, is said and left alone.
# Functions are called through wait_until:
# shellcheck disable=SC2317
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

start_postgres
start_redis
migrate
send() { job_id_of "$(redis XADD "$P:commands" '*' "$@")"; }
cancel() { redis XADD "$P:control" '*' command cancel job_id "$1" >/dev/null; }
code_of() { job_field "$1" error_details | jq -r .code; }
empty() { [ "$(redis XLEN "$P:commands")" = 0 ]; }
said() { grep -qE "$@" "$SCRATCH/daemon.log"; }
coproc HOLD { psql -X -q -A -t -d "$DATABASE_URI" 2>&1; }
hold() { echo "BEGIN; LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
let_go() { echo "ROLLBACK; SELECT 'free';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
# The only thread is busy, one job is read ahead; what comes now stays unread.
fill() {
    hold
    busy=$(send force 1 environment A)
    wait_until 20 'the only thread is busy' job_is "$busy" running
    ahead=$(send force 1 environment B)
    wait_until 20 'one job is read ahead' job_is "$ahead" pending
}
export CACHESYNC_GRACE_S=1 CACHESYNC_LEASE_MS=1000 CACHESYNC_LOG_LEVEL=debug
start_daemon CACHESYNC_WORKERS=1

# ---- unread
fill
unread=$(send force 1 environment C)
cancel "$unread"
wait_until 20 'an unread job is found by the id of its entry' job_is "$unread" failed
is "$(code_of "$unread") $(redis XLEN "$P:dead")" 'cancelled 0' 'and cancelled, without a dead letter'
ok 'which is said' said "cancel_unread job=$unread"
ping=$(send command ping)
cancel "$ping"
wait_until 20 'a ping is left to end by itself' said "cancel_ignored job=$ping reason=\"a ping ends by itself\""
bad=$(send mode sideways)
stray=$(send command cancel job_id "$unread")
own=0190aaaa-0000-4000-8000-00000000000e
redis XADD "$P:commands" '*' command cancel job_id "$own" >/dev/null
redis XADD "$P:commands" '*' mode sideways job_id "$own" >/dev/null
redis XADD "$P:commands" '*' force 1 environment C job_id "$own" >/dev/null
cancel "$bad"
cancel "$stray"
cancel "$own"
wait_until 20 'the one with an id of its own is found among others of that id' job_is "$own" failed
is "$(code_of "$own")" cancelled 'and cancelled'
is "$(job_field "$bad" status)$(job_field "$stray" status)" '' 'what is no job, or nobody understands, is left to its reader'

# ---- read ahead; marked by another worker; its hash lost
cancel "$ahead"
wait_until 20 'what is read ahead ends at once' job_is "$ahead" failed
let_go
wait_until 30 'all the rest is worked off' empty
is "$(code_of "$bad")" invalid_command 'its reader says what is wrong'
is "$(job_field "$ping" status)" completed 'the ping has ended'
fill
redis HSET "$P:job:$ahead" cancel 1 >/dev/null
let_go
wait_until 30 'a mark of another worker ends a job before it starts' job_is "$ahead" failed
is "$(code_of "$ahead") $(job_field "$ahead" attempts)" 'cancelled ' 'as cancelled, without an attempt'
fill
redis DEL "$P:job:$ahead" >/dev/null
let_go
wait_until 30 'a job whose hash was lost is admitted again, and runs' job_is "$ahead" completed

# ---- an entry that comes again while the job that does its work still runs
hold
first=$(send force 1 environment A)
wait_until 20 'the first runs' job_is "$first" running
again() { # ID: an entry of this id whose job waits for the first one
    local entry
    entry=$(redis XADD "$P:commands" '*' force 1 environment A job_id "$1")
    redis HSET "$P:job:$1" status pending coalesced_into "$first" entry_id "$entry" created_at 2026-01-01T00:00:00.000Z environment A mode full >/dev/null
}
twin=0190aaaa-0000-4000-8000-0000000000a1 other=0190aaaa-0000-4000-8000-0000000000a2
kill -STOP "$DAEMON_PID"
again "$twin"
again "$other"
kill -CONT "$DAEMON_PID"
wait_until 20 'it looks at how the first ended, again and again' said "first_job_unknown job=$twin first=$first"
wait_until 20 'so does the other' said "first_job_unknown job=$other first=$first"
cancel "$other"
wait_until 20 'meanwhile it can be cancelled' job_is "$other" failed
is "$(code_of "$other")" cancelled 'as cancelled'
let_go
wait_until 30 'and ends as the first did' job_is "$twin" completed
is "$(job_field "$twin" coalesced_into)" "$first" 'saying whose work it was'

# ---- what is no cancel
redis XADD "$P:control" '*' command dance >/dev/null
redis XADD "$P:control" '*' command cancel >/dev/null
redis XADD "$P:control" '*' command ping >/dev/null
redis SET "$P:job:$own" foreign >/dev/null
cancel "$own"
wait_until 20 'an unknown control command is said' said 'control_invalid entry=[-0-9]+ error=.*dance'
wait_until 20 'a cancel of nothing too' said 'control_invalid entry=[-0-9]+ error=.*job_id'
wait_until 20 'and a command that belongs elsewhere' said 'control_ignored entry=[-0-9]+ command=ping'
wait_until 20 'a foreign hash is not marked' said "cancel_ignored job=$own reason=.*WRONGTYPE"
is "$(redis GET "$P:job:$own")" foreign 'and stays as it is'
redis DEL "$P:job:$own" >/dev/null

# ---- among the commands; while it waits for its next attempt
stop_daemon
start_daemon CACHESYNC_WORKERS=2 CACHESYNC_MAX_ATTEMPTS=50
hold
id=$(send force 1)
wait_until 20 'a job runs' job_is "$id" running
redis XADD "$P:commands" '*' command cancel job_id "$id" >/dev/null
wait_until 20 'a cancel among the commands ends it' job_is "$id" failed
wait_until 20 'and leaves the stream' empty
stands() { [ -n "$(sql "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'cachesyncd/%' AND wait_event_type = 'Lock'")" ]; }
break_it() { sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cachesyncd/%' AND wait_event_type = 'Lock'" >/dev/null; }
id=$(send force 1 environment D)
wait_until 20 'a job stands in a statement' stands
redis HSET "$P:job:$id" attempts 20 >/dev/null
break_it
wait_until 20 'its session ended, it is tried again' said "job_retry job=$id "
cancel "$id"
wait_until 20 'and is cancelled while it waits' job_is "$id" failed
is "$(code_of "$id")" cancelled 'as cancelled'
let_go
stop_daemon
is $? 0 'SIGTERM exits 0'
finish
