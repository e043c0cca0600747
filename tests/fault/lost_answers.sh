#!/bin/bash
# The connection to Redis is lost before each script and command of the daemon is sent, and before its answer is there; PostgreSQL is
# lost at each point of a sync. One daemon, which nobody restarts: connected anew it ends everything, once.
#
# Where nothing is sent the daemon logs everything, where the answer is lost only errors. ONLY=REGEX runs the points that match.
# shellcheck disable=SC2317,SC2030,SC2031 # cases are called through case_start, in subshells
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

# script or command | what leads there | further fail points
CALLS='
admit|sync|
start|sync|
progress|sync|
finish|sync|
release|sync|sync.before_begin=error@1
renew|sync|pool.take=sleep:4000@1
takeover|orphan|
cancel|stray|
settle|burst|pool.take=sleep:1500@1
pings|sync|
autostart|import|
XGROUP|sync|
XREADGROUP|sync|
XREAD|cancel|pool.take=sleep:400@1
XREVRANGE|cancel|pool.take=sleep:400@1
INFO|sync|
HSET|sync|
PEXPIRE|sync|
ZADD|sync|
ZREMRANGEBYRANK|sync|
XTRIM|sync|
HMGET|repeat|
XRANGE|stranger|
HGETALL|trimmed|
XACK|told|
DEL|sync|
'
# point | further fail points
PLACES='
intake.read|
control.read|pool.take=sleep:400@1
sync.before_begin|
sync.after_lock|
sync.before_commit|
sync.after_commit|
'

lead_repeat() {
    submit mode full force 1 idempotency_key "$P"
    settled 20
    submit mode full force 1 idempotency_key "$P"
}
# A cancel of a job that is nowhere: the stream is searched.
lead_stranger() { STRAY=0190aaaa-0000-4000-8000-0000000000ff; submit mode full force 1; cancel "$STRAY"; submit mode full force 1; }
# A cancel among the commands.
lead_told() { redis XADD "$P:commands" '*' command cancel job_id 0190aaaa-0000-4000-8000-0000000000ff >/dev/null; submit mode full force 1; }
lead_trimmed() { lead_orphan; redis XTRIM "$P:commands" MAXLEN 0 >/dev/null; }

fired() { grep -q "failpoint $point error" "$SCRATCH/$who.log"; }
# A daemon obeys the cancels that come after it has begun to listen: until then it is sent again.
heard() { fired || { case $lead in stray | stranger) cancel "$STRAY" ;; esac; false; }; }
lose_at() {
    local point=$1 lead=$2 more=$3 level=$4 imports=0 who=$1
    [ "$lead" = import ] && imports=1
    case $lead in orphan | trimmed) "lead_$lead" ;; esac
    [ "$lead" = import ] && daemon "$who.b" CACHESYNC_AUTOSTART=1
    daemon "$who" CACHESYNC_AUTOSTART="$imports" CACHESYNC_LOG_LEVEL="$level" CACHESYNC_FAILPOINTS="$point=error@1${more:+,$more}"
    case $lead in orphan | trimmed) ;; *) "lead_$lead" ;; esac
    [ "$point" = DEL.after ] || [ "$point" = DEL.before ] || wait_until 20 "$point: it is lost there" heard
    ok "$point: the same daemon ends everything" settled 30
    [ "$lead" != trimmed ] || wait_until 30 "$point: what was trimmed too, though it has left no trace but in the pending list" job_is "$ID" failed
    submit mode full force 1
    ok "$point: and the next job" settled 30
    kill -TERM "${DAEMONS[$who]}"
    ended "$who"
    is "$RC" 0 "$point: it stops cleanly"
    case $point in DEL.*) ok "$point: it is lost there, while it leaves" fired ;; esac
    [ "$level" = debug ] || is "$(grep -cE 'Z (debug|info|warn) ' "$SCRATCH/$who.log")" 0 "$point: only errors are logged when only errors are wanted"
    history_is_sound "$point: the history is sound"
}

LEASE_MS=500
fault_servers

# rows PATTERN: those whose lead matches. The channel of imports is one for all prefixes.
rows() {
    while IFS='|' read -r call lead more; do
        if ! [[ -n $call && $lead =~ $1 && $call =~ ${ONLY:-} ]]; then continue; fi
        case_start "$call.before" lose_at "$call.before" "$lead" "$more" debug
        case_start "$call.after" lose_at "$call.after" "$lead" "$more" error
    done <<<"$CALLS"
    cases_wait
}
while IFS='|' read -r point more; do
    [[ -n $point && $point =~ ${ONLY:-} ]] || continue
    lead=sync
    [ "$point" = control.read ] && lead=cancel
    case_start "$point" lose_at "$point" "$lead" "$more" debug
done <<<"$PLACES"
rows '^[^i]'
CASES_AT_ONCE=1 rows import

# ---- no script or command of the daemon is forgotten, but the one event that tells of a hung thread, and XDEL, which goes out with its XACK
while read -r call; do
    ok "the list has $call" grep -q "^$call|" <<<"$CALLS"
done < <({ grep -oh '"worker/lua/[a-z_]*' "$ROOT"/worker/daemon/*.c | sed 's,.*/,,'
    grep -ohE '(\{|&a, )"(X|H|Z|P|D|I)[A-Z]+"' "$ROOT"/worker/daemon/*.c | grep -o '[A-Z]*' | grep -vE '^(XADD|PUBLISH|XDEL)$'; } | sort -u)
finish
