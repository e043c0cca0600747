#!/bin/bash
# The disk under Redis's append-only file is full while a job runs: nothing accepted is lost, nothing happens twice.
# shellcheck disable=SC2317 # called through wait_until
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

mkdir "$SCRATCH/disk"
if ! mount -t tmpfs -o size=6m none "$SCRATCH/disk" 2>/dev/null; then
    skip 'a small disk cannot be mounted here (needs root)'
    finish
fi
leave() { kill -KILL "$REDIS_PID" 2>/dev/null; umount -l "$SCRATCH/disk"; cleanup; }
trap leave EXIT
chmod 777 "$SCRATCH/disk"
start_postgres
start_redis --dir "$SCRATCH/disk" --appendonly yes --appendfsync everysec
migrate
market 40
daemon a CACHESYNC_MAX_ATTEMPTS=50

coproc HOLD { psql -X -q -A -t -d "$DATABASE_URI" 2>&1; }
echo "BEGIN; LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${HOLD[1]}"
read -r _ <&"${HOLD[0]}"
submit mode full force 1
held=$ID
wait_until 20 'a job runs' job_is "$held" running
head -c 20000000 /dev/zero >"$SCRATCH/disk/filler" 2>/dev/null
full() { redis SET probe "$(printf '%5000d' 1)" 2>&1 | grep -q 'MISCONF.*AOF'; }
wait_until 30 'with the disk full Redis refuses writes' full
ok 'and a command is not accepted' eval '! submit mode full force 1'
echo "ROLLBACK; SELECT 'free';" >&"${HOLD[1]}"
read -r _ <&"${HOLD[0]}"
committed() { [ "$(sql "SELECT count(*) FROM cache_sync_runs WHERE job_id = '$held'")" = 1 ]; }
wait_until 20 'the job commits, and nobody can be told' committed
ok 'the daemon goes on' kill -0 "${DAEMONS[a]}"
rm "$SCRATCH/disk/filler"
taken() { redis SET probe 1 2>&1 | grep -q OK; }
wait_until 30 'with room again Redis takes writes' taken
ok 'the job ends' settled 40
is "$(job_field "$held" status)" completed 'as what it was'
submit mode full force 1
ok 'and the next one' settled 40
history_is_sound 'the history is sound'
finish
