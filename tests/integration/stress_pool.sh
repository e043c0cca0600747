#!/usr/bin/env bash
# The thread pool under load, without and with a database (tests/stress/stress_pool.c; meant for `make tsan`).
. "$(dirname "$0")/../support/lib.sh"

for seed in 1 2 3; do
    out=$(timeout 120 "$BUILD/stress_pool" 6 "$seed" 2>&1)
    like "$out" '1 passed, 0 failed' "seed $seed without a database"
done
start_postgres
migrate
(cd "$ROOT/deploy/demo" && sql_file market.sql >/dev/null)
out=$(timeout 120 "$BUILD/stress_pool" 4 4 2>&1)
like "$out" '1 passed, 0 failed' 'with a database'
like "$out" '[1-9][0-9]* cancelled' 'some syncs are cancelled'
finish
