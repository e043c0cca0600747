#!/bin/bash
# Each row of tests/http/requests.txt over a socket: what is broken gets one JSON error and the end of the connection.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/http.sh
. "$(dirname "$0")/../support/http.sh"

http_tools
start_redis
start_adapter_with_redis
fake_worker
"$BUILD/http/malformed" "$PORT" "$KEY" <"$ROOT/tests/http/requests.txt" >"$SCRATCH/rows"
sed '$d' "$SCRATCH/rows"
read -r good _ bad _ <<<"$(tail -1 "$SCRATCH/rows")"
PASSED=$((PASSED + good)) FAILED=$((FAILED + ${bad%,}))
ok 'at least 150 broken requests were sent' test "$(grep -c '^bad' "$ROOT/tests/http/requests.txt")" -ge 150
is "$(redis XLEN "$P:commands")" 0 'none of it became a command'
seed=${SEED:-$RANDOM}
for part in 1 2 3 4; do "$BUILD/http/noise" "$PORT" "$KEY" 800 "$((seed * 4 + part))" <"$ROOT/tests/http/requests.txt" & noises+=($!); done
for noise in "${noises[@]}"; do
    wait "$noise"
    is $? 0 "noise goes in (SEED=$seed)"
done
call GET /health
is "$CODE" 200 'the adapter is well after all that'
stop_adapter
is $? 0 'and stops as it should'
finish
