#!/bin/bash
# Redis says no, in all its ways: a replica, no rights, a script that does not end, still loading; and an entry that
# no worker survives.
# shellcheck disable=SC2317,SC2031 # called through wait_until
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

two_daemons --lua-time-limit 200 --enable-debug-command yes
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/${DAEMONS[a]}/stat"; }

# A job that runs, held by a lock on the market, so that its end falls into the time of the refusal.
hold() {
    [ -z "${HOLD_PID:-}" ] || { kill "$HOLD_PID"; wait "$HOLD_PID" 2>/dev/null; }
    coproc HOLD { psql -X -q -A -t -d "$DATABASE_URI" 2>&1; }
    echo "BEGIN; LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${HOLD[1]}"
    read -r _ <&"${HOLD[0]}"
    submit mode full force 1
    wait_until 20 "$1: a job runs" job_is "$ID" running
}
let_go() {
    echo "ROLLBACK; SELECT 'free';" >&"${HOLD[1]}"
    read -r _ <&"${HOLD[0]}"
    wait_until 20 "$1: meanwhile it commits" committed
}
committed() { [ "$(sql "SELECT count(*) FROM cache_sync_runs WHERE job_id = '$ID'")" = 1 ]; }
said() { [ "$(cat "$SCRATCH"/[ab].log | grep -c "$1")" -gt "${2:-0}" ]; }

# ---- a replica after a failover (READONLY), and master again
hold 'replica'
redis REPLICAOF 127.0.0.1 1 >/dev/null
let_go 'replica'
wait_until 60 'it is said that the server is a replica' said 'it is a replica'
redis REPLICAOF NO ONE >/dev/null
burst
sound 'replica'

# ---- rights taken away (NOPERM), and given back
hold 'no rights'
redis ACL SETUSER default -hset >/dev/null
let_go 'no rights'
wait_until 60 'it is said that a right is missing' said "redis_refused.*can't run this command"
redis ACL SETUSER default +@all >/dev/null
burst
sound 'no rights'

# ---- the right to delete consumers taken away: what a dead one left is taken over all the same
redis ACL SETUSER default -xgroup -xinfo >/dev/null
entry=$(redis EVAL "local id = redis.call('XADD', KEYS[1], '*', 'mode', 'full', 'force', '1')
    redis.call('XREADGROUP', 'GROUP', 'workers', 'ghost', 'COUNT', 1, 'STREAMS', KEYS[1], '>')
    return id" 1 "$P:commands")
ok 'without the right to tidy up, the jobs of the dead end' settled 30
is "$(job_field "$(job_id_of "$entry")" status)" completed 'also that one'
redis ACL SETUSER default +@all >/dev/null
sound 'tidying up'

# ---- a script of somebody else's that does not end (BUSY)
hold 'busy'
redis EVAL 'while true do end' 0 >/dev/null 2>&1 &
is_busy() { redis PING 2>&1 | grep -q BUSY; }
wait_until 20 'Redis is busy' is_busy
let_go 'busy'
redis SCRIPT KILL >/dev/null
burst
sound 'busy'

# ---- restarted, and still reading its files (LOADING)
burst
redis EVAL "for i = 1, 3000 do redis.call('SET', 'filler:' .. i, i) end" 0 >/dev/null
redis BGREWRITEAOF >/dev/null
rewritten() { redis INFO persistence | grep -q 'aof_rewrite_in_progress:0'; }
wait_until 20 'the file is rewritten' rewritten
before=$(cpu_ms)
kill -TERM "$REDIS_PID"
wait "$REDIS_PID" 2>/dev/null
start_redis "${REDIS_OPTIONS[@]}" --key-load-delay 500 --loading-process-events-interval-bytes 1024
burst
sound 'loading'
ok 'without a hot loop' test "$(($(cpu_ms) - before))" -lt 3000
redis EVAL "for i = 1, 3000 do redis.call('DEL', 'filler:' .. i) end" 0 >/dev/null

# ---- threads that never come back: the daemon ends rather than gather them
daemon t CACHESYNC_WORKERS=8 CACHESYNC_JOB_TIMEOUT_S=1 CACHESYNC_MAX_ATTEMPTS=1 CACHESYNC_GRACE_S=1 CACHESYNC_FAILPOINTS=pool.take=sleep:120000
for name in a b; do
    kill -TERM "${DAEMONS[$name]}"
    ended "$name"
done
for n in 1 2 3 4 5 6 7 8; do redis XADD "$P:commands" '*' mode full force 1 environment "STUCK$n" >/dev/null; done
wait_until 60 'it ends when 8 are stuck' dead t
ended t
is "$RC $(grep -c 'threads_stuck stuck=8' "$SCRATCH/t.log")" '1 1' 'with code 1, and says why'

# ---- an entry that kills every worker before it is admitted
entry=$(redis XADD "$P:commands" '*' mode full force 1)
ID=$(job_id_of "$entry")
for name in p q r; do
    daemon "$name" CACHESYNC_MAX_ATTEMPTS=3 CACHESYNC_FAILPOINTS=admit.before=kill
    wait_until 30 "worker $name dies of it" dead "$name"
    ended "$name"
    is $RC 137 "worker $name was killed"
done
daemon s CACHESYNC_MAX_ATTEMPTS=3
wait_until 30 'the next one ends it' job_is "$ID" failed
is "$(job_field "$ID" error_details | jq -r .code)" attempts_exhausted 'as an entry that workers die of'
is "$(redis --json XREVRANGE "$P:dead" + - COUNT 1 | jq -r --arg id "$ID" '.[0][1] | index($id) != null')" true 'with a dead letter'
none_pending() { [ "$(redis XPENDING "$P:commands" workers | head -1)" = 0 ]; }
wait_until 30 'and nothing stays pending' none_pending
finish
