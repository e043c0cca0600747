#!/bin/bash
# The checker of histories: silent about a sound one, and each of its rules fails on a history broken for it.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
CHECK=$ROOT/tests/support/check-history.jq

# A sync that changed two universes (a), one coalesced into it (b), one that was refused (c), one cancelled (d), a ping (e).
sound=$(jq -n '
def told($id; $event; $more): {channel: "x", event: {event: $event, payload: ({job_id: $id} + $more)}};
def ended($id; $status): told($id; "cache_sync_completed"; {status: $status});
def triggered($id): told($id; "cache_sync_triggered"; {});
{now_ms: 1000000, stream: 0, pending: 0, leftovers: [], folds: [],
 accepted: ([("a", "b", "c", "d") | {job_id: ., verb: "sync", at_ms: 999000}] + [{job_id: "e", verb: "ping", at_ms: 999000}]),
 jobs: {
  a: {command: "sync", status: "completed", total_changes: "3", universes_updated: "[\"u\",\"v\"]"},
  b: {command: "sync", status: "completed", total_changes: "3", universes_updated: "[\"u\",\"v\"]", coalesced_into: "a"},
  c: {command: "sync", status: "failed", error_details: "{\"code\":\"invalid_command\"}"},
  d: {command: "sync", status: "failed", error_details: "{\"code\":\"cancelled\"}"},
  e: {command: "ping", status: "completed"}},
 daily: {total: 4, completed: 2, failed: 2},
 dead: [{job_id: "c", reason: "invalid_command"}],
 runs: [{job_id: "a", total_changes: 3}],
 log: [{job_id: "a", universe: "u", symbol: "S", action: "added", reason: "rank", n: 1},
       {job_id: "a", universe: "u", symbol: "T", action: "added", reason: "rank", n: 1},
       {job_id: "a", universe: "v", symbol: "S", action: "added", reason: "rank", n: 1},
       {job_id: "a", universe: "v", symbol: "Q", action: "added", reason: "baseline", n: 1}],
 events: [triggered("a"), triggered("b"),
  {channel: "x", event: {event: "job_progress_update", payload: {run_id: "a"}}},
  told("a"; "universe_updated"; {universe: "u"}), told("a"; "universe_updated"; {universe: "v"}),
  told("a"; "ipo_assigned"; {symbol: "S", universe: "recent_ipos"}), told("a"; "delisting_cleanup"; {}),
  ended("a"; "completed"), ended("b"; "completed"), triggered("c"), ended("c"; "failed"), triggered("d"), ended("d"; "failed")]}')
check() { jq -c "$1" <<<"$sound" | jq -c -f "$CHECK"; }

is "$(check .)" '[]' 'a sound history passes'
is "$(check '.accepted += [{job_id: "f", verb: "ping", at_ms: 900000}]')" '[]' 'a ping whose hash has expired is not lost'
is "$(check '.accepted += [{job_id: "f", verb: "cancel", at_ms: 999000}]')" '[]' 'a cancel is no job'

while IFS='|' read -r rule name break; do
    [ -n "$rule" ] || continue
    like "$(check "$break")" "\"$rule: " "$rule: $name"
done <<'BREAKS'
lost|an accepted sync has no hash|del(.jobs.d)
lost|an accepted ping has no hash|del(.jobs.e)
unended|a job stays pending|.jobs.d.status = "pending"
unended|a job stays running|.jobs.a.status = "running"
unended|a ping stays running|.jobs.e.status = "running"
stream|an entry is left|.stream = 1
pending|an entry is not acknowledged|.pending = 1
leftover|a list of waiters is left|.leftovers = ["P:waiters:a"]
triggered|a job was not announced|.events |= map(select(.event.event != "cache_sync_triggered" or .event.payload.job_id != "b"))
triggered|a job was announced twice|.events = .events[:1] + .events
completed|an end was not announced|.events |= map(select(.event.event != "cache_sync_completed" or .event.payload.job_id != "b"))
completed|an end was announced twice|.events += .events[-1:]
order|an event stands before the trigger|.events = .events[2:3] + .events[:2] + .events[3:]
order|an event stands behind the end|.events += .events[2:3]
status|the event tells another status|.events[-1].event.payload.status = "completed"
change|a universe was announced twice|.events = .events[:4] + .events[3:4] + .events[4:]
change|a listing was announced twice|.events = .events[:6] + .events[5:6] + .events[6:]
change|delistings were announced twice|.events = .events[:7] + .events[6:7] + .events[7:]
change|a universe was not announced|.events |= map(select(.event.payload.universe != "v"))
effect|a completed job has no run row|.runs = [] | .log = []
effect|a cancelled job has a run row|.runs += [{job_id: "d", total_changes: 0}]
effect|a coalesced job has a run row|.runs += [{job_id: "b", total_changes: 0}]
effect|a dry run has a run row|.jobs.a.dry_run = "1"
effect|hash and run row disagree|.jobs.a.total_changes = "2"
log|changes were logged twice|.log[0].n = 2
log|a change was not logged|.log = .log[1:]
log|changes were logged without a run|.log += [{job_id: "d", universe: "u", symbol: "S", action: "added", reason: "rank", n: 1}]
fold|the log does not lead to the members|.folds = ["u"]
coalesced|a job completed though the one it waited for did not|.jobs.a.status = "failed"
dead|a refused job has no dead letter|.dead = []
dead|a refused job has two dead letters|.dead += .dead
dead|a completed job has a dead letter|.dead += [{job_id: "a"}]
dead|a cancelled job has a dead letter|.dead += [{job_id: "d"}]
daily|a job was counted twice|.daily.total = 5
daily|a completed job was not counted|.daily.completed = 1
BREAKS
finish
