#!/bin/bash
# A whole job life under deploy/postgresql/roles.sql and deploy/redis/users.acl: nothing that the programs need is refused, and what
# lies outside is.
# shellcheck disable=SC2317 # functions that wait_until and ok run
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

start_postgres
sed 's/$/ >secret-of-the-test/' "$ROOT/deploy/redis/users.acl" >"$SCRATCH/users.acl"
start_redis --aclfile "$SCRATCH/users.acl"
admin_uri=$DATABASE_URI
roles() { psql -X -q -d "$admin_uri" -f "$ROOT/deploy/postgresql/roles.sql" >"$SCRATCH/roles.log" 2>&1; }
uri_of() { echo "${admin_uri/tick@/$1@}"; }
url_of() { echo "unix://$1:secret-of-the-test@$SCRATCH/redis.sock?db=0"; }
as() { redis-cli -s "$SCRATCH/redis.sock" --no-auth-warning --user "$1" --pass secret-of-the-test "${@:2}" 2>&1; }

# ---- what is granted in Redis is what the sources send, and no more
granted() { sed -n "/^user $1 /p" "$ROOT/deploy/redis/users.acl" | grep -oE '\+[a-z|]+' | sed 's/^+//; s/|.*//' | sort -u; }
in_lua() { grep -ohE "redis\.p?call\('[A-Z]+'" "$@" | grep -oE "'[A-Z]+'" | tr -d "'" | tr '[:upper:]' '[:lower:]'; }
in_c() { grep -ohE '"[A-Z]{3,20}[" ]' "$@" | tr -d '" ' | tr '[:upper:]' '[:lower:]'; }
cd "$ROOT" || exit 1
daemon_scripts=$(find worker/lua -name '*.lua' -not -name 'enqueue_*' -not -name 'find_*' -not -name 'end_*')
# The doctor asks on behalf of each.
doctor=$(in_c worker/cli/doctor_acl.c)
# shellcheck disable=SC2086
sent_by() { { case $1 in
    cachesyncd) in_lua $daemon_scripts && in_c worker/daemon/*.c common/redis.c && grep -oE 'DAEMON.*' worker/cli/doctor_acl.c | in_c - ;;
    cachesync-http) in_lua worker/lua/enqueue_*.lua && in_c worker/http/*.c common/redis.c ;;
    cachesync-cli) in_lua worker/lua/find_*.lua && in_c worker/cli/*.c common/redis*.c && echo eval ;;
    esac; echo "$doctor"; printf 'evalsha\nping\n'; } | sort -u; }
for user in cachesyncd cachesync-http cachesync-cli; do
    is "$(comm -23 <(granted $user) <(sent_by $user) | xargs)" '' "$user is granted nothing that its program does not send"
done
# shellcheck disable=SC2086
is "$(comm -13 <(granted cachesyncd) <(in_lua $daemon_scripts | sort -u) | xargs)" '' "the daemon's scripts are granted all they call"

# ---- PostgreSQL: roles, the owner's migration, grants; twice
ok 'roles.sql before the first migration' roles
ok 'the owner migrates' env DATABASE_URI="$(uri_of cachesync_owner)" "$BUILD/cachesync" migrate
ok 'roles.sql after it' roles
ok 'and once more' roles
is "$(cat "$SCRATCH/roles.log")" '' 'without a word'
sql 'GRANT CREATE ON SCHEMA public TO PUBLIC' >/dev/null
roles
like "$(cat "$SCRATCH/roles.log")" 'REVOKE CREATE ON SCHEMA public FROM PUBLIC' 'but where everybody may create tables it says so'
sql 'REVOKE CREATE ON SCHEMA public FROM PUBLIC' >/dev/null
ok 'the owner migrates again' env DATABASE_URI="$(uri_of cachesync_owner)" "$BUILD/cachesync" migrate
sql "INSERT INTO symbols (symbol, name, exchange, market, type, active, market_cap, weighted_shares_outstanding, sector, industry, list_date, aum_millions)
     SELECT 'S' || n, 'Stock ' || n, 'XNYS', 'stocks', CASE WHEN n > 50 THEN 'ETF' ELSE 'CS' END, true, n * 1000000000::bigint, n * 10000000::bigint,
            'Technology', 'Software', CASE WHEN n < 4 THEN current_date - 3 END, 100
     FROM generate_series(1, 60) n;
     INSERT INTO ohlcv_daily (symbol, date, close, volume) SELECT symbol, current_date - 1, 101, 1000 FROM symbols" >/dev/null

# ---- the programs, each as its own user
redis ACL LOG RESET >/dev/null
run_daemon() { start_daemon DATABASE_URI="$(uri_of cachesync)" REDIS_URL="$(url_of cachesyncd)" CACHESYNC_LEASE_MS=1000 CACHESYNC_WORKERS=2; }
run_daemon
port=$((20000 + $$ % 20000))
env -u DATABASE_URI TICKSTOCKPL_API_KEY=key-of-the-test TICKSTOCKPL_PORT=$port REDIS_URL="$(url_of cachesync-http)" \
    "$BUILD/cachesync-http" >>"$SCRATCH/http.log" 2>&1 &
PIDS+=("$!")
rest() { curl -sS -m 8 -H 'X-API-Key: key-of-the-test' "http://127.0.0.1:$port/$1" "${@:2}"; }
health() { rest health -f; }
healthy() { health | jq -e '.status == "healthy"'; }
wait_until 20 'daemon and adapter are healthy' healthy
cli() { env REDIS_URL="$(url_of cachesync-cli)" DATABASE_URI="$(uri_of cachesync_reader)" "$BUILD/cachesync" "$@" 2>&1; }
ended() { job_is "$1" completed || job_is "$1" failed; }
produce() { job_id_of "$(as cachesync-producer XADD "$P:commands" '*' "$@")"; }

# ---- a job life from every side
id=$(produce mode full force 1)
wait_until 20 "a producer's command ends" ended "$id"
is "$(job_field "$id" status)" completed 'as completed'
is "$(sql "SELECT count(DISTINCT market_cap % 1010000000) FROM symbols")" 1 'market caps are written back'
for mode in market_cap themes ipos; do
    id=$(produce mode $mode force 1)
    wait_until 20 "mode $mode ends" ended "$id"
    is "$(job_field "$id" status)" completed "mode $mode completes"
done
sql "UPDATE symbols SET active = false WHERE symbol = 'S40'; UPDATE symbols SET sector = 'Energy' WHERE symbol < 'S2'" >/dev/null
id=$(produce mode full force 1)
wait_until 20 'a sync with a delisting ends' ended "$id"
is "$(job_field "$id" status)" completed 'and completes: rows are rewritten, added and removed'
id=$(produce mode full) # the checks against the earlier sync run
wait_until 20 'a sync with the checks ends' ended "$id"
id=$(produce mode full dry_run 1 force 1)
wait_until 20 'a dry run ends' ended "$id"
is "$(job_field "$id" status)" completed 'and completes'

id=$(rest api/processing/cache-sync/trigger -X POST -H 'Idempotency-Key: once' | jq -r .job_id)
wait_until 20 "the adapter's command ends" ended "$id"
is "$(rest api/processing/cache-sync/trigger -X POST -H 'Idempotency-Key: once' | jq -r .job_id)" "$id" 'its key is remembered'
is "$(rest "api/processing/cache-sync/status/$id" | jq -r .job_id)" "$id" 'the adapter reads a job'
ok 'the history' test "$(rest api/processing/cache-sync/history | jq .total)" -gt 5
ok 'the statistics' test "$(rest api/processing/cache-sync/stats | jq '.universes | length')" -gt 3
is "$(rest metrics | grep -ic 'noperm')" 0 'and its metrics, where it has them'

bad=$(produce mode sideways)
wait_until 20 'a bad command ends' ended "$bad"
letter=$(cli --json dead list | jq -r '.[0].id')
like "$(cli dead show "$letter")" 'sideways' 'the command line shows the dead letter'
like "$(cli dead requeue "$letter")" 'requeued|sent' 'sends it again'
letter=$(cli --json dead list | jq -r '.[0].id')
wait_until 20 'which is dead once more' test -n "$letter"
cli dead list >/dev/null
like "$(cli dead discard "$(cli --json dead list | jq -r '.[0].id')")" 'discarded' 'and throws it away'
like "$(cli trigger --mode themes --force --wait)" completed 'the command line triggers and watches'
for verb in history stats 'stats --environment DEFAULT' 'members top_50' 'members top_50 --at now' 'history --universe top_50' 'ping -c 2'; do
    # shellcheck disable=SC2086
    out=$(cli $verb)
    is "$(grep -ciE 'NOPERM|denied|no permission' <<<"$out")" 0 "cachesync $verb is allowed"
done

# ---- autostart: the importer's event
as cachesync-producer PUBLISH tickstock:data:import:status '{"event":"data_import_completed","payload":{"run_id":"r1"}}' >/dev/null
started() { redis GET "$P:idem:import:r1" | grep -q .; }
wait_until 20 'an import starts a sync' started
wait_until 20 'which ends' ended "$(redis GET "$P:idem:import:r1")"

# ---- cancel, unread and running; takeover of a killed worker's job
coproc HOLD { psql -X -q -A -t -d "$admin_uri" 2>&1; }
hold() { echo "BEGIN; LOCK TABLE symbols IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
let_go() { echo "ROLLBACK; SELECT 'free';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
hold
running=$(produce force 1)
wait_until 20 'a sync runs' job_is "$running" running
first=$(produce force 1 mode full) second=$(produce force 1 mode themes) third=$(produce force 1 idempotency_key twice)
fourth=$(produce force 1 idempotency_key twice)
joined() { job_field "$second" coalesced_into | grep -q .; }
wait_until 20 'equal commands share a sync' joined
waiting=$(produce force 1 as_of 2020-01-01)
rest "api/processing/cache-sync/cancel/$waiting" -X POST >/dev/null
wait_until 20 'the adapter cancels a waiting job' job_is "$waiting" failed
as cachesync-producer XADD "$P:control" '*' command cancel job_id "$running" >/dev/null
wait_until 20 'a producer cancels a running one' job_is "$running" failed
is "$(job_field "$running" error_details | jq -r .code)" cancelled 'as cancelled'
running=$first
wait_until 20 'the next sync runs' job_is "$running" running
kill_hard "$DAEMON_PID"
let_go
run_daemon
wait_until 30 "a killed worker's job is taken over" job_is "$running" completed
wait_until 20 'the adapter sees the new worker' healthy

for id in "$first" "$second" "$third" "$fourth"; do wait_until 30 'who waited has ended' job_is "$id" completed; done
# A worker is killed, and its entry trimmed: the next one says so.
hold
trimmed=$(produce force 1 environment TRIM)
wait_until 20 'one more sync runs' job_is "$trimmed" running
kill_hard "$DAEMON_PID"
redis XTRIM "$P:commands" MAXLEN 0 >/dev/null
let_go
run_daemon
wait_until 30 'a trimmed entry ends its job' job_is "$trimmed" failed

# ---- nothing was refused all the way
is "$(redis ACL LOG | grep -A1 -E '^(object|username)$' | xargs)" '' 'Redis refused nothing'
is "$(grep -c 'permission denied' "$SCRATCH/postgres.log")" 0 'PostgreSQL refused nothing'
is "$(cat "$SCRATCH/daemon.log" "$SCRATCH/http.log" | grep -ciE 'NOPERM|permission')" 0 'and no log speaks of it'

# ---- the doctor finds that each user may do what its program does
for role in daemon:cachesyncd adapter:cachesync-http producer:cachesync-producer operator:cachesync-cli; do
    out=$(env REDIS_URL="$(url_of "${role#*:}")" DATABASE_URI="$(uri_of cachesync)" "$BUILD/cachesync" doctor --role "${role%:*}" 2>&1)
    like "$out" 'may do all [0-9]+ things' "the doctor as ${role#*:}"
    is "$(grep -E '^problem.*(rights|grants)' <<<"$out")" '' 'and finds no right missing'
done

# ---- outside
refused() { like "$(as "${@:2}")" "NOPERM|can't access" "$1: ${*:3}"; }
for user in cachesyncd cachesync-http cachesync-cli cachesync-producer cachesync-reader; do
    for call in 'FLUSHALL' 'CONFIG GET dir' 'KEYS x' 'ACL LIST' 'SHUTDOWN' 'GET other:key' 'SET other:key 1' \
        'PUBLISH other 1' 'SCRIPT FLUSH' 'CLIENT KILL ID 1' 'REPLICAOF localhost 1' 'MODULE LIST'; do
        # shellcheck disable=SC2086
        refused "$user is refused" "$user" $call
    done
done
refused 'the daemon writes no key of others' cachesyncd HSET tickstock:other a b
refused 'the adapter changes no job' cachesync-http HSET "$P:job:x" status completed
refused 'nor in a script' cachesync-http EVAL "return redis.call('SET', KEYS[1], 1)" 1 "$P:job:x"
refused 'nor takes a command away' cachesync-http XDEL "$P:commands" 1-1
refused 'the adapter announces nothing' cachesync-http PUBLISH tickstock:errors x
refused 'the command line takes no command away' cachesync-cli XDEL "$P:commands" 1-1
refused 'nor adds a dead letter beside its way' cachesync-cli HSET "$P:job:x" status completed
refused 'a producer reads no command' cachesync-producer XRANGE "$P:commands" - +
refused 'nor a job' cachesync-producer HGETALL "$P:job:x"
refused 'nor sends an event of ours' cachesync-producer PUBLISH tickstock:cache:sync_complete x
refused 'a reader sends no command' cachesync-reader XADD "$P:commands" '*' mode full
refused 'nor an event' cachesync-reader PUBLISH tickstock:errors x
like "$(redis-cli -s "$SCRATCH/redis.sock" --user cachesyncd --pass wrong PING 2>&1)" 'WRONGPASS' 'a wrong password is refused'

denied() { # ROLE SQL
    like "$(psql -X -q -A -t -d "$(uri_of "$1")" -c "$2" 2>&1)" 'permission denied|must be owner|must be superuser' "$1 may not: $2"
}
for statement in "UPDATE symbols SET sector = 'x'" "UPDATE symbols SET active = false" "INSERT INTO symbols (symbol) VALUES ('x')" \
    "DELETE FROM symbols" "INSERT INTO ohlcv_daily VALUES ('x', now())" "DELETE FROM ohlcv_daily" "UPDATE cache_entries SET name = 'x'" \
    "UPDATE cache_entries SET environment = 'x'" "UPDATE sync_changes_log SET action = 'x'" "DELETE FROM sync_changes_log" \
    "UPDATE cache_sync_runs SET mode = 'x'" "DELETE FROM cache_sync_runs" "TRUNCATE cache_entries" "CREATE TABLE mine (a int)" \
    "ALTER TABLE cache_entries ADD COLUMN mine int" "DROP TABLE cache_sync_rows" "INSERT INTO cachesync_schema VALUES (99, 'x')" \
    "CREATE INDEX ON cache_entries (key)" "SELECT pg_read_file('/etc/passwd')" "COPY symbols TO PROGRAM 'cat'" "CREATE ROLE mine"; do
    denied cachesync "$statement"
done
for statement in "INSERT INTO cache_entries (type, name, key) VALUES ('a', 'b', 'c')" "UPDATE cache_entries SET value = NULL" \
    "DELETE FROM cache_entries" "UPDATE symbols SET market_cap = 1" "SELECT * FROM ohlcv_daily" "CREATE TABLE mine (a int)"; do
    denied cachesync_reader "$statement"
done
denied cachesync_owner 'DROP DATABASE postgres'
stop_daemon
finish
