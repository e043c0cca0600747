# shellcheck shell=bash
# A private PostgreSQL and Redis on unix sockets in $SCRATCH, for the demo. Sourced; what it starts, servers_stop stops.
# Servers refuse to run as root: started by root they run as nobody.

if [ "$(id -u)" = 0 ]; then
    AS=(setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$SCRATCH")
    chown nobody "$SCRATCH"
else
    AS=()
fi
PGBIN=$(for d in /usr/lib/postgresql/*/bin; do echo "$d"; done | sort -V | tail -1)
REDIS_PID=

# servers_fail MESSAGE LOG: say what went wrong, with the end of the log.
servers_fail() {
    echo "demo: $1" >&2
    [ ! -f "$2" ] || tail -5 "$2" >&2
    exit 1
}

# Sets DATABASE_URI: an empty database.
postgres_start() {
    [ -x "$PGBIN/initdb" ] || servers_fail "PostgreSQL's server is missing: apt-get install postgresql" ''
    "${AS[@]}" "$PGBIN/initdb" -D "$SCRATCH/pg" -U tick -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$SCRATCH/initdb.log" 2>&1 ||
        servers_fail 'initdb failed' "$SCRATCH/initdb.log"
    cat >>"$SCRATCH/pg/postgresql.conf" <<EOF
listen_addresses = ''
unix_socket_directories = '$SCRATCH'
fsync = off
synchronous_commit = off
full_page_writes = off
timezone = 'UTC'
EOF
    "${AS[@]}" "$PGBIN/pg_ctl" -D "$SCRATCH/pg" -l "$SCRATCH/postgres.log" -w start >/dev/null 2>&1 ||
        servers_fail 'PostgreSQL did not start' "$SCRATCH/postgres.log"
    psql -X -q -h "$SCRATCH" -U tick -d postgres -c 'CREATE DATABASE tickstock'
    export DATABASE_URI="postgresql://tick@/tickstock?host=$SCRATCH"
}

# Sets REDIS_URL.
redis_start() {
    command -v redis-server >/dev/null || servers_fail 'Redis is missing: apt-get install redis-server' ''
    "${AS[@]}" redis-server --port 0 --unixsocket "$SCRATCH/redis.sock" --unixsocketperm 777 --dir "$SCRATCH" --save '' \
        --appendonly no >"$SCRATCH/redis.log" 2>&1 &
    REDIS_PID=$!
    export REDIS_URL="unix://$SCRATCH/redis.sock?db=0"
    for _ in $(seq 200); do
        [ "$(redis-cli -s "$SCRATCH/redis.sock" PING 2>/dev/null)" != PONG ] || return 0
        kill -0 "$REDIS_PID" 2>/dev/null || break
        sleep 0.05
    done
    servers_fail 'Redis did not start' "$SCRATCH/redis.log"
}

servers_stop() {
    [ -z "$REDIS_PID" ] || { kill "$REDIS_PID" && wait "$REDIS_PID"; } 2>/dev/null
    [ ! -f "$SCRATCH/pg/postmaster.pid" ] || "${AS[@]}" "$PGBIN/pg_ctl" -D "$SCRATCH/pg" -m fast -w stop >/dev/null 2>&1
    return 0
}
