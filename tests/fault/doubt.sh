#!/bin/bash
# A job that may have committed is looked up before anything is told of it; one that surely has not ends at once. And the session
# of a worker that is frozen inside a statement does not hold its environment for longer than a lease.
# shellcheck disable=SC2016,SC2031,SC2317 # waits are evaluated later; a holder's pipe is no subshell of ours
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

LEASE_MS=500
fault_servers

runs() { sql "SELECT count(*) FROM cache_sync_runs WHERE job_id = '$1'"; }
code() { job_field "$1" error_details | jq -r .code; }
doubt() { [ "$(job_field "$1" in_doubt)" = 1 ] && job_is "$1" "$2"; }
told_completed() {
    ok "$name: it ends" settled 30
    is "$(job_field "$ID" status)" completed "$name: as completed, since it had committed"
    is "$(runs "$ID")" 1 "$name: once"
    is "$(job_field "$ID" in_doubt)$(job_field "$ID" cancel)" '' "$name: and no mark is left"
    history_is_sound "$name: the history is sound"
}
told_cancelled() {
    ok "$name: it ends" settled 30
    is "$(code "$ID")" cancelled "$name: as cancelled"
    is "$(runs "$ID")" 0 "$name: and wrote nothing"
    history_is_sound "$name: the history is sound"
}

# A job whose worker dies at that point, and the mark of the cancel that any other worker leaves.
killed_then_cancelled() {
    daemon "$P.a" CACHESYNC_FAILPOINTS="$1=kill@1"
    submit mode full force 1
    wait_until 20 "$name: it dies" dead "$P.a"
    ok "$name: it is in doubt" doubt "$ID" running
    redis HSET "$P:job:$ID" cancel 1 >/dev/null
}

# A job whose COMMIT lost its answer, and PostgreSQL is away until `tell "pg$CASE" pass`.
away_in_doubt() {
    proxy "pg$CASE" "$SCRATCH/.s.PGSQL.5432"
    daemon "$P.a" DATABASE_URI="postgresql://tick@127.0.0.1:${PROXY_PORT[pg$CASE]}/tickstock" CACHESYNC_FAILPOINTS=sync.after_commit=error@1
    submit mode full force 1
    wait_until 20 "$name: it is to be tried again" doubt "$ID" pending
    tell "pg$CASE" refuse >/dev/null
}

case_of 'committed, its worker killed, then cancelled'
killed_then_cancelled pool.report
daemon "$P.b"
told_completed
stop "$P.b"

case_of 'the answer to COMMIT lost, cancelled before the next attempt'
daemon "$P.a" CACHESYNC_FAILPOINTS=sync.after_commit=error@1,release.after=sleep:300@1
submit mode full force 1
wait_until 20 "$name: it is to be tried again" doubt "$ID" pending
cancel "$ID"
told_completed
stop "$P.a"

case_of 'in doubt, it absorbs nothing'
daemon "$P.a" CACHESYNC_FAILPOINTS=sync.after_commit=error@1,release.after=sleep:300@1
submit mode full force 1
FIRST=$ID
wait_until 20 "$name: it is to be tried again" doubt "$ID" pending
sql "UPDATE symbols SET active = false WHERE symbol = 'S40'" >/dev/null
submit mode full force 1
told_completed
is "$(job_field "$FIRST" status)" completed "$name: and so does the first"
is "$(sql "SELECT content->'symbols' ? 'S40' FROM cache_entries WHERE environment = '$ENVIRONMENT' AND key = 'top_50'")" f \
    "$name: what changed after the first one's COMMIT is in"
sql "UPDATE symbols SET active = true" >/dev/null
stop "$P.a"

case_of 'cancelled while the next attempt waits for the lock'
daemon "$P.a" CACHESYNC_FAILPOINTS=sync.after_commit=error@1,sync.before_begin=sleep:600@2
submit mode full force 1
wait_until 20 "$name: it is to be tried again" doubt "$ID" pending
wait_until 20 "$name: it runs again" job_is "$ID" running
cancel "$ID"
told_completed
stop "$P.a"

case_of 'in doubt, cancelled, and PostgreSQL away'
away_in_doubt
cancel "$ID"
wait_until 20 "$name: the look-up fails" eval '[ "$(redis HGET "$P:metrics" retries)" -ge 3 ] && doubt "$ID" pending'
ok "$name: nothing is told yet" doubt "$ID" pending
tell "pg$CASE" pass >/dev/null
told_completed
stop "$P.a"

case_of 'in doubt, and the schema is of a newer program'
daemon "$P.a" CACHESYNC_MAX_ATTEMPTS=1 CACHESYNC_FAILPOINTS=sync.after_commit=error@1,release.after=sleep:300@1
submit mode full force 1
wait_until 20 "$name: it is to be tried again" doubt "$ID" pending
sql "INSERT INTO cachesync_schema (version, name) VALUES (9999, 'newer')"
wait_until 20 "$name: it is asked again" eval '[ "$(redis HGET "$P:metrics" retries)" -ge 3 ] && doubt "$ID" pending'
sql "DELETE FROM cachesync_schema WHERE version = 9999"
told_completed
stop "$P.a"

case_of 'not in doubt, PostgreSQL away'
proxy "pg$CASE" "$SCRATCH/.s.PGSQL.5432"
tell "pg$CASE" refuse >/dev/null
daemon "$P.a" DATABASE_URI="postgresql://tick@127.0.0.1:${PROXY_PORT[pg$CASE]}/tickstock" CACHESYNC_MAX_ATTEMPTS=100
submit mode full force 1
wait_until 20 "$name: it is to be tried again" eval '[ "$(redis HGET "$P:metrics" retries)" -ge 1 ] && job_is "$ID" pending'
is "$(job_field "$ID" in_doubt)" '' "$name: no attempt can have committed"
cancel "$ID"
told_cancelled
stop "$P.a"

case_of 'killed before it committed, then cancelled'
killed_then_cancelled sync.before_commit
daemon "$P.b"
told_cancelled
stop "$P.b"

case_of 'a cancel outlives the worker that heard it'
daemon "$P.a" CACHESYNC_FAILPOINTS=pool.take=sleep:700@1,finish.before=kill@1
submit mode full force 1
wait_until 20 "$name: it runs" job_is "$ID" running
cancel "$ID"
wait_until 20 "$name: its worker dies of it" dead "$P.a"
daemon "$P.b"
told_cancelled
stop "$P.b"

case_of 'in doubt, cancelled, and the worker is stopped'
away_in_doubt
cancel "$ID"
wait_until 20 "$name: the cancel is marked" eval '[ "$(job_field "$ID" cancel)" = 1 ]'
stop "$P.a"
ok "$name: it is handed back in doubt" doubt "$ID" pending
daemon "$P.b"
told_completed
stop "$P.b"

case_of 'frozen in the middle of its rows'
daemon "$P.a" CACHESYNC_FAILPOINTS=sync.row=stop@3
submit mode full force 1
wait_until 20 "$name: it stops there" stopped "$P.a"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY cs_rows%' AND wait_event = 'ClientRead'")" 1 \
    "$name: its session waits inside a COPY"
daemon "$P.b"
told_completed
ok "$name: its session was ended, and this is said" grep -q ' frozen_session_ended' "$SCRATCH/$P.b.log"
kill -CONT "${DAEMONS[$P.a]}"
submit mode full force 1
ok "$name: with the woken one, the next job ends" settled 30
history_is_sound "$name: and the history is sound"
stop "$P.a"
stop "$P.b"

case_of 'cancelled while no worker is up'
daemon "$P.a"
wait_until 20 "$name: the first worker is there" eval '[ -n "$(redis GET "$P:control:read")" ]'
stop "$P.a"
submit mode full force 1
cancel "$ID"
daemon "$P.b"
told_cancelled
cancel "$ID"
wait_until 20 "$name: the place is kept" eval '[ "$(redis GET "$P:control:read")" = "$(redis XREVRANGE "$P:control" + - COUNT 1 | head -1)" ]'
stop "$P.b"

case_of 'the stream is deleted under a job'
LEASE_MS=15000 daemon "$P.a" CACHESYNC_FAILPOINTS=pool.take=sleep:500@1
submit mode full force 1
first=$ID
wait_until 20 "$name: it runs" job_is "$first" running
redis DEL "$P:commands" >/dev/null
wait_until 20 "$name: its worker makes the group anew" redis XINFO GROUPS "$P:commands"
submit mode full force 1
ok "$name: the next one is not kept waiting" settled 20
is "$(job_field "$first" status)" completed "$name: and it ends as what it did"
history_is_sound "$name: the history is sound"
stop "$P.a"

case_of 'in doubt, cancelled, and the server has become a standby'
killed_then_cancelled pool.report
stop_postgres
"${AS[@]}" touch "$SCRATCH/pg/standby.signal"
start_postgres
daemon "$P.b"
wait_until 20 "$name: the look-up is refused" eval 'grep -q "job_retry .*is a standby" "$SCRATCH/$P.b.log" && doubt "$ID" pending'
"${AS[@]}" "$PGBIN/pg_ctl" -D "$SCRATCH/pg" -w promote >/dev/null
told_completed
stop "$P.b"

# holder SQL...: another session of the same role holds the environment.
hold() {
    { echo "BEGIN; SELECT pg_advisory_xact_lock(hashtext('cachesync:environment'), hashtext('$ENVIRONMENT'));"; echo "$1"; sleep 60; } |
        PGAPPNAME=holder psql -X -q -d "$DATABASE_URI" >/dev/null 2>&1 &
    PIDS+=("$!")
    wait_until 20 "$name: somebody holds the environment" eval "[ \"\$(sql \"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder' AND state <> 'idle' AND state_change < now() - interval '600 ms'\")\" = 1 ]"
}
case_of 'held by somebody who thinks'
hold ''
daemon "$P.a"
submit mode full force 1
wait_until 20 "$name: the job waits for it" eval "[ \"\$(sql \"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted\")\" = 1 ]"
sql "SELECT pg_sleep(1.2)" >/dev/null # two leases
ok "$name: for longer than a lease" job_is "$ID" running
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder'")" 1 "$name: an idle session is left alone"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'" >/dev/null
told_completed
stop "$P.a"
finish
