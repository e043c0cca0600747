#!/bin/bash
# Redis away, at the start and later: the daemon waits, comes back and works.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

export REDIS_URL="unix://$SCRATCH/redis.sock?db=0" DATABASE_URI="postgresql:///none?host=$SCRATCH"
"$BUILD/cachesyncd" >>"$SCRATCH/daemon.log" 2>&1 &
DAEMON_PID=$!
PIDS+=("$DAEMON_PID")
wait_until 10 'without Redis it says so' grep -q redis_down "$SCRATCH/daemon.log"
ok 'and goes on' kill -0 "$DAEMON_PID"
start_redis
is "$(job_field "$(run_job command ping)" status)" completed 'it works once Redis is there'
kill -TERM "$REDIS_PID"
wait "$REDIS_PID"
start_redis
is "$(job_field "$(run_job command ping)" status)" completed 'and after a restart that lost everything'
redis FLUSHALL >/dev/null
is "$(job_field "$(run_job command ping)" status)" completed 'and after the group was lost'
is "$(grep -c 'redis_down' "$SCRATCH/daemon.log")" 2 'one line per loss'
kill -TERM "$DAEMON_PID"
wait "$DAEMON_PID"
is $? 0 'SIGTERM exits 0'
finish
