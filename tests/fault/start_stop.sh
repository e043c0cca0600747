#!/bin/bash
# A daemon that gets too few threads or descriptors ends at its start with one line; one that is told to stop leaves whatever hangs: a
# thread, Redis, or both; and a cancel whose job goes from hand to hand in that very moment ends it all the same.
# shellcheck disable=SC2031,SC2317 # called through wait_until
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

fault_servers
said() { grep -qE "$2" "$SCRATCH/$1.log"; }

# ---- a start with too little
said=$(ulimit -v 300000; CACHESYNC_WORKERS=64 "$FAULT/cachesyncd" 2>&1)
is "$? $said" '2 cachesyncd: cannot start a sync thread; lower CACHESYNC_WORKERS: Resource temporarily unavailable' 'too few threads end the start'
said=$(ulimit -n 6; "$FAULT/cachesyncd" 2>&1)
is "$? $said" '2 cachesyncd: cannot make the eventfd of the thread pool' 'too few descriptors too'
bash -c "ulimit -Sn 7; exec '$FAULT/cachesyncd'" >"$SCRATCH/poor.log" 2>&1 &
DAEMONS[poor]=$!
PIDS+=("$!")
wait_until 20 'one that cannot reach Redis for want of descriptors says so' said poor 'redis_down error="Redis: Too many open files"'
prlimit --pid "${DAEMONS[poor]}" --nofile=64
wait_until 20 'and goes on trying' said poor ' redis_up'
kill -TERM "${DAEMONS[poor]}"
ended poor
is "$RC" 0 'and stops cleanly'

# ---- told to stop while Redis is away, and a thread hangs or does not
proxy redis "$SCRATCH/redis.sock"
VIA_REDIS="redis://127.0.0.1:${PROXY_PORT[redis]}/0"
for sleep in 120000 600; do
    LEASE_MS=2000
    daemon "s$sleep" REDIS_URL="$VIA_REDIS" CACHESYNC_GRACE_S=0 CACHESYNC_FAILPOINTS="pool.take=sleep:$sleep"
    submit mode full force 1
    wait_until 20 "$sleep: a job runs" job_is "$ID" running
    tell redis refuse >/dev/null
    wait_until 20 "$sleep: Redis is away" said "s$sleep" ' redis_down'
    kill -TERM "${DAEMONS[s$sleep]}"
    wait_until 20 "$sleep: it leaves all the same" dead "s$sleep"
    ended "s$sleep"
    is "$RC" 0 "$sleep: with code 0"
    ok "$sleep: and says what it held" said "s$sleep" ' stopped held=1'
    tell redis pass >/dev/null
    daemon "n$sleep" CACHESYNC_GRACE_S=0
    ok "$sleep: the next daemon does its work" settled 40
    is "$(job_field "$ID" status)" completed "$sleep: to the end"
    kill -TERM "${DAEMONS[n$sleep]}"
    ended "n$sleep"
done

# ---- told to stop with nothing but pings
daemon pings CACHESYNC_WORKERS=1 CACHESYNC_GRACE_S=0 CACHESYNC_FAILPOINTS=pool.take=sleep:1500@1
wait_until 20 'a daemon is there' said pings ' redis_up'
submit command ping
first=$ID
taken() { said pings 'failpoint pool.take sleep'; }
wait_until 20 'a ping has the only thread' taken
kill -TERM "${DAEMONS[pings]}"
ended pings
is "$RC $(job_field "$first" status)" '0 completed' 'a ping that a thread has taken ends before the daemon does'

# ---- a cancel between two hands
LEASE_MS=700
daemon hands CACHESYNC_WORKERS=1 CACHESYNC_GRACE_S=1 CACHESYNC_FAILPOINTS=pool.take=sleep:2500,finish.before=sleep:1000@1
submit mode full force 1 dry_run 1
wait_until 20 'the only thread is busy' job_is "$ID" running
redis XADD "$P:commands" '*' environment AHEAD force 1 >/dev/null
ahead_read() { [ "$(redis XPENDING "$P:commands" workers | head -1)" = 2 ]; }
wait_until 20 'one more is read ahead' ahead_read
submit mode full force 1
cancel "$ID"
about() { said hands 'failpoint finish.before sleep'; }
wait_until 20 'an unread job is about to end as cancelled' about
redis XREADGROUP GROUP workers ghost COUNT 10 STREAMS "$P:commands" '>' >/dev/null
wait_until 40 'somebody read it meanwhile, and died: it ends' job_is "$ID" failed
is "$(job_field "$ID" error_details | jq -r .code)" cancelled 'as cancelled'
is "$(sql "SELECT count(*) FROM cache_sync_runs WHERE job_id = '$ID'")" 0 'and wrote nothing'
kill -TERM "${DAEMONS[hands]}"
ended hands
is "$RC" 0 'its daemon stops cleanly'
finish
