#!/bin/bash
# A running sync is cancelled; an unread job is cancelled; a killed worker's job is taken over.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

start_postgres
start_redis
migrate
start_daemon CACHESYNC_LEASE_MS=1000 CACHESYNC_WORKERS=1

# Another session holds the market, so that a sync waits inside a statement.
coproc HOLD { psql -X -q -A -t -d "$DATABASE_URI" 2>&1; }
hold() { echo "BEGIN; LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
let_go() { echo "ROLLBACK; SELECT 'free';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }

hold
id=$(job_id_of "$(redis XADD "$P:commands" '*' force 1)")
wait_until 5 'a sync runs' job_is "$id" running
unread=$(job_id_of "$(redis XADD "$P:commands" '*' force 1)")
redis XADD "$P:control" '*' command cancel job_id "$unread" >/dev/null
wait_until 3 'an unread job is cancelled at once' job_is "$unread" failed
is "$(job_field "$unread" error_details | jq -r .code)" cancelled 'with the code cancelled'
redis XADD "$P:control" '*' command cancel job_id "$id" >/dev/null
wait_until 3 'a running job is cancelled' job_is "$id" failed
is "$(job_field "$id" error_details | jq -r .code)" cancelled 'with the code cancelled'
is "$(redis XLEN "$P:commands")" 0 "the stream is empty"

id=$(job_id_of "$(redis XADD "$P:commands" '*' force 1)")
wait_until 5 'another sync runs' job_is "$id" running
kill_hard "$DAEMON_PID"
let_go
start_daemon CACHESYNC_LEASE_MS=1000 CACHESYNC_WORKERS=1
wait_until 10 'its job is taken over' job_is "$id" completed
is "$(job_field "$id" attempts)" 2 'as the second attempt'
stop_daemon
is $? 0 'SIGTERM exits 0'
finish
