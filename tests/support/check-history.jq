# check-history: what a history of jobs must satisfy, whatever was killed or cut while it was made.
#
# Input   one history as tests/support/fault.sh's collect_history prints it:
#         now_ms, accepted [{job_id, verb, at_ms}], jobs {id: hash}, events [{channel, event}], dead [{..}],
#         daily {total, completed, failed} summed, stream, pending, leftovers [key],
#         runs [{job_id, total_changes}], log [{job_id, universe, symbol, action, reason, n}], folds [universe that differs]
# Output  an array of strings "rule: detail"; empty when all is well. tests/fault/checker.sh breaks histories to show that
#         each rule can fail.
def details: (.error_details // "null") | fromjson;
def is_sync: (.value.command // "sync") == "sync";
def final: . == "completed" or . == "failed";
def effect: (.dry_run // "0") != "1" and (.coalesced_into | not);
def duplicates(f): group_by(f) | map(select(length > 1) | .[0] | f);

. as $h
| ($h.jobs | with_entries(select(is_sync))) as $syncs
| (reduce $h.events[] as $e ({};
    ($e.event.payload.job_id // $e.event.payload.run_id // $e.event.payload.context.job_id // "") as $id | .[$id] += [$e.event])) as $told
| (INDEX($h.runs[]; .job_id)) as $runs
| ($h.log | map(select(.reason != "baseline")) | group_by(.job_id) | map({key: .[0].job_id, value: (map(.n) | add)}) | from_entries) as $logged
| ($h.dead | group_by(.job_id) | map({key: .[0].job_id, value: length}) | from_entries) as $letters
| [
  # every accepted command ends, once (a ping's hash lives 60 s)
  ($h.accepted[] | select(.verb != "cancel" and $h.jobs[.job_id] == null and (.verb != "ping" or $h.now_ms - .at_ms < 50000))
    | "lost: \(.job_id) (\(.verb)) was accepted and has no hash"),
  ($h.jobs | to_entries[] | select(.value.status | final | not) | "unended: \(.key) is \(.value.status)"),
  (select($h.stream != 0) | "stream: \($h.stream) entries are left"),
  (select($h.pending != 0) | "pending: \($h.pending) entries are not acknowledged"),
  ($h.leftovers[] | "leftover: \(.)"),

  # each job is told of once: triggered first, completed last, with the status of the hash
  ($syncs | to_entries[] | ($told[.key] // []) as $e
    | ([$e[] | select(.event == "cache_sync_triggered")] | length) as $t
    | ([$e[] | select(.event == "cache_sync_completed")]) as $c
    | (select($t != 1) | "triggered: \(.key) was announced \($t) times"),
      (select(($c | length) != 1) | "completed: the end of \(.key) was announced \($c | length) times"),
      (select($t == 1 and $e[0].event != "cache_sync_triggered") | "order: \(.key) begins with \($e[0].event)"),
      (select(($c | length) == 1 and $e[-1].event != "cache_sync_completed") | "order: \(.key) ends with \($e[-1].event)"),
      (.value.status as $s | select(($c | length) == 1 and $c[0].payload.status != $s)
        | "status: \(.key) is \($s), its event says \($c[0].payload.status)")),

  # each change is told of once, by the job that made it
  ([$h.events[].event | select(.event == "universe_updated") | .payload | [.job_id, .universe]] | duplicates(.)[]
    | "change: \(.[1]) was announced twice by \(.[0])"),
  ([$h.events[].event | select(.event == "ipo_assigned") | .payload | [.job_id, .symbol, .universe]] | duplicates(.)[]
    | "change: the listing of \(.[1]) was announced twice by \(.[0])"),
  ([$h.events[].event | select(.event == "delisting_cleanup") | .payload.job_id] | duplicates(.)[]
    | "change: delistings were announced twice by \(.)"),
  ($syncs | to_entries[] | select(.value.status == "completed" and (.value | effect)) | .key as $id
    | ((.value.universes_updated // "[]") | fromjson | length) as $want
    | ([($told[$id] // [])[] | select(.event == "universe_updated")] | length) as $got
    | select($want != $got) | "change: \($id) updated \($want) universes and announced \($got)"),

  # each effect happens once: a run row for a completed job, none for any other, log rows as counted
  ($syncs | to_entries[] | .key as $id
    | if .value.status == "completed" and (.value | effect) then
        (select($runs[$id] == null) | "effect: \($id) completed without a run row"),
        (select($runs[$id] != null and ($runs[$id].total_changes | tostring) != (.value.total_changes // "0"))
          | "effect: \($id) tells of \(.value.total_changes) changes, its run row of \($runs[$id].total_changes)")
      else
        (select($runs[$id] != null)
          | "effect: \($id) (\(.value.status) \(.value | details | .code? // "")) has no effect to tell of, yet it has a run row")
      end),
  ($h.runs[] | select(.total_changes != ($logged[.job_id] // 0))
    | "log: \(.job_id) counts \(.total_changes) changes and logged \($logged[.job_id] // 0)"),
  ($h.log[] | select(.n != 1) | "log: \(.job_id) \(.action) \(.symbol) in \(.universe) \(.n) times"),
  ($logged | keys[] | select($runs[.] == null) | "log: rows of \(.) without its run row"),
  ($h.folds[] | "fold: the log of \(.) does not lead to its members"),

  # coalesced jobs end as the job that ran for them
  ($syncs | to_entries[] | .value.coalesced_into as $into | select($into and .value.status == "completed")
    | select($h.jobs[$into].status != "completed") | "coalesced: \(.key) completed, \($into) is \($h.jobs[$into].status)"),

  # one dead letter for each failure that nobody wanted; none for others
  ($syncs | to_entries[] | (.value | details | .code? // "") as $code
    | (if .value.status == "failed" and $code != "cancelled" and (.value.coalesced_into | not) then 1 else 0 end) as $want
    | select((.value.coalesced_into | not) and ($letters[.key] // 0) != $want)
    | "dead: \(.key) (\(.value.status) \($code)) has \($letters[.key] // 0) dead letters"),

  # the day's counters count each job once
  (($syncs | length) as $n | select(($h.daily.total // 0) != $n) | "daily: \($h.daily.total // 0) jobs counted, \($n) ended"),
  (([$syncs[] | select(.status == "completed")] | length) as $n
    | select(($h.daily.completed // 0) != $n) | "daily: \($h.daily.completed // 0) completed counted, \($n) did")
]
