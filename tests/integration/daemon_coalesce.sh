#!/bin/bash
# Commands that ask for the same share one sync: waiters, duplicates, cancel, bursts, several daemons.
# Functions are called through wait_until:
# shellcheck disable=SC2317
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

start_postgres
start_redis
migrate
sql "INSERT INTO symbols (symbol, name, exchange, market, type, active, market_cap, weighted_shares_outstanding, sector, industry)
     SELECT 'S' || n, 'Stock ' || n, 'XNYS', 'stocks', 'CS', true, n * 1000000000::bigint, n * 10000000::bigint, 'Technology', 'Software'
     FROM generate_series(1, 60) n" >/dev/null
sql "INSERT INTO ohlcv_daily (symbol, date, open, high, low, close, volume)
     SELECT symbol, current_date - 1, 100, 100, 100, 100, 1000 FROM symbols" >/dev/null
coproc HOLD { psql -X -q -A -t -d "$DATABASE_URI" 2>&1; }
hold() { echo "BEGIN; LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
let_go() { echo "ROLLBACK; SELECT 'free';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
send() { job_id_of "$(redis XADD "$P:commands" '*' "$@")"; }
runs() { sql 'SELECT count(*) FROM cache_sync_runs'; }
into_is() { [ "$(job_field "$1" coalesced_into)" = "$2" ]; }
start_daemon

# ---- one runs, the next waits and absorbs what it covers
hold
running=$(send force 1)
wait_until 20 'the first runs' job_is "$running" running
leader=$(send force 1)
wait_until 20 'the second waits' job_is "$leader" pending
same=$(send force 1 triggered_by nightly)
less=$(send force 1 mode themes)
wait_until 20 'the same joins it' into_is "$same" "$leader"
wait_until 20 'less joins it' into_is "$less" "$leader"
unforced=$(send mode themes)
other=$(send force 1 environment OTHER)
wait_until 20 'other wishes stand alone' job_is "$unforced" pending
wait_until 20 'another environment takes the free thread' job_is "$other" running
is "$(job_field "$unforced" coalesced_into)" '' 'another force is no wish of the same'
is "$(job_field "$leader" coalesced_into)" '' 'nobody joins what runs'
ok 'those that joined have left the stream' test "$(redis XLEN "$P:commands")" = 4
let_go
for id in "$running" "$leader" "$same" "$less" "$other"; do wait_until 30 'each ends' job_is "$id" completed; done
wait_until 30 'also without force' job_is "$unforced" completed
is "$(runs)" 4 'four syncs for six commands'
is "$(job_field "$less" mode)" themes 'a waiter keeps its own mode'
for f in start_time end_time duration_seconds total_changes; do
    is "$(job_field "$same" $f)" "$(job_field "$leader" $f)" "a waiter has the $f of the job that ran"
done
is "$(job_field "$same" summary)" '' 'the summary stays with the job that ran'
events() { redis --json XRANGE "$P:events" - + | jq -r --arg id "$1" '.[][1] | [.[1], (.[3] | fromjson)] | select((.[1].payload.job_id // .[1].payload.run_id) == $id) | .[0]' | sort | uniq -c | tr -s ' ' | tr '\n' ';'; }
is "$(events "$same")" ' 1 tickstock:cache:sync_complete; 1 tickstock:cache:sync_triggered;' 'a waiter has its own two events and no more'
complete=$(redis --json XRANGE "$P:events" - + | jq -c --arg id "$less" '.[][1][3] | fromjson | select(.event == "cache_sync_completed" and .payload.job_id == $id) | .payload')
is "$(jq -r '[.mode, .status, .sync_status, .coalesced_into, (.task_results | length)] | join(" ")' <<<"$complete")" "themes completed completed $leader 5" 'its last event is whole'
is "$(redis HGET "$P:metrics" coalesced)" 2 'the metrics count them'
is "$(redis HGET "$P:metrics" jobs:full:completed)" 4 'and each end'
is "$(redis EXISTS "$P:waiters:$leader" "$P:running:DEFAULT" "$P:pending:DEFAULT")" 0 'nothing of it is left'

# ---- cancel of the job that others joined
hold
running=$(send force 1)
wait_until 20 'again one runs' job_is "$running" running
leader=$(send force 1)
wait_until 20 'one waits' job_is "$leader" pending
small=$(send force 1 mode themes)
big=$(send force 1)
small2=$(send force 1 mode themes)
for id in "$small" "$big" "$small2"; do wait_until 20 'three join' into_is "$id" "$leader"; done
redis XADD "$P:control" '*' command cancel job_id "$leader" >/dev/null
wait_until 20 'it ends alone' job_is "$leader" failed
is "$(job_field "$leader" error_details | jq -r .code)" cancelled 'as cancelled'
is "$(job_field "$small" coalesced_into)" '' 'the oldest waiter takes its place'
is "$(job_field "$small2" coalesced_into)" "$small" 'with whom it covers'
is "$(job_field "$big" coalesced_into)" '' 'who wanted more runs too'
redis XADD "$P:control" '*' command cancel job_id "$small2" >/dev/null
wait_until 20 'a waiter can be cancelled' job_is "$small2" failed
let_go
for id in "$running" "$small" "$big"; do wait_until 30 'the others end' job_is "$id" completed; done
is "$(job_field "$small" attempts)" 1 'the heir ran'

# ---- idempotency: a duplicate of a job that runs
hold
first=$(send force 1 idempotency_key k1)
wait_until 20 'the first of a key runs' job_is "$first" running
again=$(send force 1 idempotency_key k1 mode themes)
wait_until 20 'its duplicate waits for it' into_is "$again" "$first"
let_go
wait_until 30 'both end' job_is "$again" completed
is "$(job_field "$again" coalesced_into)" "$first" 'the duplicate as the first'
is "$(job_field "$again" start_time)" "$(job_field "$again" created_at)" 'and does not start before it was made'
is "$(job_field "$again" end_time)" "$(job_field "$first" end_time)" 'but ends with it'
late=$(send idempotency_key k1 mode ipos)
wait_until 30 'a late one too' job_is "$late" completed
is "$(job_field "$late" coalesced_into)" "$first" 'with the first job'
is "$(redis HGET "$P:metrics" duplicates)" 2 'the metrics count duplicates'

# ---- all threads busy, and a job that waits for one: still alive
hold
for e in BUSY1 BUSY2; do
    id=$(send force 1 environment $e)
    wait_until 20 "a thread for $e" job_is "$id" running
done
third=$(send force 1 environment BUSY3)
wait_until 20 'the third waits' job_is "$third" pending
last_read() { redis HGET "$P:worker:$(redis ZREVRANGE "$P:workers" 0 0)" last_read_ms; }
last_read_known() { [ "$(last_read)" -gt 0 ]; }
wait_until 20 "it tells when it read" last_read_known
since=$(last_read)
alive() { [ "$(last_read)" -gt $((since + 6000)) ]; } # longer than any read blocks
wait_until 20 'a daemon that is busy for long looks alive' alive
let_go
wait_until 30 'the third gets its turn' job_is "$third" completed

# ---- a burst, with two daemons, one of which is killed on the way
before=$(runs)
one=$DAEMON_PID
start_daemon CACHESYNC_LEASE_MS=1000
two=$DAEMON_PID
for _ in $(seq 5000); do echo "XADD $P:commands * force 1"; done | redis >"$SCRATCH/entries"
kill_hard "$one"
wait "$one" 2>/dev/null
empty() { [ "$(redis XLEN "$P:commands")" = 0 ]; }
wait_until 90 'a burst of 5,000 is worked off' empty
after=$(runs)
ok "it cost a handful of syncs ($((after - before)))" test $((after - before)) -le 50
while read -r e; do job_id_of "$e"; done <"$SCRATCH/entries" >"$SCRATCH/ids"
sed "s/.*/HGET $P:job:& status/" "$SCRATCH/ids" | redis | sort | uniq -c | tr -s ' ' >"$SCRATCH/ends"
is "$(cat "$SCRATCH/ends")" ' 5000 completed' 'each of them completed'
is "$(redis XPENDING "$P:commands" workers | head -1)" 0 'no entry is left pending'
is "$(redis --scan --pattern "$P:waiters:*" | wc -l)" 0 'nobody waits any more'
DAEMON_PID=$two
stop_daemon
is $? 0 'SIGTERM exits 0'
finish
