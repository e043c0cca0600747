# shellcheck shell=bash disable=SC2030,SC2031,SC2034
# Support for tests/fault: daemons with fail points, proxies in front of the servers, a load, and the history they leave.
#
#   . "$(dirname "$0")/../support/lib.sh"; . "$(dirname "$0")/../support/fault.sh"
#   start_postgres; start_redis; migrate; market 60
#   proxy redis "$SCRATCH/redis.sock"; tell redis freeze; tell redis pass
#   daemon a CACHESYNC_FAILPOINTS=finish.before=kill
#   submit mode full force 1
#   settled 20 && history_is_sound 'nothing lost'
#
# A case may work under a prefix of its own: set P and ENVIRONMENT before.
FAULT=${FAULT:-$BUILD/fault}
TOOLS=${TOOLS:-$BUILD/tools}
SUPPORT=$(dirname "${BASH_SOURCE[0]}")
ENVIRONMENT=DEFAULT
declare -A DAEMONS PROXY_PORT
[ -x "$FAULT/cachesyncd" ] || die "$FAULT/cachesyncd is missing: make fault-build"
[ -x "$TOOLS/faultproxy" ] || die "$TOOLS/faultproxy is missing: make tools"

# market COUNT: stocks S1.. in two sectors, the first tenth listed lately, priced yesterday.
market() {
    sql "INSERT INTO symbols (symbol, name, exchange, market, type, active, market_cap, weighted_shares_outstanding, sector, industry, list_date)
         SELECT 'S' || n, 'Stock ' || n, 'XNYS', 'stocks', 'CS', true, n * 1000000000::bigint, n * 10000000::bigint,
                CASE n % 2 WHEN 0 THEN 'Technology' ELSE 'Energy' END, 'Industry ' || n % 4, CASE WHEN n <= $1 / 10 THEN current_date - 3 END
           FROM generate_series(1, $1) n;
         INSERT INTO ohlcv_daily (symbol, date, open, high, low, close, volume)
         SELECT symbol, current_date - 1, 100, 100, 100, 100, 1000 FROM symbols" >/dev/null
}
# churn: another day: one stock in eight leaves or returns, so that every sync has something to change.
churn() { sql "UPDATE symbols SET active = NOT active WHERE hashtext(symbol || random()::text) % 8 = 0" >/dev/null; }

# A commit that was answered survives a crash of the server (lib.sh's servers are fast instead).
durable_postgres() { sql 'ALTER SYSTEM SET synchronous_commit = on' && sql 'SELECT pg_reload_conf()' >/dev/null; }

# daemon NAME [ENV=VALUE...]: a daemon with fail points; DAEMONS[NAME] is its process. Log in $SCRATCH/NAME.log.
daemon() {
    local name=$1; shift
    env CACHESYNC_KEY_PREFIX="$P" CACHESYNC_ENVIRONMENT="$ENVIRONMENT" CACHESYNC_LEASE_MS="${LEASE_MS:-700}" CACHESYNC_WORKERS=2 "$@" \
        "$FAULT/cachesyncd" >>"$SCRATCH/$name.log" 2>&1 &
    DAEMONS[$name]=$!
    PIDS+=("$!")
}
# stop NAME: as systemd does, also when it was stopped by a signal.
stop() { kill -CONT "${DAEMONS[$1]}" 2>/dev/null; kill -TERM "${DAEMONS[$1]}"; ended "$1"; is "$RC" 0 "$name: $1 stops cleanly"; }
dead() { ! kill -0 "${DAEMONS[$1]}" 2>/dev/null; }
state_of() { sed 's/.*) //' "/proc/${DAEMONS[$1]}/stat" 2>/dev/null | cut -c1; }
stopped() { [ "$(state_of "$1")" = T ]; }
# ended NAME: reap it; RC is its exit code (137: SIGKILL).
ended() { wait "${DAEMONS[$1]}" 2>/dev/null; RC=$?; }

# fault_servers: both, with the schema and a small market.
fault_servers() { start_postgres; start_redis; migrate; market 40; }
# two_daemons REDIS_OPTION...: servers that lose nothing they answered, a market, daemons a and b with patience.
two_daemons() {
    REDIS_OPTIONS=(--appendonly yes --appendfsync always "$@")
    start_postgres
    durable_postgres
    start_redis "${REDIS_OPTIONS[@]}"
    migrate
    market 40
    daemon a CACHESYNC_MAX_ATTEMPTS=50
    daemon b CACHESYNC_MAX_ATTEMPTS=50
}

# proxy NAME UPSTREAM: a faultproxy; PROXY_PORT[NAME] on 127.0.0.1. tell NAME ORDER...
proxy() {
    "$TOOLS/faultproxy" run "$SCRATCH/$1.ctl" 0 "$2" >"$SCRATCH/$1.port" 2>>"$SCRATCH/proxy.log" &
    PIDS+=("$!")
    for _ in $(seq 250); do [ -s "$SCRATCH/$1.port" ] && break; sleep 0.02; done
    PROXY_PORT[$1]=$(cut -d' ' -f2 "$SCRATCH/$1.port")
}
tell() { local name=$1; shift; "$TOOLS/faultproxy" tell "$SCRATCH/$name.ctl" "$@"; }
proxies() { # both, in front of both servers; sets VIA, the daemon's environment
    proxy redis "$SCRATCH/redis.sock"
    proxy postgres "$SCRATCH/.s.PGSQL.5432"
    VIA=(REDIS_URL="redis://127.0.0.1:${PROXY_PORT[redis]}/0" DATABASE_URI="postgresql://tick@127.0.0.1:${PROXY_PORT[postgres]}/tickstock")
}

# Ids of entries: those that Redis would choose, but that cases side by side never choose the same (a job id is an entry id).
SUBMITTED=0 IDS=ours
entry_id() {
    SUBMITTED=$((SUBMITTED + 1)) ENTRY='*'
    [ "$IDS" = redis ] || ENTRY=$(date +%s%3N)-$((CASES * 100000 + SUBMITTED))
}

accepted_file() { echo "$SCRATCH/accepted.${P//[:\/]/_}"; }
# submit FIELD VALUE...: XADD; what Redis accepted is remembered. Sets ID.
submit() {
    local entry verb=sync
    case " $* " in *' command ping '*) verb=ping ;; esac
    entry_id
    entry=$(redis XADD "$P:commands" "$ENTRY" environment "$ENVIRONMENT" "$@" 2>/dev/null)
    case $entry in [0-9]*-*) ;; *) return 1 ;; esac
    ID=$(job_id_of "$entry")
    echo "{\"job_id\":\"$ID\",\"verb\":\"$verb\",\"at_ms\":${entry%-*}}" >>"$(accepted_file)"
}
cancel() { redis XADD "$P:control" MAXLEN '~' 1000 '*' command cancel job_id "$1" >/dev/null; }

REST="local open = 0
for _, k in ipairs(redis.call('KEYS', ARGV[1] .. ':job:*')) do
  local s = redis.call('HGET', k, 'status')
  if s ~= 'completed' and s ~= 'failed' then open = open + 1 end
end
return open + redis.call('XLEN', ARGV[1] .. ':commands')"
all_ended() { [ "$(redis EVAL "$REST" 0 "$P" 2>/dev/null)" = 0 ]; }
# settled SECONDS: wait until nothing waits or runs.
settled() {
    local end=$((SECONDS + $1))
    until all_ended; do [ $SECONDS -lt $end ] || return 1; sleep 0.05; done
}

DUMP="local p, out = ARGV[1], {jobs = {}, daily = {}, leftovers = {}, dead = {}, events = {}}
local function fields(f) local t = {} for i = 1, #f, 2 do t[f[i]] = f[i + 1] end return t end
for _, k in ipairs(redis.call('KEYS', p .. ':job:*')) do
  local h = fields(redis.call('HGETALL', k)); h.summary = nil; out.jobs[string.sub(k, #p + 6)] = h
end
for _, k in ipairs(redis.call('KEYS', p .. ':daily:*')) do
  for name, v in pairs(fields(redis.call('HGETALL', k))) do out.daily[name] = (out.daily[name] or 0) + tonumber(v) end
end
for _, pattern in ipairs({':waiters:*', ':duplicates:*', ':pending:*'}) do
  for _, k in ipairs(redis.call('KEYS', p .. pattern)) do out.leftovers[#out.leftovers + 1] = k end
end
for _, e in ipairs(redis.call('XRANGE', p .. ':dead', '-', '+')) do out.dead[#out.dead + 1] = fields(e[2]) end
for _, e in ipairs(redis.call('XRANGE', p .. ':events', '-', '+')) do out.events[#out.events + 1] = fields(e[2]) end
out.stream = redis.call('XLEN', p .. ':commands')
local group = redis.pcall('XPENDING', p .. ':commands', 'workers')
out.pending = group.err and 0 or group[1]
local now = redis.call('TIME'); out.now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
return cjson.encode(out)"

# What PostgreSQL knows of the environment: runs, what they logged, and universes whose log does not fold to their members.
EFFECTS="SELECT json_build_object(
 'runs', (SELECT coalesce(json_agg(json_build_object('job_id', job_id, 'total_changes', total_changes)), '[]') FROM cache_sync_runs WHERE environment = :'env'),
 'log', (SELECT coalesce(json_agg(l), '[]') FROM (SELECT job_id, universe, symbol, action, reason, count(*) AS n FROM sync_changes_log
          WHERE environment = :'env' GROUP BY 1, 2, 3, 4, 5) l),
 'folds', (SELECT coalesce(json_agg(u), '[]') FROM (SELECT DISTINCT universe AS u FROM sync_changes_log WHERE environment = :'env') x
   WHERE (SELECT coalesce(json_agg(s ORDER BY s COLLATE \"C\")::text, '[]') FROM universe_as_of(u, :'env', 'infinity') s) IS DISTINCT FROM
         (SELECT coalesce(json_agg(s ORDER BY s COLLATE \"C\")::text, '[]') FROM (SELECT DISTINCT jsonb_array_elements_text(content->'symbols') s
            FROM cache_entries WHERE universe = u AND environment = :'env' AND cache_type IS NOT NULL AND key NOT LIKE '%\\_detailed') y)))"

# collect_history: the whole history under P and ENVIRONMENT as one JSON object.
collect_history() {
    touch "$(accepted_file)"
    jq -n --slurpfile accepted "$(accepted_file)" \
        --slurpfile redis <(redis --raw EVAL "$DUMP" 0 "$P") \
        --slurpfile effects <(psql -X -q -A -t -v ON_ERROR_STOP=1 -v env="$ENVIRONMENT" -d "$DATABASE_URI" -f - <<<"$EFFECTS") \
        '$redis[0] + $effects[0] + {accepted: $accepted}
         | .events |= if type == "array" then map(.event |= fromjson) else [] end
         | .dead |= if type == "array" then . else [] end
         | .leftovers |= if type == "array" then . else [] end'
}
check_history() { jq -r -f "$SUPPORT/check-history.jq" "$1"; }

# history_is_sound NAME: one test; a broken history is kept when KEEP=1.
history_is_sound() {
    local found file; file=$SCRATCH/history.${P//[:\/]/_}.json
    collect_history >"$file" || { fail "$1" 'the history cannot be collected'; return; }
    found=$(check_history "$file") || found='["the checker failed"]'
    if [ "$(jq length <<<"$found")" = 0 ]; then pass "$1"; else fail "$1" "$(jq -r '.[:8][]' <<<"$found" | sed '2,$s/^/#   /')"; fi
}

burst() { churn; for _ in 1 2 3; do submit mode full force 1; done; submit command ping; }
sound() { ok "$1: every job ends" settled 40; history_is_sound "$1: the history is sound"; }

# ---- what leads to a fail point; named in $point where a condition is awaited
lead_sync() { submit mode full force 1; submit mode full force 1; submit command ping; }
lead_burst() { for _ in 1 2 3 4 5 6 7 8; do submit mode full force 1; done; }
# A cancel of a job that the daemon does not hold, $STRAY.
lead_stray() {
    submit mode full force 1
    settled 20
    STRAY=$ID
    cancel "$STRAY"
    submit mode full force 1
}
# An entry that a dead consumer holds.
lead_orphan() {
    redis XGROUP CREATE "$P:commands" workers 0 MKSTREAM >/dev/null
    submit mode full force 1
    redis XREADGROUP GROUP workers ghost COUNT 1 STREAMS "$P:commands" '>' >/dev/null
}
lead_cancel() { submit mode full force 1; wait_until 15 "${point:-}: a job runs" job_is "$ID" running; cancel "$ID"; submit mode full force 1; }
lead_import() {
    # The id that Redis will choose follows this one, which no other case has.
    redis XADD "$P:commands" "$(($(date +%s%3N) + 60000))-$((CASES * 100000))" command ping >/dev/null
    IDS=redis
    wait_until 15 "${point:-}: both daemons listen" listeners 2
    redis PUBLISH tickstock:import:completed "{\"run_id\":\"$P\"}" >/dev/null
}
listeners() { [ "$(redis PUBSUB NUMSUB tickstock:import:completed | tail -1)" -ge "$1" ]; }

# case_of NAME: keys and an environment of its own, for what follows; sets name.
CASE=0
case_of() { CASE=$((CASE + 1)) P="case:$CASE" ENVIRONMENT="C$CASE" name=$1; }

# ---- cases side by side, each with a prefix and an environment of its own
CASES=0 CASE_PIDS=()
# Told to stop, daemons write what an instrument counted; a stopped one, or one that takes long, is killed.
case_over() {
    local p end=$((SECONDS + 5))
    kill -TERM "${PIDS[@]}" 2>/dev/null
    for p in "${PIDS[@]}"; do
        while kill -0 "$p" 2>/dev/null && [ $SECONDS -lt $end ]; do sleep 0.05; done
        kill -KILL "$p" 2>/dev/null
    done
}
# case_start NAME COMMAND...: in a subshell, in the background, at most CASES_AT_ONCE.
case_start() {
    local name=$1; shift
    while [ "$(jobs -rp | wc -l)" -ge $((${CASES_AT_ONCE:-12} + ${#PIDS[@]})) ]; do sleep 0.02; done
    CASES=$((CASES + 1))
    (
        P="case$CASES:$name" ENVIRONMENT="K$CASES" PASSED=0 FAILED=0 PIDS=()
        trap case_over EXIT
        trap 'exit 130' INT TERM
        "$@"
        echo "$PASSED passed, $FAILED failed"
    ) >"$SCRATCH/case.$CASES" 2>&1 &
    CASE_PIDS+=("$!")
}
# cases_wait: add them up; a case without a closing line has failed.
cases_wait() {
    local i p f
    [ "$CASES" = 0 ] || wait "${CASE_PIDS[@]}" 2>/dev/null
    for i in $(seq "$CASES"); do
        grep -Ev ' passed, |: +[0-9]+ (Killed|Terminated|Stopped) ' "$SCRATCH/case.$i"
        read -r p _ f _ < <(grep ' passed, ' "$SCRATCH/case.$i" || echo "0 passed, 1 failed")
        PASSED=$((PASSED + p)) FAILED=$((FAILED + f))
    done
    CASES=0 CASE_PIDS=()
}
