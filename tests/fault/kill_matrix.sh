#!/bin/bash
# SIGKILL, and SIGSTOP until after the lease, at every named point of a job's life; a second daemon takes over.
#
# After each: every job ended once, its effect and its events happened once, nothing is left pending. A stopped daemon
# that wakes up (a zombie) must add nothing and must work on.
# ONLY=REGEX runs the points that match.
# shellcheck disable=SC2317,SC2030,SC2031 # cases are called through case_start, in subshells
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

# point | what leads there | further fail points
MATRIX='
intake.read|sync|
admit.before|sync|
admit.after|sync|
start.before|sync|
start.after|sync|
pool.take|sync|
sync.before_begin|sync|
sync.after_lock|sync|
progress.before|sync|
progress.after|sync|
sync.row|sync|
sync.before_commit|sync|
sync.after_commit|sync|
pool.report|sync|
finish.before|sync|
finish.after|sync|
release.before|sync|sync.before_begin=error@1
release.after|sync|sync.before_begin=error@1
renew.before|sync|pool.take=sleep:1500@1
renew.after|sync|pool.take=sleep:1500@1
takeover.before|orphan|
takeover.after|orphan|
control.read|cancel|pool.take=sleep:400@1
cancel.before|stray|
cancel.after|stray|
settle.before|burst|pool.take=sleep:1500@1
settle.after|burst|pool.take=sleep:1500@1
pings.before|sync|
pings.after|sync|
autostart.before|import|
autostart.after|import|
'

die_at() {
    local point=$1 action=$2 lead=$3 more=$4 imports=0 want=1 name=$ENVIRONMENT
    [ "$lead" = import ] && imports=1
    [ "$action" = stop ] && want=2
    [ "$lead" = orphan ] && lead_orphan
    daemon "$name.a" CACHESYNC_AUTOSTART="$imports" CACHESYNC_FAILPOINTS="$point=$action@1${more:+,$more}"
    [ "$lead" = import ] && daemon "$name.b" CACHESYNC_AUTOSTART=1
    [ "$lead" = orphan ] || "lead_$lead"
    if [ "$action" = kill ]; then
        wait_until 20 "$point: it dies there" dead "$name.a"
        kill -KILL "${DAEMONS[$name.a]}" 2>/dev/null # or the wait has no end
        ended "$name.a"
        is "$RC" 137 "$point: by SIGKILL"
    else
        wait_until 20 "$point: it stops there" stopped "$name.a"
    fi
    ok "$point: at this very point" grep -q "failpoint $point $action" "$SCRATCH/$name.a.log"
    [ "$lead" = import ] || daemon "$name.b" CACHESYNC_AUTOSTART=0
    ok "$point: after $action another daemon ends everything" settled 30
    if [ "$action" = stop ]; then
        kill -CONT "${DAEMONS[$name.a]}"
        wait_until 20 "$point: the other has started" grep -q ' started ' "$SCRATCH/$name.b.log"
        kill -TERM "${DAEMONS[$name.b]}"
        ended "$name.b"
        is "$RC" 0 "$point: the other stops cleanly"
        submit mode full force 1
        ok "$point: the zombie works on" settled 30
    fi
    [ "$lead" != import ] || is "$(redis ZCARD "$P:jobs")" "$want" "$point: one import starts one sync"
    history_is_sound "$point: after $action the history is sound"
}

LEASE_MS=500
fault_servers

# rows PATTERN: those whose lead matches. The channel of imports is one for all prefixes, so these go one by one.
rows() {
    while IFS='|' read -r point lead more; do
        if ! [[ -n $point && $lead =~ $1 && $point =~ ${ONLY:-} ]]; then continue; fi
        for action in kill stop; do case_start "$point.$action" die_at "$point" "$action" "$lead" "$more"; done
    done <<<"$MATRIX"
    cases_wait
}

# A job that has committed, or still may, is cancelled while nobody holds it: what is told of it must be what happened.
told_as_it_was() {
    local point=$1 action=$2 name=$ENVIRONMENT
    daemon "$name.a" CACHESYNC_AUTOSTART=0 CACHESYNC_FAILPOINTS="$point=$action@1"
    submit mode full force 1
    if [ "$action" = kill ]; then wait_until 20 "$point: it dies" dead "$name.a"; else wait_until 20 "$point: it stops" stopped "$name.a"; fi
    cancel "$ID"
    daemon "$name.b" CACHESYNC_AUTOSTART=0
    cancel "$ID"
    ok "$point, cancelled after $action: it ends" settled 30
    [ "$action" = kill ] || kill -CONT "${DAEMONS[$name.a]}"
    submit mode full force 1
    ok "$point, cancelled after $action: and the next" settled 30
    history_is_sound "$point, cancelled after $action: the history is sound"
}
for point in sync.before_begin sync.after_lock sync.before_commit sync.after_commit pool.report finish.before; do
    for action in kill stop; do
        [[ cancelled.$point =~ ${ONLY:-} ]] && case_start "cancelled.$point.$action" told_as_it_was "$point" "$action"
    done
done
rows 'sync|orphan|cancel|burst|stray'
CASES_AT_ONCE=1 rows import

# ---- no script of the daemon is forgotten, nor any other point
while read -r f; do
    for when in before after; do ok "the matrix has ${f##*/}.$when" grep -q "^${f##*/}.$when|" <<<"$MATRIX"; done
done < <(grep -oh 'worker/lua/[a-z_]*' "$ROOT"/worker/daemon/*.c | sort -u)
while read -r f; do
    ok "the matrix has $f" grep -q "^$f|" <<<"$MATRIX"
done < <(grep -oh 'CS_FAILPOINT("[a-z_.]*' "$ROOT"/worker/*/*.c | cut -d'"' -f2)
finish
