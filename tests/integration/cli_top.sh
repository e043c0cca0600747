#!/bin/bash
# cachesync top: one frame for scripts, JSON, and the live view on a pseudo-terminal: keys, sizes, a lost Redis, restoring.
# wait_until calls the functions:
# shellcheck disable=SC2317
. "$(dirname "$0")/../support/lib.sh"

C=$BUILD/cachesync
ESC=$(printf '\033')

export REDIS_URL="unix://$SCRATCH/nothing.sock"
"$C" top --once >/dev/null 2>&1
is $? 3 'no Redis: exit 3'
for bad in '--interval 0' '--interval x' '--interval 61' '--twice' 'now'; do
    # shellcheck disable=SC2086
    out=$("$C" top $bad 2>&1)
    is "$? $(wc -l <<<"$out")" '2 1' "top $bad: exit 2, one line"
done

start_redis
out=$("$C" top --once)
is $? 0 'an empty Redis: exit 0'
like "$out" 'no worker: start cachesyncd' 'an empty Redis: no worker'
like "$out" '0 waiting   0 held by workers   0 dead letters' 'an empty Redis: no commands'

now_ms=$(date +%s%3N)
now=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)
redis HSET "$P:worker:box.1.2" host box pid 1 version 0.1.0 started_at "$now" threads 4 busy 1 database up completed 12 failed 3 \
    jobs '["0b0e7a52-3f0c-4c6e-9d53-000000000001"]' last_read_ms "$now_ms" loop_lag_ms 7 oldest_running_ms 2500 stuck 0 rss_bytes 12582912 >/dev/null
redis ZADD "$P:workers" "$now_ms" box.1.2 >/dev/null
# job ID MS FIELD VALUE...
job() {
    local id=0b0e7a52-3f0c-4c6e-9d53-00000000000$1 ms=$2
    shift 2
    redis HSET "$P:job:$id" job_id "$id" mode full environment DEFAULT created_at "$now" "$@" >/dev/null
    redis ZADD "$P:jobs" "$ms" "$id" >/dev/null
}
job 1 1000 status running progress '{"percentage":45,"current_task":"theme_rebalancing"}' # known by its worker, old in the index
redis ZREM "$P:jobs" 0b0e7a52-3f0c-4c6e-9d53-000000000001 >/dev/null
job 2 $((now_ms - 1)) status pending
job 3 $((now_ms - 2)) status completed duration_seconds 1.25 total_changes 17 triggered_by api
job 4 $((now_ms - 3)) status failed error_details '{"code":"stale_market_data"}' environment "${ESC}[2Jevil"
redis XADD "$P:commands" '*' mode full >/dev/null
redis XADD "$P:dead" '*' reason x >/dev/null
redis HSET "$P:metrics" retries 5 takeovers 2 >/dev/null
redis HSET "$P:daily:$(date -u +%F)" completed 8 failed 1 >/dev/null

out=$("$C" top --once)
like "$out" '1 waiting, the oldest for .* 0 held by workers   1 dead letters' 'frame: the queue'
like "$out" '3 in 1 min   3 in 1 h   3 in 24 h   today: 8 completed, 1 failed' 'frame: the rates'
like "$out" 'retries 5   takeovers 2' 'frame: the totals'
like "$out" 'box.1.2 .* 1/4  up +12 +3 +7 ms +2.5 s +12 MiB' 'frame: a worker'
like "$out" '000000000001 +full +DEFAULT .*\[#{9}-{11}\]  45 %  theme_rebalancing' 'frame: a running job that only its worker names'
like "$out" '000000000002 +full +DEFAULT .*pending' 'frame: a waiting job'
like "$out" '000000000003 +full +DEFAULT +[0-9.]+ s  completed +1.250 +17  api' 'frame: an ended job'
like "$out" '000000000004 .* failed .* stale_market_data' 'frame: a failed job and its code'
is "$(tr -dc '\033' <<<"$out" | wc -c)" 0 'frame: no control sequences where there is no terminal'
is "$("$C" top | sed 's/[0-9:]* UTC//; s/[0-9.]* s//g')" "$("$C" top --once | sed 's/[0-9:]* UTC//; s/[0-9.]* s//g')" 'no terminal: one frame, without --once'
is "$("$C" --json top | jq -c '[.queue.waiting, .queue.dead, (.workers | length), (.running | length), (.recent | length)]')" '[1,1,1,2,2]' '--json'
"$C" --json top | head -c 1 >/dev/null
is "${PIPESTATUS[0]}" 0 'a reader that has enough is no crash'

# ---- live ----
mkfifo "$SCRATCH/keys"
TERM=xterm script -qefc "tty >$SCRATCH/tty; stty cols 130 rows 30; $C top; echo ended \$?; stty -a" "$SCRATCH/typescript" <"$SCRATCH/keys" >/dev/null 2>&1 &
PIDS+=($!)
exec 7>"$SCRATCH/keys"
shows() { tail -c 6000 "$SCRATCH/typescript" | grep -qaE "$1"; }
wait_until 20 'live: a frame' shows 'theme_rebalancing'
like "$(cat "$SCRATCH/typescript")" "$ESC\[\?1049h" 'live: on the other screen'
like "$(cat "$SCRATCH/typescript")" "$ESC\[\?25l" 'live: without a cursor'
like "$(cat "$SCRATCH/typescript")" "$ESC\[32mcompleted" 'live: colours'
is "$(grep -acF "${ESC}[2Jevil" "$SCRATCH/typescript")" 0 'live: text of a producer steers nothing'
redis HSET "$P:job:0b0e7a52-3f0c-4c6e-9d53-000000000001" progress '{"percentage":90,"current_task":"apply"}' >/dev/null
wait_until 20 'live: the next frame' shows '90 %'
stty -F "$(cat "$SCRATCH/tty")" cols 50 rows 8
# A frame of 8 lines has 7 line ends; the widest line is cut at 50.
small() { tail -c 6000 "$SCRATCH/typescript" | awk -v RS='\033\\[H' 'END { n = gsub(/\r\n/, "&"); exit n != 7 }'; }
wait_until 20 'live: a smaller terminal has a smaller frame' small
# narrow: no line of the last whole frame is wider than 50.
narrow() {
    tail -c 6000 "$SCRATCH/typescript" | awk -v RS='\033\\[H' '{ whole = last; last = $0 }
        END { gsub(/\033\[[0-9;?]*[A-Za-z]/, "", whole); n = split(whole, line, /\r\n/)
              for (i = 1; i <= n; i++) if (length(line[i]) > 50) exit 1; exit n < 8 }'
}
wait_until 20 'live: cut at the edge' narrow
redis CLIENT KILL TYPE normal >/dev/null
wait_until 20 'live: a lost Redis is told' grep -qa 'Redis at unix' "$SCRATCH/typescript"
stty -F "$(cat "$SCRATCH/tty")" cols 130 rows 30
redis HSET "$P:job:0b0e7a52-3f0c-4c6e-9d53-000000000001" progress '{"percentage":95,"current_task":"apply"}' >/dev/null
wait_until 20 'live: it connects again' shows '95 %'
printf q >&7
wait_until 20 'live: q quits' grep -qa 'ended 0' "$SCRATCH/typescript"
exec 7>&-
wait_until 20 'live: the terminal is given back' grep -qaE '(^|[^-])icanon' "$SCRATCH/typescript"
like "$(cat "$SCRATCH/typescript")" "$ESC\[\?25h$ESC\[\?1049l" 'live: cursor and screen are back'
ok 'live: echo is back' grep -qaE '[ ;]echo ' "$SCRATCH/typescript"

# A signal gives the terminal back too.
: >"$SCRATCH/typescript"
TERM=xterm script -qefc "stty cols 100 rows 20; $C top; echo ended \$?" "$SCRATCH/typescript" <"$SCRATCH/keys" >/dev/null 2>&1 &
PIDS+=($!)
exec 7>"$SCRATCH/keys"
wait_until 20 'live: another one' grep -qa RECENT "$SCRATCH/typescript"
printf '\003' >&7 # Ctrl-C
wait_until 20 'live: Ctrl-C quits cleanly' grep -qa 'ended 0' "$SCRATCH/typescript"
like "$(cat "$SCRATCH/typescript")" "$ESC\[\?25h$ESC\[\?1049l" 'live: Ctrl-C gives the terminal back'
exec 7>&-

finish
