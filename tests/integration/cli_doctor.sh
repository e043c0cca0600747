#!/bin/bash
# cachesync doctor: a house in order, then one thing after another broken; its remedies, --fix, --json, exit codes.
# jq programs stand in single quotes, and wait_until and ok call the functions:
# shellcheck disable=SC2016,SC2317
. "$(dirname "$0")/../support/lib.sh"

C=$BUILD/cachesync
# doctor ARGUMENTS...: leaves $report (JSON) and $code.
doctor() {
    report=$("$C" --json doctor "$@" 2>"$SCRATCH/doctor.err")
    code=$?
}
# says CHECK VERDICT REGEX NAME: some finding of CHECK has the verdict and a message or remedy like REGEX.
says() {
    ok "$4" jq -e --arg c "$1" --arg v "$2" --arg r "$3" \
        'any(.findings[]; .check == $c and .verdict == $v and ((.message + " " + (.remedy // "")) | test($r)))' <<<"$report"
}
free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'; }

REDIS_PORT=$(free_port) HTTP_PORT=$(free_port)
export TICKSTOCKPL_PORT=$HTTP_PORT TICKSTOCKPL_API_KEY=a-key-of-ours

# ---- nothing is there ----
export REDIS_URL="unix://$SCRATCH/nothing.sock" DATABASE_URI="postgresql://u:topsecret@/d?host=$SCRATCH"
doctor
is "$code" 1 'nothing is there: exit 1'
says redis problem 'nothing.sock.*start Redis' 'no Redis: address and remedy'
says database problem 'start PostgreSQL' 'no PostgreSQL: remedy'
says adapter problem "port $HTTP_PORT" 'no adapter: its port'
is "$(grep -c topsecret <<<"$report")" 0 'no password is printed'
CACHESYNC_WORKERS=none doctor
is "$code" 1 'bad configuration: exit 1'
says config problem 'CACHESYNC_WORKERS=none' 'bad configuration: key and value'
is "$(jq '.findings | length' <<<"$report")" 1 'bad configuration: nothing else is checked'
is "$("$C" doctor --role king 2>&1 >/dev/null | wc -l)" 1 'a bad option is one line'
"$C" doctor --role king >/dev/null 2>&1
is $? 2 'a bad option: exit 2'

# ---- a house in order ----
start_redis --port "$REDIS_PORT" --bind 127.0.0.1 --appendonly yes --enable-protected-configs yes
start_postgres
doctor
says database.schema problem 'no schema yet.*cachesync migrate' 'an empty database: remedy'
says daemons problem 'start cachesyncd' 'no daemon: remedy'
says queue.group warning 'doctor --fix' 'no group yet: remedy'
migrate
sql 'ALTER SYSTEM SET fsync = on' && sql 'ALTER SYSTEM SET full_page_writes = on' && sql 'ALTER SYSTEM SET synchronous_commit = on'
sql 'SELECT pg_reload_conf()' >/dev/null
doctor
says database.market problem 'import market data' 'an empty market: remedy'
sql "INSERT INTO symbols (symbol, name, type, active, weighted_shares_outstanding, sector)
     SELECT 'S' || i, 'Stock ' || i, 'CS', true, 1000000 * i, 'Technology' FROM generate_series(1, 60) i;
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, (now() AT TIME ZONE 'America/New_York')::date, 400 FROM symbols"
start_daemon
"$BUILD/cachesync-http" >>"$SCRATCH/http.log" 2>&1 &
PIDS+=($!)
healthy() { [ "$(curl -s "http://127.0.0.1:$HTTP_PORT/health" | jq -r .status)" = healthy ]; }
wait_until 30 'the adapter is healthy' healthy
doctor
says database.last_sync warning 'never synced.*cachesync trigger' 'no sync yet: remedy'
"$C" trigger --wait >/dev/null 2>&1
doctor
is "$(jq -c '[.findings[] | select(.verdict != "ok")]' <<<"$report")" '[]' 'all in order: nothing else than ok'
is "$code $(jq -r .verdict <<<"$report")" '0 ok' 'all in order: exit 0'
for check in config config.rules config.times config.api_key redis redis.version redis.role redis.eviction redis.memory \
    redis.persistence redis.clock redis.rights daemons daemons.worker queue.keys queue.group queue.backlog queue.pending \
    queue.orphans queue.dead database.version database.clock database.settings database.connections database.schema \
    database.tables database.rights database.indexes database.market database.last_sync adapter; do
    says "$check" ok '' "$check is checked"
    ok "$check is in the docs" grep -q "^| .$check. |" "$ROOT/docs/doctor.md"
done
out=$("$C" doctor)
like "$out" $'ok       redis.version         Redis' 'text: a line each'
like "$(tail -1 <<<"$out")" '^0 problems, 0 warnings, [0-9]+ ok$' 'text: the sum'

# ---- configuration ----
printf 'CACHESYNC_WORKERS=2\n' >"$SCRATCH/my.env"
chmod 644 "$SCRATCH/my.env"
report=$("$C" --config "$SCRATCH/my.env" --json doctor)
says config warning 'everybody can read .*my.env.*chmod' 'a file that others may read'
chmod 640 "$SCRATCH/my.env"
report=$("$C" --config "$SCRATCH/my.env" --json doctor)
says config ok 'my.env' 'a file that they may not'
echo '{"version": 1}' >"$SCRATCH/bad.json"
CACHESYNC_RULES=$SCRATCH/bad.json doctor
says config.rules problem 'bad.json.*rules check' 'bad rules'
CACHESYNC_LEASE_MS=5000 CACHESYNC_JOB_TIMEOUT_S=1 doctor
says config.times warning 'lease of 5000 ms' 'a lease beyond the deadline'
TICKSTOCKPL_API_KEY=other,tickstock-cache-sync-2025 doctor
says config.api_key warning 'published' 'the published key on a loopback address'
TICKSTOCKPL_API_KEY=tickstock-cache-sync-2025 CACHESYNC_LISTEN=0.0.0.0 doctor
says config.api_key problem 'choose another' 'the published key elsewhere'
says adapter ok "127.0.0.1 port $HTTP_PORT" 'an adapter that listens everywhere is asked on the loopback'
TICKSTOCKPL_API_KEY='' doctor
says config.api_key warning 'does not start' 'no key'
TICKSTOCKPL_API_KEY='' TICKSTOCKPL_PORT=$(free_port) doctor
says adapter warning 'cannot connect' 'no key and no adapter: a warning'
# What answers but is no adapter; what takes the connection and is silent; a name that does not resolve.
odd_port=$(free_port) mute_port=$(free_port)
perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift, Listen => 5, ReuseAddr => 1) or die; while ($c = $s->accept) { sysread $c, $b, 4096; print $c "HTTP/1.1 200 OK\r\n\r\nhello"; close $c }' "$odd_port" &
PIDS+=($!)
perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift, Listen => 5, ReuseAddr => 1) or die; push @c, $c while $c = $s->accept' "$mute_port" &
PIDS+=($!)
listens() { (exec 9<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
wait_until 20 'the odd server listens' listens "$odd_port"
wait_until 20 'the mute server listens' listens "$mute_port"
TICKSTOCKPL_PORT=$odd_port doctor
says adapter problem 'no adapter' 'something else at its port'
TICKSTOCKPL_PORT=$mute_port doctor
says adapter problem 'no answer within' 'a mute server'
CACHESYNC_LISTEN=nowhere.invalid doctor
says adapter problem 'cannot resolve' 'a name that does not resolve'

# ---- Redis ----
redis REPLICAOF 127.0.0.1 1 >/dev/null
doctor
says redis.role problem 'takes no writes.*master' 'a replica'
redis REPLICAOF NO ONE >/dev/null
mkdir "$SCRATCH/full"
chmod 555 "$SCRATCH/full"
redis CONFIG SET dir "$SCRATCH/full" >/dev/null
redis BGSAVE >/dev/null
saved() { redis INFO persistence | grep -q 'rdb_last_bgsave_status:err'; }
wait_until 20 'a snapshot fails' saved
doctor
says redis.persistence problem 'last snapshot failed' 'a failed snapshot'
redis CONFIG SET dir "$SCRATCH" >/dev/null
redis SAVE >/dev/null
redis CONFIG SET maxmemory-policy allkeys-lru >/dev/null
doctor
says redis.eviction warning 'noeviction' 'eviction without maxmemory'
is "$code" 0 'warnings alone: exit 0'
redis CONFIG SET maxmemory 8mb >/dev/null
doctor
says redis.eviction problem 'thrown away' 'eviction with maxmemory'
is "$code" 1 'a problem: exit 1'
redis CONFIG SET maxmemory-policy noeviction >/dev/null
used=$(redis INFO memory | tr -d '\r' | sed -n 's/^used_memory://p')
redis CONFIG SET maxmemory $((used + used / 10)) >/dev/null
doctor
says redis.memory warning 'raise maxmemory' 'memory nearly used up'
redis CONFIG SET maxmemory 0 >/dev/null
redis CONFIG SET appendonly no >/dev/null
doctor
says redis.persistence warning 'appendonly yes' 'no persistence'

# Rights: a user for each role, then one thing taken away.
redis ACL SETUSER limited on '>pw' resetkeys resetchannels '~tickstock:cache-sync:*' '&tickstock:*' +@all -xclaim -info >/dev/null
limited() { REDIS_URL='' REDIS_HOST=127.0.0.1 REDIS_PORT=$REDIS_PORT REDIS_USERNAME=limited REDIS_PASSWORD=pw doctor "$@"; }
REDIS_PASSWORD=wrong REDIS_URL='' REDIS_HOST=127.0.0.1 REDIS_PORT=$REDIS_PORT REDIS_USERNAME=limited doctor
says redis problem 'WRONGPASS' 'a wrong password'
limited
says redis.rights problem 'daemon sends XCLAIM.*grant it' 'a missing right is named'
says redis.server warning "not checked" 'what may not be asked is a warning'
is "$(jq '[.findings[] | select(.check == "redis.rights")] | length' <<<"$report")" 1 'only the missing right'
limited --role adapter
says redis.rights ok 'user limited' 'another role needs less'
limited --role operator
says redis.rights problem 'operator sends INFO' 'what the operator needs'
redis ACL SETUSER limited -@all +multi +discard >/dev/null
limited
is "$(jq '[.findings[] | select(.check == "redis.rights")] | length' <<<"$report")" 6 'a user of another program: five refusals and their sum'
says redis.rights problem 'more of [0-9]+ things that the daemon does.*--role' 'and the way out'
redis ACL SETUSER limited +@all -info resetkeys '~other:*' >/dev/null
limited --role producer
says redis.rights problem 'XADD P:commands' 'keys count as rights'
is "$(redis XLEN "$P:commands") $(redis EXISTS "$P:idem:x" "$P:job:x" "$P:worker:x")" '0 0' 'asking for rights runs nothing'
# Every command of the scripts is in the list of rights.
for command in $(grep -ohE "(redis\.p?call|try)\('[A-Z]+'" "$ROOT"/worker/lua/*.lua | grep -oE "'[A-Z]+'" | tr -d "'" | sort -u); do
    ok "rights: $command of the scripts is in the list" grep -qE "\"${command}[ \"]" "$ROOT/worker/cli/doctor_acl.c"
done

# ---- daemon and queue ----
stop_daemon
redis XADD "$P:dead" '*' reason x >/dev/null
old=$(($(date +%s%3N) - 3600000))
redis DEL "$P:commands" >/dev/null
redis XADD "$P:commands" "$old-0" mode full >/dev/null
redis XGROUP CREATE "$P:commands" workers 0 >/dev/null
doctor
says daemons problem 'no live worker' 'the daemon has stopped'
says queue.backlog warning '1 entries wait, the oldest for 36[0-9]{2} s.*start cachesyncd' 'an old entry waits'
says queue.dead warning '1 dead letters.*cachesync dead list' 'dead letters'
says adapter problem unhealthy 'the adapter is unhealthy'
redis XREADGROUP GROUP workers ghost COUNT 1 STREAMS "$P:commands" '>' >/dev/null
CACHESYNC_LEASE_MS=500 wait_until 30 'an entry becomes stale' sh -c "'$C' --json doctor | jq -e '.findings[] | select(.check == \"queue.pending\" and .verdict == \"warning\")'"
CACHESYNC_LEASE_MS=500 doctor
says queue.pending warning '1 entries were left by ghost.*start cachesyncd' 'stale pending entries name their consumer'
now_ms=$(date +%s%3N) name=host.1.2
redis HSET "$P:worker:$name" host host pid 1 version 0.0.1 threads 2 busy 1 database up last_read_ms "$now_ms" >/dev/null
redis ZADD "$P:workers" "$now_ms" "$name" >/dev/null
doctor
says daemons.worker warning "$name is of another version" 'another version'
redis HSET "$P:worker:$name" loop_lag_ms 5000 >/dev/null; doctor
says daemons.worker warning 'turns slowly' 'a slow loop'
redis HSET "$P:worker:$name" oldest_running_ms 99999999 >/dev/null; doctor
says daemons.worker warning 'beyond its deadline' 'a job beyond its deadline'
redis HSET "$P:worker:$name" database down >/dev/null; doctor
says daemons.worker problem 'cannot reach PostgreSQL' 'a worker without database'
redis HSET "$P:worker:$name" stuck 1 >/dev/null; doctor
says daemons.worker problem 'ignore their cancel' 'a stuck worker'
redis HSET "$P:worker:$name" last_read_ms 1 >/dev/null; doctor
says daemons.worker problem 'has not read' 'a deaf worker'
redis DEL "$P:worker:$name" >/dev/null

# Orphans: entry gone from the stream and from the pending list.
orphan=0b0e7a52-3f0c-4c6e-9d53-0a4f0a8f6c11 waiter=0b0e7a52-3f0c-4c6e-9d53-0a4f0a8f6c12 held=0b0e7a52-3f0c-4c6e-9d53-0a4f0a8f6c13
redis HSET "$P:job:$orphan" job_id "$orphan" status running entry_id 5-5 progress '{"percentage":3}' in_doubt 1 cancel 1 due_ms 5 >/dev/null
redis HSET "$P:job:$held" job_id "$held" status running entry_id "$old-0" >/dev/null
redis HSET "$P:job:$waiter" job_id "$waiter" status pending entry_id 6-6 coalesced_into "$held" >/dev/null
behind=0b0e7a52-3f0c-4c6e-9d53-0a4f0a8f6c14 # waits for a job that nobody has read
redis HSET "$P:job:$behind" job_id "$behind" status pending entry_id 7-7 coalesced_into "$(job_id_of "$(redis XADD "$P:commands" '*' mode full)")" >/dev/null
redis ZADD "$P:jobs" 5 "$orphan" 6 "$waiter" 7 "$held" 8 "$behind" >/dev/null
doctor
says queue.orphans warning "\\(1\\): $orphan .*--fix" 'an orphan is named, not who waits or is held'
is "$(job_field "$orphan" status)" running 'without --fix nothing changes'
redis XGROUP DESTROY "$P:commands" workers >/dev/null
doctor --fix
says queue.group fixed workers '--fix creates the group'
says queue.orphans fixed "$orphan" '--fix ends the orphan'
is "$(redis HGET "$P:job:$orphan" status) $(redis HGET "$P:job:$orphan" error_details | jq -r .code)" 'failed orphaned' 'the orphan has failed, with a code'
is "$(redis HMGET "$P:job:$orphan" in_doubt cancel due_ms | tr -d '\n')" '' 'and no mark is left'
is "$(redis HEXISTS "$P:job:$orphan" progress) $(redis TTL "$P:job:$orphan" | sed 's/[0-9]\+/N/')" '0 N' 'its hash expires like another'
is "$(job_field "$waiter" status) $(job_field "$held" status) $(job_field "$behind" status)" 'pending running pending' '--fix leaves the others alone'
is "$(redis XINFO GROUPS "$P:commands" | sed -n 2p)" workers 'the group is there'
redis DEL "$P:dead" >/dev/null
redis SET "$P:dead" text >/dev/null
doctor
says queue.keys problem "$P:dead is a string, not a stream" 'a key of a wrong type'

# ---- PostgreSQL ----
sql "CREATE ROLE poor LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO poor; REVOKE ALL ON ohlcv_daily FROM poor;
     GRANT SELECT (symbol, date) ON ohlcv_daily TO poor"
poor() { DATABASE_URI="postgresql://poor@/tickstock?host=$SCRATCH&port=5432" doctor; }
poor
says database.rights problem 'user poor lacks UPDATE \(last_updated, market_cap\) on symbols' 'rights: a column to write'
says database.rights problem 'user poor lacks SELECT \(close\) on ohlcv_daily' 'rights: a column to read'
says database.rights problem 'user poor lacks DELETE on cache_entries' 'rights: delete'
says database.rights problem 'user poor lacks USAGE on .*cache_entries_id_seq' 'rights: a sequence'
says database.market problem 'permission denied' 'what PostgreSQL refuses is a finding'
sql 'ALTER TABLE ohlcv_daily DROP CONSTRAINT ohlcv_daily_pkey; CREATE INDEX swapped ON ohlcv_daily (date, symbol); DROP INDEX cache_sync_runs_newest;
     ALTER TABLE cache_sync_runs DROP COLUMN market_date CASCADE'
sql "UPDATE ohlcv_daily SET date = date - 1 WHERE symbol LIKE 'S1%' OR symbol LIKE 'S2%'"
sql "ALTER SYSTEM SET synchronous_commit = off" && sql 'SELECT pg_reload_conf()' >/dev/null
doctor
says database.indexes problem 'ohlcv_daily has no index on \(symbol, date\)' 'indexes: a swapped one is none'
says database.indexes problem 'cache_sync_runs has no index on \(environment, committed_at\)' 'indexes: ours'
says database.tables problem 'cache_sync_runs lacks market_date.*cachesync migrate' 'a missing column'
says database.market problem '38 of 60 active stocks.*finish the import' 'an incomplete import'
wait_until 20 'settings that lose data' sh -c "'$C' --json doctor | jq -e '.findings[] | select(.check == \"database.settings\" and .verdict == \"warning\")'"
sql "UPDATE ohlcv_daily SET date = date - 30"
doctor
says database.market problem '3[01] days old.*import newer' 'stale market data'
sql "INSERT INTO cachesync_schema VALUES (9999, 'the future')"
doctor
says database.schema problem 'schema 9999 is newer.*newer program' 'a schema of the future'
sql 'ALTER SYSTEM SET max_connections = 40'
stop_postgres && start_postgres
CACHESYNC_WORKERS=64 doctor
says database.connections warning 'a daemon needs 65.*max_connections' 'too few connections'
sql 'ALTER DATABASE tickstock SET default_transaction_read_only = on'
doctor
says database.settings problem 'transaction_read_only is on' 'a read-only database'

finish
