#!/bin/bash
# The command line: usage errors, exit codes, what its verbs say about commands that no worker has read, and with a worker.
. "$(dirname "$0")/../support/lib.sh"

C=$BUILD/cachesync
# exits CODE NAME ARGUMENTS...: runs the tool; leaves $out (both streams).
exits() {
    local wanted=$1 name=$2 got
    shift 2
    out=$("$C" "$@" 2>&1)
    got=$?
    is "$got" "$wanted" "$name: exit code"
}

exits 2 'unknown verb' frobnicate
like "$out" 'no verb frobnicate' 'unknown verb is named'
is "$(wc -l <<<"$out")" 1 'unknown verb: one line'
exits 2 'no verb'
exits 2 'unknown option before the verb' --frob
is "$out" 'cachesync: --frob: no such option; see cachesync --help' 'unknown option before the verb: one line with the remedy'
exits 2 'no file' --config
is "$out" 'cachesync: --config: needs a file; see cachesync --help' 'no file: one line'
exits 0 'version' --version
like "$out" '^cachesync [0-9]' 'version is printed'
exits 0 'help' --help
like "$out" 'trigger' 'help lists the verbs'
exits 0 'check-config' --check-config
exits 2 'invalid mode' trigger --mode sideways
like "$out" 'mode' 'invalid mode names the field'
exits 2 'invalid date' trigger --as-of 2024-02-30
exits 2 'unknown option' trigger --frob
exits 2 'no job id' status nonsense
exits 2 'status of nothing' status
exits 2 'dead without action' dead
exits 2 'history limit' history --limit 0

export REDIS_URL="unix://$SCRATCH/nothing.sock"
exits 3 'no Redis' trigger
like "$out" 'nothing.sock' 'no Redis: the address is named'
is "$(wc -l <<<"$out")" 1 'no Redis: one line'

start_redis
exits 0 'trigger' trigger --mode themes --idempotency-key k1
id=$out
like "$id" '^[0-9a-f]{8}-[0-9a-f]{4}-7000-' 'trigger prints the job id'
is "$(redis XLEN "$P:commands")" 1 'one command is in the stream'
is "$("$C" --json status "$id" | jq -r '.status + " " + .mode')" 'pending themes' 'an unread job is pending'
is "$("$C" status "$id" --json | jq -r .job_id)" "$id" '--json after the verb'
exits 1 'status of an unknown job' status 01890000-0000-7000-8000-000000000000
exits 1 'no dead letter' dead discard 1-1
is "$("$C" --json trigger | jq -r .mode)" full 'trigger --json'
is "$("$C" --json history | jq length)" 0 'history --json without jobs'
is "$("$C" --json stats | jq .job_statistics.total_jobs_7d)" 0 'stats --json without jobs'
exits 0 'cancel of an unread job' cancel "$id"
is "$(redis --json XRANGE "$P:control" - + | jq -r '.[0][1][3] // empty' 2>/dev/null || true)" "$id" 'cancel is on the control stream'

letter=$(redis XADD "$P:dead" '*' mode themes force 1 job_id "$id" reason poison error x attempts 3 failed_at now)
is "$("$C" --json dead list | jq -r '.[0].reason')" poison 'dead list'
before=$(redis XLEN "$P:commands")
exits 0 'dead requeue' dead requeue "$letter"
is "$(redis XLEN "$P:dead")" 0 'requeue takes the letter away'
is "$(redis XLEN "$P:commands")" $((before + 1)) 'requeue sends the command'
is "$(redis XREVRANGE "$P:commands" + - COUNT 1 | sed 1d | paste -sd' ')" 'mode themes force 1' 'requeue sends the original fields'
exits 1 'a second requeue' dead requeue "$letter"

redis FLUSHALL >/dev/null
start_postgres
migrate
start_daemon
exits 0 'ping' ping -c 3
is "$(grep -c '^pong after' <<<"$out")" 3 'ping answers three times'
exits 0 'trigger --wait' trigger --wait --force
id=$("$C" --json history | jq -r '.[0].job_id')
is "$("$C" --json watch | jq -r '.job_id + " " + .status')" "$id completed" 'watch follows the newest job'
mine=0b0e7a52-3f0c-4c6e-9d53-0a4f0a8f6c11
exits 0 'trigger --wait --job-id' trigger --wait --force --job-id "$mine"
is "$(job_field "$mine" status)" completed 'the chosen id is the job'
exits 1 'a refused sync' trigger --wait
exits 1 'cancel of an ended job' cancel "$mine"
like "$out" 'already ended' 'cancel says why not'
is "$("$C" --json stats | jq -c '.job_statistics | [.total_jobs_7d, .successful_jobs_7d, .failed_jobs_7d]')" '[3,2,1]' 'stats count the jobs'

finish
