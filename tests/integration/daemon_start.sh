#!/bin/bash
# What the daemon looks at and tells at its start and end: systemd, the settings of Redis, its version.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"

# hear FILE SOCKET: what arrives at a datagram socket, a line each.
hear() {
    perl -MIO::Socket::UNIX -e '
        my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die $!;
        $| = 1;
        while (defined $s->recv(my $m, 4096)) { print "$m\n"; }' "$2" >"$1" &
    PIDS+=($!)
    wait_until 10 'somebody listens' test -S "$2"
}
# shellcheck disable=SC2317 # called through wait_until
beats() { [ "$(grep -c '^WATCHDOG=1$' "$SCRATCH/heard")" -ge "$1" ]; }
count_of() { grep -c "$1" "$SCRATCH/daemon.log"; }

# ---- settings of Redis that lose work
start_redis --maxmemory-policy allkeys-lru
start_daemon DATABASE_URI=postgresql:///nowhere
wait_until 10 'a policy that evicts is warned of' grep -q 'redis_setting setting=maxmemory_policy value=allkeys-lru remedy=' "$SCRATCH/daemon.log"
wait_until 10 'so is a server that keeps nothing' grep -q 'redis_setting setting=aof_enabled value=0 ' "$SCRATCH/daemon.log"
stop_daemon
redis CONFIG SET maxmemory-policy noeviction >/dev/null
redis CONFIG SET appendonly yes >/dev/null
: >"$SCRATCH/daemon.log"

# ---- systemd
hear "$SCRATCH/heard" "$SCRATCH/notify.sock"
start_daemon DATABASE_URI=postgresql:///nowhere NOTIFY_SOCKET="$SCRATCH/notify.sock" WATCHDOG_USEC=600000
wait_until 10 'ready is told' grep -q '^READY=1$' "$SCRATCH/heard"
wait_until 10 'the watchdog is fed' beats 3
is "$(count_of redis_setting)" 0 'good settings are not warned of'
kill -STOP "$DAEMON_PID"
: >"$SCRATCH/heard"
kill -CONT "$DAEMON_PID"
wait_until 10 'and again after a standstill' beats 2
kill -TERM "$DAEMON_PID"
wait "$DAEMON_PID"
is "$? $(grep -c '^STOPPING=1$' "$SCRATCH/heard")" '0 1' 'the end is told once'

start_daemon DATABASE_URI=postgresql:///nowhere NOTIFY_SOCKET="$SCRATCH/nobody.sock"
wait_until 10 'a socket that nobody reads is a warning' grep -q notify_refused "$SCRATCH/daemon.log"
stop_daemon

# ---- host names are resolved beside the loop
: >"$SCRATCH/daemon.log"
env REDIS_URL=redis://no-such-host.invalid:6379 "$BUILD/cachesyncd" >>"$SCRATCH/daemon.log" 2>&1 &
DAEMON_PID=$!
PIDS+=("$DAEMON_PID")
wait_until 30 'a name that nobody knows is named' grep -q 'redis_down error="Redis: no-such-host.invalid: ' "$SCRATCH/daemon.log"
kill -TERM "$DAEMON_PID"
wait "$DAEMON_PID"
is $? 0 'and the daemon still stops when told'
port=$((22000 + $$ % 20000))
redis CONFIG SET port "$port" >/dev/null
start_daemon DATABASE_URI=postgresql:///nowhere REDIS_URL="redis://localhost:$port"
pass 'a name that is known leads to the server'
stop_daemon

# ---- a server that is too old, played by one that says so
cat >"$SCRATCH/old.pl" <<'END'
use IO::Socket::UNIX;
my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $ARGV[0], Listen => 8) or die $!;
$SIG{CHLD} = 'IGNORE';
while (my $c = $s->accept) {
    next if fork;
    while (<$c>) {
        next unless /^\*(\d+)/;
        my @words;
        for (1 .. $1) { my ($n) = <$c> =~ /(\d+)/; read $c, my $w, $n + 2; push @words, substr $w, 0, $n; }
        my $info = "redis_version:6.0.16\r\n";
        print $c $words[0] eq 'INFO' ? '$' . length($info) . "\r\n$info\r\n" : "+OK\r\n";
        $c->flush;
    }
    exit;
}
END
perl "$SCRATCH/old.pl" "$SCRATCH/old.sock" &
PIDS+=($!)
wait_until 10 'an old server is up' test -S "$SCRATCH/old.sock"
said=$(REDIS_URL="unix://$SCRATCH/old.sock" timeout 20 "$BUILD/cachesyncd" 2>&1 >/dev/null)
is $? 2 'a Redis older than 6.2 stops the daemon'
is "$(grep -c '^cachesyncd: Redis: the server is older than 6.2; upgrade Redis$' <<<"$said")" 1 'with one line that says so'
finish
