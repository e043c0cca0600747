#!/bin/bash
# The only worker there is, and an answer is lost, or what others wait for is taken away: it finds by itself what it was given, counts nothing
# twice, and leaves nobody waiting.
# shellcheck disable=SC2016,SC2031,SC2317 # waits are evaluated later
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

LEASE_MS=500
fault_servers

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

case_of 'the job that holds the idempotency key is forgotten before the second is told of it'
daemon "$P.a" CACHESYNC_RETENTION_JOBS=1
submit mode full force 1 idempotency_key k
wait_until 20 "$name: the first ends" job_is "$ID" completed
stop "$P.a"
daemon "$P.b" CACHESYNC_RETENTION_JOBS=1 CACHESYNC_FAILPOINTS=admit.after=kill@1
FIRST=$ID
submit mode full force 1 idempotency_key k
wait_until 20 "$name: the next worker dies" dead "$P.b"
redis DEL "$P:job:$FIRST" >/dev/null # as retention does
daemon "$P.c" CACHESYNC_RETENTION_JOBS=1
ok "$name: it ends" settled 20
is "$(job_field "$ID" status)$(job_field "$ID" coalesced_into)" completed "$name: by its own work"
stop "$P.c"

case_of 'the entry of an ended job is trimmed before those that joined it were told'
daemon "$P.a" CACHESYNC_FAILPOINTS=pool.take=sleep:1500@1,settle.before=kill@1
submit mode full force 1
wait_until 20 "$name: a job runs" job_is "$ID" running
submit mode full force 1
wait_until 20 "$name: another waits" job_is "$ID" pending
submit mode full force 1
wait_until 20 "$name: the worker dies" dead "$P.a"
redis XTRIM "$P:commands" MAXLEN 0 >/dev/null
redis --scan --pattern "$P:worker:*" | while read -r key; do redis DEL "$key" </dev/null >/dev/null; done
daemon "$P.b"
told completed
is "$(redis HLEN "$P:entries")" 0 "$name: and no mark is left"
stop "$P.b"

case_of 'a job that joined another is cancelled, and so is the one that repeats it'
daemon "$P.a" CACHESYNC_FAILPOINTS=pool.take=sleep:1500@1
submit mode full force 1
wait_until 20 "$name: a job runs" job_is "$ID" running
submit mode full force 1
wait_until 20 "$name: another waits" job_is "$ID" pending
submit mode full force 1 idempotency_key k
JOINED=$ID
wait_until 20 "$name: a third joined it" eval '[ -n "$(job_field "$ID" coalesced_into)" ]'
submit mode full force 1 idempotency_key k
wait_until 20 "$name: a fourth repeats that" eval '[ "$(job_field "$ID" coalesced_into)" = "$JOINED" ]'
printf 'MULTI\nXADD %s:control * command cancel job_id %s\nXADD %s:control * command cancel job_id %s\nEXEC\n' "$P" "$JOINED" "$P" "$ID" | redis >/dev/null
told failed cancelled
is "$(redis HLEN "$P:entries")" 0 "$name: and no mark is left"
stop "$P.a"
finish
