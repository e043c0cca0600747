#!/bin/bash
# The model of a job's life: its transitions are the scripts; within small bounds every run is sound, and not without its fences.
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
MODEL=$ROOT/tests/model/job.pml
# Scripts that move no job between its states, or only those that the model has no use for.
ELSEWHERE='^(autostart|end_orphans?|enqueue_command|find_.*|pings|progress)$'

names=$(grep -oE '/\* script [a-z_]+' "$MODEL" | cut -d' ' -f3 | sort -u)
ok 'the model names scripts' test "$(wc -w <<<"$names")" -gt 5
for name in $names; do ok "$name is a script" test -f "$ROOT/worker/lua/$name.lua"; done
for file in "$ROOT"/worker/lua/*.lua; do
    name=$(basename "$file" .lua)
    [[ $name =~ $ELSEWHERE ]] && continue
    ok "the model has $name" grep -qx "$name" <<<"$names"
done

command -v spin >/dev/null || { skip 'spin is missing: apt-get install spin'; finish; }
small=(-DEXPIRIES=1 -DFAILURES=0 -DDROPS=0)
like "$("$ROOT/tests/model/run" "${small[@]}" | tail -1)" 'every fair run ends: .* 0 errors' 'within small bounds every run is sound'
for fence in CLOCK ROW OWNER DOUBT; do
    like "$("$ROOT/tests/model/run" "${small[@]}" "-DFORGET_$fence")" "assertion violated" "without its fence, the $fence, some run is not"
done
finish
