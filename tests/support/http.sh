# shellcheck shell=bash
# Support for tests of the adapter, beside lib.sh: start one, call it, look at what it says.
#
#   start_adapter CACHESYNC_MAX_BACKLOG=3     # key $KEY, port $PORT, log $SCRATCH/http.log, sets HTTP_PID
#   call GET /health                          # sets CODE and BODY; headers: header Location
#   refused 404 not_found 'an unknown path'

BASE=/api/processing/cache-sync
KEY=a-key-of-the-test

# A port that nothing listens on, below those that the system gives to clients.
free_port() {
    local port
    while port=$((10000 + RANDOM % 22000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}
PORT=$(free_port)

# start_adapter [ENV=VALUE...]: returns once it listens; false when it stopped instead. A port that was taken meanwhile is changed.
start_adapter() {
    local before
    for _ in 1 2 3 4 5; do
        before=$(grep -c "" "$SCRATCH/http.log" 2>/dev/null)
        env TICKSTOCKPL_PORT="$PORT" TICKSTOCKPL_API_KEY="$KEY" "$@" "$BUILD/cachesync-http" >>"$SCRATCH/http.log" 2>&1 &
        HTTP_PID=$!
        PIDS+=("$HTTP_PID")
        for _ in $(seq 500); do
            (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && kill -0 "$HTTP_PID" 2>/dev/null && return 0
            kill -0 "$HTTP_PID" 2>/dev/null || break
            sleep 0.02
        done
        tail -n "+$((${before:-0} + 1))" "$SCRATCH/http.log" | grep -q 'cannot listen.*in use' || return 1
        PORT=$(free_port)
    done
    return 1
}
stop_adapter() { kill -TERM "$HTTP_PID" 2>/dev/null; wait "$HTTP_PID"; }
redis_seen() { [ "$(curl -s -m 5 "http://127.0.0.1:$PORT/health" | jq -r .services.redis)" = up ]; }
# start_adapter_with_redis [ENV=VALUE...]: returns once it has reached Redis as well.
start_adapter_with_redis() {
    start_adapter "$@" || die 'the adapter did not start'
    wait_until 10 'the adapter reaches Redis' redis_seen
}

# call METHOD PATH [CURL OPTIONS...]: sets CODE and BODY; headers in $SCRATCH/headers.
call() {
    local method=$1 path=$2
    shift 2
    CODE=$(curl -sS -m 20 -o "$SCRATCH/body" -D "$SCRATCH/headers" -w '%{http_code}' -X "$method" \
        -H "X-API-Key: $KEY" "$@" "http://127.0.0.1:$PORT$path")
    BODY=$(cat "$SCRATCH/body")
}
header() { tr -d '\r' <"$SCRATCH/headers" | awk -v n="$1" -F ': ' 'tolower($1) == tolower(n) { print $2 }'; }
post() { call POST "$BASE/trigger" -H 'Content-Type: application/json' -d "$1" "${@:2}"; }
refused() { is "$CODE $(jq -r .error <<<"$BODY") $(jq -r .success <<<"$BODY")" "$1 $2 false" "$3"; }
status_with() { curl -s -m 10 -o /dev/null -w '%{http_code}' "${@:2}" "http://127.0.0.1:$PORT$1"; }
# In the form in which the Makefile is called by hand: its records of what depends on what name the files so.
http_tools() { make -s -C "$ROOT" BUILD="${BUILD#"$ROOT"/}" http-tools >"$SCRATCH/tools.log" 2>&1 || { cat "$SCRATCH/tools.log" >&2; die 'the tools cannot be built'; }; }
# A worker that seems to read for the whole test.
fake_worker() { redis ZADD "$P:workers" 1 w1 >/dev/null; redis HSET "$P:worker:w1" last_read_ms "$(($(date +%s%3N) + 3600000))" busy 0 database up >/dev/null; }
