#!/bin/bash
# A command through the daemon: state, order of events, acknowledgement, bad commands, cancel, clean stop.
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
start_daemon

event_names() { # of one job, in the order of P:events
    redis --json XRANGE "$P:events" - + |
        jq -r --arg id "$1" '.[][1][3] | fromjson | select((.payload.job_id // .payload.run_id // .context.job_id) == $id) | .event' | uniq
}

# ---- a whole command
id=$(run_job mode full force 1)
is "$(job_field "$id" status)" completed 'XADD alone leads to a completed job'
is "$(redis HGET "$P:worker:$(redis ZREVRANGE "$P:workers" 0 0)" database)" up 'and whoever sees that sees the database up'
ok 'it counts its changes' test "$(job_field "$id" total_changes)" -gt 0
is "$(event_names "$id" | head -1)" cache_sync_triggered 'the first event is triggered'
is "$(event_names "$id" | tail -1)" cache_sync_completed 'the last event is completed'
is "$(event_names "$id" | grep -v warning | sed -n 2p)" job_progress_update 'progress follows the trigger'
ok 'universes are announced' grep -q universe_updated <<<"$(event_names "$id")"
is "$(redis XLEN "$P:commands")" 0 'the entry is deleted'
is "$(redis XPENDING "$P:commands" workers | head -1)" 0 'and acknowledged'
is "$(redis HGET "$P:daily:$(date -u +%F)" completed)" 1 'the day counts it'
ok 'the universes hash is there' test "$(redis HLEN "$P:universes:DEFAULT")" -gt 0

# ---- again: nothing changes
rows=$(sql 'SELECT md5(string_agg(id || xmin::text, $$,$$ ORDER BY id)) FROM cache_entries')
id2=$(run_job mode full force 1)
is "$(job_field "$id2" total_changes)" 0 'the second run changes nothing'
is "$(sql 'SELECT md5(string_agg(id || xmin::text, $$,$$ ORDER BY id)) FROM cache_entries')" "$rows" 'and rewrites no row'

# ---- a known job id is that job
redis XADD "$P:commands" '*' mode full force 1 job_id "$id2" >/dev/null
# shellcheck disable=SC2317 # called through wait_until
no_entries() { [ "$(redis XLEN "$P:commands")" = 0 ]; }
wait_until 5 "a known job id is acknowledged" no_entries
is "$(redis HGET "$P:daily:$(date -u +%F)" completed)" 2 'and not run'

# ---- not understood
bad=$(run_job mode sideways)
is "$(job_field "$bad" status)" failed 'an unknown mode fails'
is "$(job_field "$bad" error_details | jq -r .code)" invalid_command 'as invalid_command'
is "$(redis --json XREVRANGE "$P:dead" + - COUNT 1 | jq -r '.[0][1] | join(" ") | test("mode sideways")')" true 'and leaves a dead letter'
is "$(event_names "$bad" | tr '\n' ' ')" 'cache_sync_triggered error cache_sync_completed ' 'and its events'

# ---- idempotency
one=$(run_job mode full force 1 idempotency_key k1)
two=$(run_job mode full force 1 idempotency_key k1)
is "$(job_field "$two" coalesced_into)" "$one" 'a repeated key coalesces'
is "$(job_field "$two" status)" completed 'with the first status'

# ---- ping
events=$(redis XLEN "$P:events")
ping=$(run_job command ping)
is "$(job_field "$ping" status)" completed 'ping completes'
is "$(redis XLEN "$P:events")" "$events" 'and sends nothing'
is "$(redis ZSCORE "$P:jobs" "$ping")" '' 'and is not in the index'

# ---- an import starts a sync, also one whose run id cannot stand in an idempotency key
run=$(printf 'r%.0s' $(seq 122))
redis PUBLISH tickstock:import:completed "{\"run_id\":\"${run#r}\"}" >/dev/null
redis PUBLISH tickstock:import:completed "{\"run_id\":\"$run\"}" >/dev/null
redis PUBLISH tickstock:import:completed '{"run_id":"Lauf 1 für heute"}' >/dev/null
redis PUBLISH tickstock:import:completed '{"run_id":"Lauf 1 für heute"}' >/dev/null
# shellcheck disable=SC2317 # called through wait_until
imported() {
    local key id
    [ "$(redis --scan --pattern "$P:idem:import:*" | wc -l)" = 3 ] || return
    for key in $(redis --scan --pattern "$P:idem:import:*"); do
        id=$(redis GET "$key")
        job_is "$id" completed && [ "$(job_field "$id" triggered_by)" = pipeline ] || return
    done
}
wait_until 20 'each import is synced, however its run is called' imported
ok 'a run id of 121 characters is its own key' test "$(redis EXISTS "$P:idem:import:${run#r}")" = 1

# ---- each error has an id of its own
move_sectors() { # true | false
    sql "UPDATE symbols SET sector = CASE WHEN (right(symbol, 1) < '5') = $1 THEN 'Energy' ELSE 'Utilities' END"
    run_job mode full force 1
}
move_sectors true >/dev/null
moved=$(move_sectors false)
ids=$(redis --json XRANGE "$P:events" - + | jq -r --arg id "$moved" '.[][1] | select(.[1] == "tickstock:errors") | .[3] | fromjson | select(.context.job_id == $id) | .error_id')
ok 'several errors of a job' test "$(wc -l <<<"$ids")" -gt 1
is "$(sort <<<"$ids" | uniq -d)" '' 'have different ids'

# ---- the control stream keeps its length whoever writes to it
for _ in $(seq 1100); do echo "XADD $P:control * command cancel job_id 01a20f28-64b1-7000-8000-000000000000"; done | redis >/dev/null
# shellcheck disable=SC2317 # called through wait_until
control_cut() { [ "$(redis XLEN "$P:control")" = 1000 ]; }
wait_until 30 'the control stream is cut to 1,000' control_cut

# ---- so do the dead letters
for _ in $(seq 10100); do echo "XADD $P:dead * reason r"; done | redis >/dev/null
bad=$(run_job mode sideways)
is "$(redis XLEN "$P:dead") $(redis --json XREVRANGE "$P:dead" + - COUNT 1 | jq -r --arg id "$bad" '.[0][1] | index($id) != null')" '10000 true' 'the newest 10,000 dead letters are kept'

# ---- a clean stop
kill -TERM "$DAEMON_PID"
wait "$DAEMON_PID"
is $? 0 'SIGTERM exits 0'

# ---- a deadline: each attempt has its own
psql -X -q -d "$DATABASE_URI" -c 'BEGIN; LOCK TABLE cache_entries; SELECT pg_sleep(60)' >/dev/null 2>&1 &
PIDS+=("$!")
# shellcheck disable=SC2317 # called through wait_until
table_held() { [ "$(sql "SELECT count(*) FROM pg_locks WHERE relation = 'cache_entries'::regclass AND mode = 'AccessExclusiveLock' AND granted")" = 1 ]; }
wait_until 10 'somebody holds the table' table_held
start_daemon CACHESYNC_GRACE_S=0
back=$(job_id_of "$(redis XADD "$P:commands" '*' mode full environment BACK)")
wait_until 20 'a job runs' job_is "$back" running
stop_daemon
is "$(redis HMGET "$P:job:$back" status start_time worker progress | tr '\n' ' ')" 'pending    ' 'handed back it waits, and has not started'
start_daemon CACHESYNC_JOB_TIMEOUT_S=1 CACHESYNC_MAX_ATTEMPTS=2
late=$(run_job mode full)
is "$(job_field "$late" status) $(job_field "$late" error_details | jq -r '"\(.code) \(.attempts)"')" 'failed timeout 2' 'a job that takes too long fails'
like "$(job_field "$late" error_details | jq -r .message)" 'longer than CACHESYNC_JOB_TIMEOUT_S=1' 'and says by what'
stop_daemon
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()" >/dev/null

# ---- what it cannot start with
refused_setting() { # KEY=VALUE REGEX NAME
    local said
    said=$(env "$1" timeout 10 "$BUILD/cachesyncd" 2>&1)
    is "$? $(wc -l <<<"$said")" '2 1' "$3: one line, exit code 2"
    like "$said" "$2" "$3: key, value and remedy"
    is "$(env "$1" "$BUILD/cachesyncd" --check-config 2>&1)$(env "$1" "$BUILD/cachesync" --check-config 2>&1 | sed 's/^cachesync:/cachesyncd:/')" "$said$said" \
        "$3: --check-config says the same"
}
refused_setting CACHESYNC_RULES=/nowhere.json '^cachesyncd: CACHESYNC_RULES=/nowhere.json: .*cannot be opened' 'rules that are not there'
echo '{"universes": []}' >"$SCRATCH/bad.json"
refused_setting CACHESYNC_RULES="$SCRATCH/bad.json" "^cachesyncd: CACHESYNC_RULES=$SCRATCH/bad.json: .*\"version\"; add it" 'rules with a mistake'
refused_setting DATABASE_URI=postgresql+psycopg2://u:geheim@h/d '^cachesyncd: DATABASE_URI=postgresql\+psycopg2://u:\*\*\*@h/d: .*; use postgresql://' 'an address of another library'
refused_setting DATABASE_URI=postgresql://h:port/d '^cachesyncd: DATABASE_URI=postgresql://h:port/d: .*; use postgresql://' 'a port that is no number'
finish
