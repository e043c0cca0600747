#!/usr/bin/env bash
# Memory is short at the n-th allocation, for every n (tests/stress/sweep_alloc.c); a sync that fails so has written nothing.
. "$(dirname "$0")/../support/lib.sh"

start_postgres
migrate
(cd "$ROOT/deploy/demo" && sql_file market.sql >/dev/null)
sql "DELETE FROM symbols WHERE symbol NOT IN (SELECT symbol FROM symbols ORDER BY symbol LIMIT 60)"
out=$(SWEEP_DRY=1 timeout 300 "$BUILD/sweep_alloc" "${SWEEP:-100}" 2>&1)
echo "$out" | grep '^#'
like "$out" '3 passed, 0 failed' 'every failing allocation is refused or ends the process with one line'
is "$(sql "SELECT count(*) FROM cache_sync_runs WHERE environment = 'SWEEP'")" 0 'no run is recorded'
is "$(sql "SELECT count(*) FROM cache_entries WHERE environment = 'SWEEP'")" 0 'no row is written'
finish
