#!/bin/bash
# Servers restarted, emptied, out of disk, out of patience; clocks that jump; a thread that hangs.
# shellcheck disable=SC2317,SC2031 # called through wait_until
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

two_daemons --save 3600 100000

# ---- Redis restarted, politely and not; what it accepted is on disk
for signal in TERM KILL; do
    burst
    kill "-$signal" "$REDIS_PID"
    wait "$REDIS_PID" 2>/dev/null
    start_redis "${REDIS_OPTIONS[@]}"
    burst
    sound "Redis restarted with $signal"
done

# ---- PostgreSQL restarted, and its sessions ended
for how in fast immediate; do
    burst
    stop_postgres "$how"
    burst 2>/dev/null
    start_postgres
    sound "PostgreSQL restarted ($how)"
done
burst
for _ in 1 2 3 4 5; do sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'cachesyncd%'" >/dev/null; done
sound 'sessions terminated'

# ---- Redis cannot save, and refuses writes (MISCONF)
# ... while a job runs, held by a lock of another session on the market
coproc HOLD { psql -X -q -A -t -d "$DATABASE_URI" 2>&1; }
echo "BEGIN; LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${HOLD[1]}"
read -r _ <&"${HOLD[0]}"
submit mode full force 1
wait_until 20 'a job runs' job_is "$ID" running
"${AS[@]}" chmod 555 "$SCRATCH"
refuses() { redis BGSAVE >/dev/null; redis SET probe 1 2>&1 | grep -q MISCONF; }
wait_until 15 'Redis refuses writes when it cannot save' refuses
echo "ROLLBACK; SELECT 'free';" >&"${HOLD[1]}"
read -r _ <&"${HOLD[0]}"
committed() { [ "$(sql "SELECT count(*) FROM cache_sync_runs WHERE job_id = '$ID'")" = 1 ]; }
wait_until 20 'meanwhile the job commits' committed
"${AS[@]}" chmod 755 "$SCRATCH"
saves() { redis BGSAVE >/dev/null; redis SET probe 1 2>&1 | grep -q OK; }
wait_until 15 'and takes them when it can' saves
burst
sound 'MISCONF'

# ---- emptied: what was accepted is lost, as promised; what comes then is not
redis FLUSHALL >/dev/null
: >"$(accepted_file)"
ENVIRONMENT=FLUSHED
burst
sound 'after FLUSHALL'

# ---- a thread that hangs: the others work on, and its job ends
daemon c CACHESYNC_JOB_TIMEOUT_S=1 CACHESYNC_FAILPOINTS=pool.take=sleep:4000@1
kill -TERM "${DAEMONS[a]}" "${DAEMONS[b]}"
ended a; ended b
burst
hung() { grep -q 'failpoint pool.take sleep' "$SCRATCH/c.log"; }
wait_until 20 'a thread hangs' hung
submit command ping
wait_until 20 'another thread works' job_is "$ID" completed
sound 'a hanging thread'
kill -TERM "${DAEMONS[c]}"
ended c

# ---- clocks that jump
faketime=$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -1)
if ldd "$FAULT/cachesyncd" | grep -qE 'lib[at]san'; then
    skip 'a sanitizer must be the first library that is loaded: no faketime'
elif [ -n "$faketime" ]; then
    echo '+0' >"$SCRATCH/clock"
    chmod 644 "$SCRATCH/clock"
    daemon j LD_PRELOAD="$faketime" FAKETIME_TIMESTAMP_FILE="$SCRATCH/clock" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
    daemon k
    for jump in +1h -1h +3d -3d; do
        submit mode full force 1
        echo "$jump" >"$SCRATCH/clock"
        burst
        ok "the clock jumps $jump: every job ends" settled 40
    done
    history_is_sound 'the clock jumps: the history is sound'
    kill -TERM "${DAEMONS[j]}" "${DAEMONS[k]}"
    ended j
    is "$RC" 0 'and its daemon stops cleanly'
else
    skip 'libfaketime is missing: apt-get install faketime'
fi

# ---- wrong passwords: said in one line without the password, and mended by a restart alone
redis CONFIG SET requirepass right >/dev/null
daemon w REDIS_URL="unix://:wrongword@$SCRATCH/redis.sock?db=0"
wait_until 15 'a wrong password of Redis is told' grep -q 'redis_down.*\(WRONGPASS\|NOAUTH\|invalid\)' "$SCRATCH/w.log"
is "$(grep -c wrongword "$SCRATCH/w.log")" 0 'without the password'
ok 'and the daemon goes on trying' kill -0 "${DAEMONS[w]}"
redis -a right --no-auth-warning CONFIG SET requirepass '' >/dev/null
kill -TERM "${DAEMONS[w]}"
ended w

sql "CREATE ROLE guarded LOGIN PASSWORD 'right'"
hba=$(cat "$SCRATCH/pg/pg_hba.conf")
printf 'local all guarded scram-sha-256\n%s\n' "$hba" >"$SCRATCH/pg/pg_hba.conf"
sql 'SELECT pg_reload_conf()' >/dev/null
daemon v CACHESYNC_MAX_ATTEMPTS=2 DATABASE_URI="postgresql://guarded:wrongword@/tickstock?host=$SCRATCH&port=5432"
submit mode full force 1
ok 'a wrong password of PostgreSQL: the job ends' settled 40
is "$(job_field "$ID" status)" failed 'as failed'
like "$(job_field "$ID" error_details)" 'database_unavailable.*password authentication failed' 'and says why'
is "$(cat "$SCRATCH/v.log" <(redis --raw EVAL "$DUMP" 0 "$P") | grep -c wrongword)" 0 'without the password'
history_is_sound 'wrong passwords: the history is sound'
finish
