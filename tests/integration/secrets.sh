#!/bin/bash
# No password and no key is ever printed: not by --check-config, not in errors of our own, of libpq or of Redis, not in the logs,
# not in what a failed job says. The secret is written in every way that people get wrong.
# Functions are called by ok and wait_until:
# shellcheck disable=SC2317
. "$(dirname "$0")/../support/lib.sh"

PROGRAMS=(cachesync cachesyncd cachesync-http)
# silent NAME TEXT: neither half of the secret is in it.
silent() { is "$(grep -aciE 'alpha7|omega9' <<<"$2")" 0 "$1"; }

# ---- settings ----
while IFS='|' read -r key value; do
    for program in "${PROGRAMS[@]}"; do
        silent "$program --check-config: $key=$value" "$(env "$key=$value" "$BUILD/$program" --check-config 2>&1)"
    done
    for verb in migrate 'members top_50' 'doctor' 'stats'; do
        # shellcheck disable=SC2086
        silent "cachesync $verb: $key=$value" "$(env REDIS_URL="unix://$SCRATCH/none.sock" DATABASE_URI="postgresql:///d?host=$SCRATCH" \
            "$key=$value" timeout 30 "$BUILD/cachesync" $verb 2>&1)"
    done
done <<'TABLE'
DATABASE_URI|postgresql://u:alpha7omega9@127.0.0.1:1/d
DATABASE_URI|postgresql://u:alpha7@omega9@127.0.0.1:1/d
DATABASE_URI|postgresql://u:alpha7/omega9@127.0.0.1:1/d
DATABASE_URI|postgresql://u:alpha7?omega9@127.0.0.1:1/d
DATABASE_URI|postgresql://u:alpha7%xomega9@127.0.0.1:1/d
DATABASE_URI|postgresql://u:alpha7#omega9@127.0.0.1:1/d
DATABASE_URI|postgresql://u:alpha7omega9@[::1/d
DATABASE_URI|postgresql://127.0.0.1:1/d?user=u&password=alpha7omega9
DATABASE_URI|postgresql://127.0.0.1:1/d?password=alpha7omega9&frob=1
DATABASE_URI|host=127.0.0.1 port=1 password=alpha7omega9
DATABASE_URI|host=127.0.0.1 port=1 password=alpha7 omega9
DATABASE_URI|host=127.0.0.1 port=1 password=alpha7 omega9 user=u
DATABASE_URI|host=127.0.0.1 port=1 password='alpha7 omega9'
DATABASE_URI|host=127.0.0.1 port=1 password = 'alpha7 omega9
DATABASE_URI|host=127.0.0.1 port=1 password=alpha7\ omega9 sslpassword=alpha7
REDIS_URL|redis://u:alpha7omega9@127.0.0.1:1/0
REDIS_URL|redis://:alpha7omega9@127.0.0.1:1/0
REDIS_URL|redis://u:alpha7@omega9@127.0.0.1:1/0
REDIS_URL|redis://u:alpha7/omega9@127.0.0.1:1/x
REDIS_URL|redis://u:alpha7%omega9@127.0.0.1:1
REDIS_URL|redis://alpha7omega9@127.0.0.1:1
REDIS_URL|redis://u:alpha7omega9
REDIS_URL|redis://:alpha7omega9:6379
REDIS_URL|rediss://u:alpha7omega9@h
REDIS_URL|http://u:alpha7omega9@h
REDIS_PASSWORD|alpha7omega9
TICKSTOCKPL_API_KEY|alpha7omega9
TICKSTOCKPL_API_KEY|alpha7 omega9
CACHESYNC_SECRET|alpha7omega9
CACHESYNC_API_KEYS|alpha7omega9
TABLE
printf "DATABASE_URI='postgresql://u:alpha7omega9@h/d\nREDIS_PASSWORD=alpha7omega9\n" >"$SCRATCH/open.env"
for program in "${PROGRAMS[@]}"; do
    silent "$program: an open quote in the file" "$("$BUILD/$program" --config "$SCRATCH/open.env" --check-config 2>&1)"
done

# ---- Redis says no, and repeats what it was sent ----
start_redis
redis CONFIG SET requirepass right >/dev/null
base=$REDIS_URL
port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport')
for level in debug info; do
    for url in "unix://:alpha7omega9@${base#unix://}" "unix://who:alpha7omega9@${base#unix://}"; do
        silent "a refused password: CLI" "$(REDIS_URL=$url "$BUILD/cachesync" stats 2>&1)"
        for program in cachesyncd cachesync-http; do
            log=$SCRATCH/$program.$level.${#url}.log
            REDIS_URL=$url CACHESYNC_LOG_LEVEL=$level TICKSTOCKPL_API_KEY=alpha7omega9 TICKSTOCKPL_PORT=$port CACHESYNC_LISTEN=127.0.0.1 \
                DATABASE_URI='postgresql://u:alpha7omega9@127.0.0.1:1/d' timeout 20 "$BUILD/$program" >"$log" 2>&1 &
            pid=$!
            PIDS+=("$pid")
            wait_until 20 "$program tells of it" grep -qE redis_down "$log"
            kill "$pid" 2>/dev/null
            wait "$pid" 2>/dev/null
            silent "a refused password: $program at level $level" "$(cat "$log")"
        done
    done
done
kill "$REDIS_PID"
wait "$REDIS_PID" 2>/dev/null

# A server without AUTH repeats its arguments.
rm -f "$SCRATCH/redis.sock"
start_redis --rename-command AUTH ''
url="unix://who:alpha7omega9@${base#unix://}"
out=$(REDIS_URL=$url "$BUILD/cachesync" stats 2>&1)
like "$out" 'unknown command' 'a server without AUTH is told'
silent 'a server that repeats the password: CLI' "$out"
REDIS_URL=$url "$BUILD/cachesyncd" >"$SCRATCH/noauth.log" 2>&1 &
pid=$!
PIDS+=("$pid")
wait_until 20 'the daemon tells of it' grep -q 'unknown command' "$SCRATCH/noauth.log"
kill "$pid"
wait "$pid" 2>/dev/null
silent 'a server that repeats the password: daemon' "$(cat "$SCRATCH/noauth.log")"

# ---- a job that fails for want of a database ----
REDIS_URL=$base
for uri in 'postgresql://u:alpha7omega9@127.0.0.1:1/d' 'postgresql://u:alpha7@omega9@127.0.0.1:1/d'; do
    : >"$SCRATCH/daemon.log"
    start_daemon DATABASE_URI="$uri" CACHESYNC_MAX_ATTEMPTS=1 CACHESYNC_LOG_LEVEL=debug
    id=$(run_job mode full)
    is "$(job_field "$id" status)" failed 'a job without a database fails'
    silent 'a failed job: hash' "$(redis HGETALL "$P:job:$id")"
    silent 'a failed job: events, dead letter' "$(redis XRANGE "$P:events" - +; redis XRANGE "$P:dead" - +)"
    stop_daemon
    silent 'a failed job: log' "$(cat "$SCRATCH/daemon.log")"
done

# ---- an address that libpq cannot read stops the daemon
out=$(DATABASE_URI='postgresql://u:alpha7%xomega9@127.0.0.1:1/d' timeout 20 "$BUILD/cachesyncd" 2>&1)
is $? 2 'a password with a stray % is refused at the start'
like "$out" '%XX' 'the line has the remedy'
silent 'and not the password' "$out"

finish
