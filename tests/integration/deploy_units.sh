#!/bin/bash
# What `make install` lays down: units that hold, their exposure, their system calls, the timer, the log's rotation, the env file.
# shellcheck source=tests/support/lib.sh
# shellcheck disable=SC2317 # functions that wait_until and ok run
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/http.sh
. "$(dirname "$0")/../support/http.sh"

D=$SCRATCH/root
install_into() { make -s -C "$ROOT" install-files BUILD="$BUILD" PREFIX="$D/usr" SYSCONFDIR="$D/etc"; }
ok 'make install' install_into
for f in usr/sbin/cachesyncd usr/sbin/cachesync-http usr/bin/cachesync; do ok "$f runs" "$D/$f" --version; done
is "$(stat -c %a "$D/etc/cachesync/cachesync.env")" 640 'the env file is not for everybody'
echo 'CACHESYNC_WORKERS=7' >>"$D/etc/cachesync/cachesync.env"
ok 'make install again' install_into
ok 'an env file that is there stays' grep -q CACHESYNC_WORKERS=7 "$D/etc/cachesync/cachesync.env"
is "$(grep -rl '@[A-Z]*@' "$D/usr/lib" "$D/etc" || true)" '' 'no placeholder is left'

# ---- the env file: every key of the table, with its default
env_file=$ROOT/deploy/etc/cachesync.env
"$BUILD/cachesync" --check-config | cut -d= -f1 | sort >"$SCRATCH/keys"
sed -n 's/^#\{0,1\}\([A-Z_]*\)=.*/\1/p' "$env_file" | sort >"$SCRATCH/env-keys"
is "$(diff "$SCRATCH/keys" "$SCRATCH/env-keys")" '' 'the env file has every key of the table, once'
"$BUILD/cachesync" --help | sed -n '/^settings:/,$ s/^  \([A-Z_]*\) *\([^ ]*\) .*/\1=\2/p' | sed 's/=-$/=/' | sort >"$SCRATCH/defaults"
sed -n 's/^#\([A-Z_]*=\)/\1/p' "$env_file" | sort >"$SCRATCH/commented"
is "$(comm -13 "$SCRATCH/defaults" "$SCRATCH/commented")" '' 'what is commented out is the default'
sed 's/^#\([A-Z_]*=\)/\1/' "$env_file" >"$SCRATCH/all.env"
ok 'all of it is accepted' "$BUILD/cachesync" --config "$SCRATCH/all.env" --check-config

# ---- the units
units=$D/usr/lib/systemd/system
out=$(systemd-analyze verify --man=no "$units"/*.service "$units"/*.timer 2>&1 | grep cachesync || true)
is "$out" '' 'systemd finds nothing wrong with the units'
for u in "$units"/*.service; do
    exposure=$(systemd-analyze security --offline=yes "$u" | sed -n 's/.*Overall exposure level[^:]*: \([0-9.]*\).*/\1/p')
    ok "${u##*/}: exposure ${exposure:-unknown} is below 2.0" awk -v e="$exposure" 'BEGIN { exit !(e != "" && e < 2.0) }'
done

# What SystemCallFilter leaves: groups added by a line, taken away by one that starts with ~.
systemd-analyze syscall-filter >"$SCRATCH/groups" 2>/dev/null
allowed() {
    awk -v filter="$(sed -n 's/^SystemCallFilter=//p' "$1" | tr '\n' ';')" '
        /^@/ { group = $1; next }
        /^    [@a-z]/ && group { member[group] = member[group] " " $1 }
        function walk(name, on, n, i, part) {
            if (name !~ /^@/) { if (on) set[name] = 1; else delete set[name]; return }
            n = split(member[name], part, " ")
            for (i = 1; i <= n; i++) walk(part[i], on)
        }
        END {
            lines = split(filter, line, ";")
            for (l = 1; l <= lines; l++) {
                on = sub(/^~/, "", line[l]) == 0
                words = split(line[l], word, " ")
                for (w = 1; w <= words; w++) walk(word[w], on)
            }
            for (name in set) print name
        }' "$SCRATCH/groups" | sort
}
# Over TCP and by name, with systemd's socket set, so that the calls for these are seen too.
pg_port=$(free_port) redis_port=$(free_port)
start_postgres -p "$pg_port"
start_redis --port "$redis_port" --bind 127.0.0.1
migrate
tracked() { # NAME PROGRAM ARGUMENTS...: under strace; the system calls of its life after the exec end up in $SCRATCH/NAME.calls
    # (LeakSanitizer cannot trace what is traced.)
    local name=$1
    shift
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -qq -e signal=none -o "$SCRATCH/$name.trace" "$@" >>"$SCRATCH/$name.log" 2>&1 &
    PIDS+=("$!")
    TRACED=$!
}
# Its life begins with the last exec: strace's own, then env's.
calls() { sed -n '/execve(.*cachesync/,$ p' "$SCRATCH/$1.trace" | sed -nE '2,$ s/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' | sort -u; }
# Sanitizers look for leaks with ptrace, which strace has, and use calls of their own.
sanitized=$(ldd "$BUILD/cachesyncd" | grep -cE 'lib(asan|ubsan|tsan)')
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export TICKSTOCKPL_API_KEY=unit-test-key TICKSTOCKPL_PORT=$PORT CACHESYNC_LOG=$SCRATCH/cache_sync.log
tracked cachesyncd env NOTIFY_SOCKET="$SCRATCH/notify" WATCHDOG_USEC=2000000 REDIS_URL="redis://localhost:$redis_port/0" \
    DATABASE_URI="postgresql://tick@localhost:$pg_port/tickstock" "$BUILD/cachesyncd"
daemon=$TRACED
tracked cachesync-http env REDIS_URL="redis://localhost:$redis_port/0" "$BUILD/cachesync-http"
adapter=$TRACED
get() { curl -sf -H 'X-API-Key: unit-test-key' "http://127.0.0.1:$PORT$1"; }
wait_until 30 'both are up under strace' get /health
id=$(run_job mode full force 1)
is "$(job_field "$id" status)" completed 'a job runs under strace'
ok 'the adapter answers under strace' get "/api/processing/cache-sync/status/$id"

# ---- the log's rotation, with the shipped file
as_tester=${AS[0]:+nobody nogroup}
sed "s,/var/log/tickstockpl,$SCRATCH,; s,su cachesync adm,${as_tester:+su $as_tester},; s,create 0640 cachesync adm,create 0666,
     /postrotate/,/endscript/ { /postrotate\|endscript/! d; s,postrotate,&\nkill -HUP \$(cat $SCRATCH/pids), }" \
    "$ROOT/deploy/etc/logrotate" >"$SCRATCH/logrotate.conf"
pgrep -P "$daemon" >"$SCRATCH/pids"
pgrep -P "$adapter" >>"$SCRATCH/pids"
ok 'logrotate takes the shipped file' logrotate --force --state "$SCRATCH/logrotate.state" "$SCRATCH/logrotate.conf"
before=$(grep -c . "$SCRATCH/cache_sync.log.1")
run_job mode themes force 1 >/dev/null
wait_until 10 'after the rotation the daemon writes to the new file' grep -q job_started "$SCRATCH/cache_sync.log"
is "$(grep -c . "$SCRATCH/cache_sync.log.1")" "$before" 'and no more to the old one'
xargs kill -TERM <"$SCRATCH/pids"
wait "$daemon" "$adapter"

for name in cachesyncd cachesync-http; do
    [ "$sanitized" = 0 ] || break
    ok "$name: the trace has its calls" test "$(calls "$name" | wc -l)" -gt 20
    is "$(comm -23 <(calls "$name") <(allowed "$units/$name.service") | xargs)" '' "$name: every system call passes its filter"
done
is "$(allowed "$units/cachesyncd.service" | grep -xE 'mount|ptrace|bpf|setuid|chroot|reboot|keyctl|init_module' | xargs)" '' 'and none that gains anything'

# ---- the timer and its command
when=$(sed -n 's/^OnCalendar=//p' "$units/cachesync-daily.timer")
for at in 2026-07-03:20:10 2026-11-27:21:10; do # summer and winter time, both Fridays
    next=$(systemd-analyze calendar --base-time="${at%%:*} 12:00 UTC" "$when" | sed -n 's/.*(in UTC): \(.*\)/\1/p; s/ *Next elapse: \(.* UTC\)$/\1/p' | tail -1)
    is "$next" "Fri ${at%%:*} ${at#*:}:00 UTC" "the timer, on $at"
done
next=$(systemd-analyze calendar --base-time='2026-11-28 12:00 UTC' "$when" | sed -n 's/.*(in UTC): \(.*\)/\1/p; s/ *Next elapse: \(.* UTC\)$/\1/p' | tail -1)
is "$next" 'Mon 2026-11-30 21:10:00 UTC' 'no weekend'
# The unit's command line, as systemd would hand it to the shell.
command=$(sed -n "s/^ExecStart=\/bin\/sh -c '\(.*\)'\$/\1/p" "$units/cachesync-daily.service" | sed "s/\\\$\\\$/\$/g; s/%%/%/g; s,$D/usr/bin/cachesync --config $D/etc/cachesync/cachesync.env,$BUILD/cachesync,")
first=$(sh -c "$command")
second=$(sh -c "$command")
today=$(TZ=America/New_York date +%F)
is "$(redis XRANGE "$P:commands" - + | grep -c "daily:$today")" 2 "the command carries the key daily:$today"
start_daemon
ended() { job_is "$1" completed || job_is "$1" failed; }
wait_until 30 'both commands end' ended "$second"
is "$(job_field "$first" triggered_by)" scheduler 'triggered by the scheduler'
is "$(job_field "$second" coalesced_into)" "$first" 'the second of the day is the first'
stop_daemon
finish
