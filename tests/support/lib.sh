# shellcheck shell=bash
# Support for tests written in bash: private servers, waiting, and a count of what passed.
#
#   . "$(dirname "$0")/../support/lib.sh"
#   start_postgres; start_redis; migrate; start_daemon
#   redis XADD "$P:commands" '*' mode full force 1
#   wait_until 10 'a sync completed' test "$(job_field "$id" status)" = completed
#   is "$(sql 'SELECT 1')" 1 'PostgreSQL answers'
#   finish
#
# Everything lives in $SCRATCH and is stopped and removed on exit. Started as root, servers run as nobody.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$ROOT/build}
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/cachesync.XXXXXX")
P=tickstock:cache-sync
PASSED=0 FAILED=0 SKIPPED=0
PIDS=()
export LC_ALL=C.UTF-8
unset DATABASE_URI REDIS_URL PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD
for v in $(compgen -e | grep -E '^(CACHESYNC_|REDIS_|TICKSTOCKPL_)'); do unset "$v"; done

if [ "$(id -u)" = 0 ]; then
    AS=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$SCRATCH")
    chown nobody "$SCRATCH"
else
    AS=()
fi
chmod 755 "$SCRATCH"

cleanup() {
    local rc=$? p
    [ "$BASHPID" = $$ ] || exit "$rc" # a child that was killed before it became another program
    trap - EXIT INT TERM
    for p in "${PIDS[@]}"; do kill -CONT "$p" 2>/dev/null; kill -TERM "$p" 2>/dev/null; done
    for p in "${PIDS[@]}"; do
        for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || break; sleep 0.05; done
        kill -KILL "$p" 2>/dev/null
    done
    [ -f "$SCRATCH/pg/postmaster.pid" ] && "${AS[@]}" "$PGBIN/pg_ctl" -D "$SCRATCH/pg" -m immediate stop >/dev/null 2>&1
    if [ "${KEEP:-0}" = 1 ]; then echo "# kept: $SCRATCH"; else rm -rf "$SCRATCH"; fi
    exit "$rc"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

pass() { PASSED=$((PASSED + 1)); [ "${VERBOSE:-0}" = 0 ] || echo "ok - $1"; }
fail() { FAILED=$((FAILED + 1)); echo "not ok - $1"; shift; [ $# = 0 ] || printf '#   %s\n' "$@"; return 0; }
skip() { SKIPPED=$((SKIPPED + 1)); echo "skipped - $1"; }
# is GOT WANTED NAME / ok NAME COMMAND... / like GOT REGEX NAME
is() { if [ "$1" = "$2" ]; then pass "$3"; else fail "$3" "got:    $1" "wanted: $2"; fi; }
ok() { local name=$1; shift; if "$@" >/dev/null 2>&1; then pass "$name"; else fail "$name" "failed: $*"; fi; }
like() { if [[ $1 =~ $2 ]]; then pass "$3"; else fail "$3" "got:    $1" "wanted: /$2/"; fi; }
die() { echo "$0: $*" >&2; exit 1; }
# The closing line, and the exit code.
finish() {
    if [ "$SKIPPED" = 0 ]; then echo "$PASSED passed, $FAILED failed"; else echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"; fi
    [ "$FAILED" = 0 ]; exit $?
}

# wait_until SECONDS NAME COMMAND...: the command is tried until it succeeds; a time-out is a failed test.
wait_until() {
    local limit=$1 name=$2 end; shift 2
    end=$((SECONDS + limit))
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then fail "$name" "not within $limit s: $*"; return 1; fi
        sleep 0.02
    done
    pass "$name"
}

PGBIN=$(for d in /usr/lib/postgresql/*/bin; do echo "$d"; done | sort -V | tail -1)
# start_postgres [-p PORT] : socket in $SCRATCH, database tickstock; sets DATABASE_URI. With a port also on 127.0.0.1.
start_postgres() {
    local listen='' port=5432
    if [ "${1:-}" = -p ]; then listen=127.0.0.1 port=$2; fi
    [ -x "$PGBIN/initdb" ] || die "PostgreSQL's server is missing: apt-get install postgresql"
    if [ ! -d "$SCRATCH/pg" ]; then
        "${AS[@]}" "$PGBIN/initdb" -D "$SCRATCH/pg" -U tick -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$SCRATCH/initdb.log" 2>&1 ||
            { cat "$SCRATCH/initdb.log" >&2; die 'initdb failed'; }
        cat >>"$SCRATCH/pg/postgresql.conf" <<EOF
listen_addresses = '$listen'
port = $port
unix_socket_directories = '$SCRATCH'
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 2GB
shared_buffers = 128MB
timezone = 'UTC'
EOF
    fi
    "${AS[@]}" "$PGBIN/pg_ctl" -D "$SCRATCH/pg" -l "$SCRATCH/postgres.log" -w start >/dev/null 2>&1 ||
        { tail -5 "$SCRATCH/postgres.log" >&2; die 'PostgreSQL did not start'; }
    psql -X -q -h "$SCRATCH" -p "$port" -U tick -d postgres -c 'CREATE DATABASE tickstock' 2>/dev/null
    export DATABASE_URI="postgresql://tick@/tickstock?host=$SCRATCH&port=$port"
}
stop_postgres() { "${AS[@]}" "$PGBIN/pg_ctl" -D "$SCRATCH/pg" -m "${1:-fast}" -w stop >/dev/null 2>&1; }
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$DATABASE_URI" -c "$1"; }
sql_file() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$DATABASE_URI" -f "$1"; }

# start_redis [REDIS OPTIONS...]: socket in $SCRATCH; sets REDIS_URL. (-p via: start_redis --port 7000)
start_redis() {
    command -v redis-server >/dev/null || die "Redis is missing: apt-get install redis-server"
    "${AS[@]}" redis-server --port 0 --unixsocket "$SCRATCH/redis.sock" --unixsocketperm 777 --dir "$SCRATCH" --save '' \
        --appendonly no --daemonize no "$@" >>"$SCRATCH/redis.log" 2>&1 &
    REDIS_PID=$!
    PIDS+=("$REDIS_PID")
    export REDIS_URL="unix://$SCRATCH/redis.sock?db=0"
    for _ in $(seq 1000); do
        [ "$(redis-cli -s "$SCRATCH/redis.sock" PING 2>/dev/null)" = PONG ] && return 0
        kill -0 "$REDIS_PID" 2>/dev/null || break
        sleep 0.02
    done
    tail -5 "$SCRATCH/redis.log" >&2
    die 'Redis did not start'
}
redis() { redis-cli -s "$SCRATCH/redis.sock" "$@"; }

migrate() { "$BUILD/cachesync" migrate >"$SCRATCH/migrate.log" 2>&1 || { cat "$SCRATCH/migrate.log" >&2; die 'migrate failed'; }; }

# start_daemon [ENV=VALUE...]: sets DAEMON_PID; log in $SCRATCH/daemon.log; returns once a worker hash is there.
start_daemon() {
    env "$@" "$BUILD/cachesyncd" >>"$SCRATCH/daemon.log" 2>&1 &
    DAEMON_PID=$!
    PIDS+=("$DAEMON_PID")
    for _ in $(seq 1000); do
        [ -n "$(redis --scan --pattern "$P:worker:*.$DAEMON_PID.*" 2>/dev/null)" ] && return 0
        kill -0 "$DAEMON_PID" 2>/dev/null || break
        sleep 0.02
    done
    tail -5 "$SCRATCH/daemon.log" >&2
    die 'cachesyncd did not start'
}
# kill_hard PID...: SIGKILL. Under `make coverage` a signal of which the process makes one once its counters are written.
kill_hard() { kill "-${SIGKILL_AS:-KILL}" "$@"; }
stop_daemon() { kill -TERM "$DAEMON_PID" 2>/dev/null; wait "$DAEMON_PID" 2>/dev/null; }

job_field() { redis HGET "$P:job:$1" "$2"; }
job_is() { [ "$(job_field "$1" status)" = "$2" ]; }
# job_id_of ENTRY_ID: the job id that it implies (docs/protocol.md).
job_id_of() {
    local ms=${1%-*} seq=${1#*-} hex
    hex=$(printf '%012x' "$ms")
    printf '%s-%s-7000-%04x-%012x\n' "${hex:0:8}" "${hex:8:4}" $((0x8000 | seq >> 48)) $((seq & 0xffffffffffff))
}
# run_job FIELD VALUE...: XADD, wait for a final state, print the job id.
run_job() {
    local entry id
    entry=$(redis XADD "$P:commands" '*' "$@")
    id=$(job_id_of "$entry")
    for _ in $(seq 3000); do
        case $(job_field "$id" status) in completed | failed) break ;; esac
        sleep 0.02
    done
    echo "$id"
}

MARKET_DATA=${MARKET_DATA:-$ROOT/../shared/market-data}
have_market_data() { [ -x "$MARKET_DATA/load.sh" ]; }
