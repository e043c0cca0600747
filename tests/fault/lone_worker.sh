#!/bin/bash
# The only worker there is, and the answer of a script is lost: it finds by itself what it was given, and counts nothing twice.
# shellcheck disable=SC2016,SC2031,SC2317 # waits are evaluated later
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

LEASE_MS=500
start_postgres
start_redis
migrate
market 40

# case_of NAME: keys and an environment of its own.
CASE=0
case_of() { CASE=$((CASE + 1)) P="lone:$CASE" ENVIRONMENT="L$CASE" name=$1; }
stop() { kill -TERM "${DAEMONS[$1]}"; ended "$1"; is "$RC" 0 "$name: $1 stops cleanly"; }
told() { # STATUS [CODE]
    ok "$name: it ends" settled 20
    is "$(job_field "$ID" status)" "$1" "$name: as $1"
    [ $# = 1 ] || is "$(job_field "$ID" error_details | jq -r .code)" "$2" "$name: $2"
    history_is_sound "$name: the history is sound"
}

case_of 'a takeover, by the only worker there is'
redis XGROUP CREATE "$P:commands" workers 0 MKSTREAM >/dev/null
submit mode full force 1
redis XREADGROUP GROUP workers ghost COUNT 1 STREAMS "$P:commands" '>' >/dev/null
wait_until 20 "$name: its lease runs out" eval '[ -n "$(redis XPENDING "$P:commands" workers IDLE 500 - + 1)" ]'
daemon "$P.a" CACHESYNC_FAILPOINTS=takeover.after=error@1
told completed
ok "$name: the answer was lost" grep -q 'failpoint takeover.after error' "$SCRATCH/$P.a.log"
stop "$P.a"

case_of 'a start, of a job that has one attempt'
daemon "$P.a" CACHESYNC_FAILPOINTS=start.after=error@1 CACHESYNC_MAX_ATTEMPTS=1
submit mode full force 1
told completed
is "$(job_field "$ID" attempts)" 1 "$name: it was one attempt"
stop "$P.a"
for point in cancel.before cancel.after finish.before; do
    case_of "a cancel of a job that joined another, $point"
    daemon "$P.a" CACHESYNC_FAILPOINTS="pool.take=sleep:2500@1,$point=error@1"
    submit mode full force 1
    wait_until 20 "$name: a job runs" job_is "$ID" running
    submit mode full force 1
    wait_until 20 "$name: another waits" job_is "$ID" pending
    submit mode full force 1
    wait_until 20 "$name: a third joined it" eval '[ -n "$(job_field "$ID" coalesced_into)" ]'
    cancel "$ID"
    told failed cancelled
    ok "$name: the connection was lost there" grep -q "failpoint $point error" "$SCRATCH/$P.a.log"
    stop "$P.a"
done
finish
