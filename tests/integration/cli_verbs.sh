#!/bin/bash
# The command line: filters of history and stats, dead letters, dry runs, ping's statistics, and what a terminal shows.
. "$(dirname "$0")/../support/lib.sh"

C=$BUILD/cachesync
ESC=$(printf '\033')
# exits CODE NAME ARGUMENTS...: runs the tool; leaves $out (both streams).
exits() {
    local wanted=$1 name=$2 got
    shift 2
    out=$("$C" "$@" 2>&1)
    got=$?
    is "$got" "$wanted" "$name: exit code"
}
# on_terminal COLUMNS COMMAND...: runs it on a pseudo-terminal; leaves $out as the terminal gets it.
on_terminal() {
    local columns=$1
    shift
    out=$(TERM=xterm script -qec "stty cols $columns rows 24; $*" /dev/null </dev/null)
}

start_redis

# ---- every bad value: one line that names it, exit 2 ----
while IFS='|' read -r name words; do
    # shellcheck disable=SC2086
    exits 2 "bad value: $name" $words
    is "$(wc -l <<<"$out")" 1 "bad value: $name: one line"
done <<'TABLE'
mode|trigger --mode sideways
no such day|trigger --as-of 2023-02-29
environment in lower case|trigger --environment dev
environment too long|trigger --environment ABCDEFGHIJK
job id|trigger --job-id 123
triggered by|trigger --triggered-by UPPER
mode without value|trigger --mode
too much|trigger now
unknown|trigger --force-it
history status|history --status done
history mode|history --mode fast
history since|history --since yesterday
history since unit|history --since 3w
history limit|history --limit 1001
history limit no number|history --limit 5x
history environment|history --environment dev
history operand|history full
history universe with status|history --universe top_50 --status failed
stats days|stats --days 0
stats environment|stats --environment dev
ping count|ping -c 0
ping count no number|ping -c many
ping count missing|ping -c
watch no id|watch abc
watch two|watch 01890000-0000-7000-8000-000000000000 01890000-0000-7000-8000-000000000000
cancel nothing|cancel
dead nothing|dead
dead unknown|dead bury 1-1
dead requeue without|dead requeue
dead requeue no id|dead requeue 1-1 abc
dead list limit|dead list --limit 10001
dead list operand|dead list all
migrate version|migrate --to x
migrate unknown|migrate --down
migrate operand|migrate now
members nothing|members
members two|members top_50 top_10
members unknown|members top_50 --now
rules nothing|rules
rules unknown|rules mend
rules explain nothing|rules explain
doctor role|doctor --role king
top interval|top --interval 0
global option|--frob
no configuration|--config /nonexistent/file stats
TABLE
is "$(redis EXISTS "$P:commands")" 0 'bad values send nothing'

# ---- history: filters over the index ----
# job ID MS FIELD VALUE...: a finished job as a worker leaves it.
job() {
    local id=$1 ms=$2
    shift 2
    redis HSET "$P:job:$id" job_id "$id" "$@" >/dev/null
    redis ZADD "$P:jobs" "$ms" "$id" >/dev/null
}
now_ms=$(date +%s%3N)
for i in 1 2 3 4 5 6; do
    job "0b0e7a52-3f0c-4c6e-9d53-00000000000$i" $((now_ms - i * 3600000)) status completed mode full environment DEFAULT \
        triggered_by api total_changes "$i"
done
job 0b0e7a52-3f0c-4c6e-9d53-000000000007 $((now_ms - 10 * 86400000)) status failed mode themes environment OTHER triggered_by cli
job 0b0e7a52-3f0c-4c6e-9d53-000000000008 $((now_ms - 11 * 86400000)) status failed mode full environment DEFAULT triggered_by scheduler
redis ZADD "$P:jobs" "$now_ms" 0b0e7a52-3f0c-4c6e-9d53-00000000dead >/dev/null # its hash has expired
# found ARGUMENTS...: the last characters of the ids that history lists.
found() { "$C" --json history "$@" | jq -r '[.[].job_id[-1:]] | join("")'; }
is "$(found)" 12345678 'history: newest first, expired hashes left out'
is "$(found --limit 2)" 12 'history --limit'
is "$(found --status failed)" 78 'history --status'
is "$(found --mode themes)" 7 'history --mode'
is "$(found --environment OTHER)" 7 'history --environment'
is "$(found --triggered-by scheduler)" 8 'history --triggered-by'
is "$(found --status failed --mode full)" 8 'history: filters add up'
is "$(found --since 150m)" 12 'history --since an age'
is "$(found --since 30d --limit 8)" 12345678 'history --since days'
is "$(found --since "$(date -u -d @$(((now_ms - 9000000) / 1000)) +%Y-%m-%dT%H:%M:%SZ)")" 12 'history --since a time'
is "$(found --since 2000-01-01)" 12345678 'history --since a date'
is "$(found --status pending)" '' 'history: nothing passes'
redis EVAL "for i = 1, 1200 do local id = string.format('0b0e7a52-3f0c-4c6e-9d54-%012d', i)
    redis.call('HSET', '$P:job:' .. id, 'job_id', id, 'status', 'completed')
    redis.call('ZADD', KEYS[1], $now_ms + i, id) end" 1 "$P:jobs" >/dev/null
is "$(found --status failed)" 78 'history: looks beyond one page of the index'
is "$("$C" --json history --limit 1000 | jq 'map(.job_id) | unique | length')" 1000 'history: no job twice'
out=$("$C" history --status failed)
is "$(sed -n 1p <<<"$out" | tr -s ' ')" 'JOB MODE STATUS CREATED SECONDS CHANGES ENVIRONMENT TRIGGERED BY' 'history: a header'
is "$(wc -l <<<"$out")" 3 'history: a line a job'

# ---- stats ----
redis HSET "$P:universes:DEFAULT" top_50 '{"universe":"top_50","type":"market_leader","symbol_count":50,"last_updated":"2024-06-03T20:00:00.000Z"}' \
    etf_all '{"universe":"etf_all","type":"etf","symbol_count":2000,"last_updated":"2024-06-03T20:00:00.000Z"}' broken '{"universe":' >/dev/null
redis HSET "$P:daily:$(date -u +%F)" total 4 completed 3 failed 1 ran 2 duration_ms 3000 >/dev/null
redis HSET "$P:daily:$(date -u -d '20 days ago' +%F)" total 5 completed 5 ran 5 duration_ms 5000 >/dev/null
is "$("$C" --json stats | jq -c '[.universes[].universe]')" '["etf_all","top_50"]' 'stats: universes by name, a broken one left out'
is "$("$C" --json stats | jq -c '.job_statistics')" \
    '{"total_jobs_7d":4,"successful_jobs_7d":3,"failed_jobs_7d":1,"avg_duration_seconds":1.5}' 'stats: the average is over jobs that ran'
is "$("$C" --json stats --days 30 | jq -c '[.job_statistics.total_jobs_30d, (.days | length)]')" '[9,2]' 'stats --days'
is "$("$C" --json stats --type etf | jq -c '[.universes[].universe]')" '["etf_all"]' 'stats --type'
is "$("$C" --json stats --environment OTHER | jq -c .universes)" '[]' 'stats --environment'
like "$("$C" stats)" 'top_50 +market_leader +50' 'stats: a table'

# ---- dead letters ----
letter() { redis XADD "$P:dead" '*' "$@" job_id 0b0e7a52-3f0c-4c6e-9d53-000000000007 reason refused error 'it said no' attempts 3 failed_at 2024-06-03T20:00:00.000Z; }
a=$(letter mode themes as_of 2024-06-03 note $'two\nlines' idempotency_key k)
b=$(letter)
c=$(letter "evil${ESC}[31m" "${ESC}]0;title")
is "$("$C" --json dead list --limit 2 | jq -r '[.[].id] | join(" ")')" "$c $b" 'dead list: newest first'
exits 0 'dead show' dead show "$a"
like "$out" 'note +two\?lines' 'dead show: each field, harmless'
exits 0 'dead show of evil bytes' dead show "$c"
is "$(tr -dc '\033' <<<"$out" | wc -c)" 0 'dead show: no escape sequence of a producer reaches the terminal'
exits 0 'dead requeue of two' dead requeue "$a" "$b"
is "$(redis XRANGE "$P:commands" - + | grep -vE '^[0-9]+-[0-9]+$' | paste -sd' ')" \
    'mode themes as_of 2024-06-03 note two lines command sync' 'dead requeue: the original fields alone, byte by byte'
entry=$(redis XRANGE "$P:commands" - + COUNT 1 | head -1)
like "$out" "$a requeued as job $(job_id_of "$entry")" 'dead requeue names the new job'
is "$(redis XLEN "$P:dead")" 1 'dead requeue takes the letters away'
exits 1 'dead requeue again' dead requeue "$a"
like "$out" 'no dead letter' 'dead requeue again: says why'
is "$("$C" --json dead discard "$c" | jq -r .action)" discarded 'dead discard'
exits 1 'dead discard again' dead discard "$c"
is "$(redis XLEN "$P:commands")" 2 'dead discard sends nothing'
is "$(redis XLEN "$P:dead")" 0 'dead discard takes the letter away'

redis FLUSHALL >/dev/null
start_postgres
migrate
sql "INSERT INTO symbols (symbol, name, type, active, market_cap, weighted_shares_outstanding, sector, list_date)
     SELECT 'S' || i, 'Stock ' || i, 'CS', true, NULL, 1000000 * i, 'Technology', '2020-01-01' FROM generate_series(1, 60) i;
     INSERT INTO ohlcv_daily (symbol, date, close) SELECT symbol, (now() AT TIME ZONE 'America/New_York')::date, 400 FROM symbols"
start_daemon

# ---- ping ----
exits 0 'ping -c 20' ping -c 20
is "$(grep -c '^pong after' <<<"$out")" 20 'ping: a line each'
like "$(tail -1 <<<"$out")" '^20 round trips: min [0-9.]+ ms, p50 [0-9.]+ ms, p99 [0-9.]+ ms, max [0-9.]+ ms$' 'ping: statistics'
is "$("$C" --json ping -c 20 | tail -1 | jq -c '[.count, .min_ms <= .p50_ms, .p50_ms <= .p99_ms, .p99_ms <= .max_ms]')" \
    '[20,true,true,true]' 'ping --json: ordered'

# ---- a dry run and its difference ----
exits 0 'trigger --dry-run --wait' trigger --dry-run --wait --triggered-by audit --idempotency-key dry-1
like "$out" 'dry run, nothing was written: it would make [0-9]+ changes in [0-9]+ universes' 'dry run: says so'
like "$out" 'top_10_stocks  \+10 -0' 'dry run: the universes'
like "$out" '\+ S[0-9]+ S[0-9]+' 'dry run: the symbols'
like "$out" 'triggered_by +audit' '--triggered-by'
is "$(redis EXISTS "$P:idem:dry-1")" 1 '--idempotency-key'
is "$(sql 'SELECT count(*) FROM cache_entries')" 0 'dry run: nothing was written'
id=$("$C" --json history | jq -r '.[0].job_id')
is "$("$C" --json status "$id" | jq '.summary.diff.top_10_stocks.added | length')" 10 'status --json holds the difference'

# ---- plain lines where there is no terminal ----
exits 0 'trigger --wait' trigger --wait
like "$out" '100 %|completed' 'watch: plain lines'
is "$(tr -dc '\033\r' <<<"$out" | wc -c)" 0 'watch: no control sequences without a terminal'
like "$out" 'FAMILY +UNIVERSES +MEMBERS +CHANGES' 'the summary as a table'

# ---- on a terminal ----
on_terminal 100 "$C" history
like "$out" "${ESC}\[32mcompleted${ESC}\[0m" 'terminal: colours'
on_terminal 100 NO_COLOR=1 "$C" history
is "$(tr -dc '\033' <<<"$out" | wc -c)" 0 'terminal with NO_COLOR: none'
on_terminal 100 TERM=dumb "$C" history
is "$(tr -dc '\033' <<<"$out" | wc -c)" 0 'dumb terminal: none'
is "$("$C" history | tr -dc '\033' | wc -c)" 0 'no terminal: no colours'

# A job that stays at 40 %, as a worker would leave its hash, drawn in place; then it ends.
id=0b0e7a52-3f0c-4c6e-9d53-0a4f0a8f6c11
redis HSET "$P:job:$id" job_id "$id" status running mode full progress \
    '{"percentage":40,"current_task":"theme_rebalancing","total_symbols":7600,"processed":3040}' >/dev/null
(TERM=xterm script -qec "stty cols 100 rows 24; $C watch $id" "$SCRATCH/typescript" </dev/null >/dev/null) &
watcher=$!
wait_until 20 'watch draws a bar' grep -q '40 %' "$SCRATCH/typescript"
redis HSET "$P:job:$id" progress '{"percentage":80,"current_task":"apply","total_symbols":7600,"processed":6080}' >/dev/null
wait_until 20 'watch draws the next step' grep -q '80 %' "$SCRATCH/typescript"
redis HSET "$P:job:$id" status completed >/dev/null
wait "$watcher"
seen=$(cat "$SCRATCH/typescript")
like "$seen" '\[#{16}-{24}\]  40 %  theme_rebalancing  3,040/7,600 symbols' 'watch: bar, percent, phase, symbols'
like "$seen" 'apply  6,080/7,600 symbols  ETA' 'watch: time left'
like "$seen" $'\r'"$ESC\[K" 'watch: drawn in place'
like "$seen" 'status +.*completed' 'watch: the job at the end'

# Redis is lost and comes back while a job is followed.
redis HSET "$P:job:$id" status running progress '{"percentage":10,"current_task":"snapshot"}' >/dev/null
"$C" watch "$id" >"$SCRATCH/watch.out" 2>"$SCRATCH/watch.err" &
watcher=$!
wait_until 20 'watch follows' grep -q '10 %  snapshot' "$SCRATCH/watch.err"
redis CLIENT KILL TYPE normal >/dev/null
wait_until 20 'watch tells that Redis is lost' grep -q 'looking again for 60 s' "$SCRATCH/watch.err"
redis HSET "$P:job:$id" progress '{"percentage":20,"current_task":"snapshot"}' >/dev/null
wait_until 20 'watch goes on' grep -q '20 %  snapshot' "$SCRATCH/watch.err"
redis DEL "$P:job:$id" >/dev/null
wait "$watcher"
is $? 1 'watch: a job that is gone ends it, exit 1'
like "$(tail -1 "$SCRATCH/watch.err")" "no job $id" 'watch: says so'

finish
