#!/usr/bin/env bash
# docs/logs.md lists the log events as the sources write them: who, at which levels, whether with a job id, and every field.
# Backquotes are text here:
# shellcheck disable=SC2016
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sources.sh"

mapfile -t files < <(sources 'worker/*.c' 'common/*.c')
perl tests/support/log-events.pl "${files[@]}" | sed 's,|worker/http/[^|]*,|A,; s,|[cw][^|]*/[^|]*,|D,' >"$SCRATCH/calls"
is "$(grep -c '^?' "$SCRATCH/calls")" 0 'every event is a literal'
ok 'there are events' test -s "$SCRATCH/calls"

words() { tr -s ' ,' '\n' | grep . | sort -u | paste -sd' '; }
row() { grep -E "^\| .$1. \|" docs/logs.md; }
column() { row "$1" | awk -F'|' -v n="$2" '{ print $n }' | tr -d '`'; }
calls() { grep "^$1|" "$SCRATCH/calls" | cut -d'|' -f"$2"; }
while read -r event; do
    is "$(row "$event" | wc -l)" 1 "$event has a row in docs/logs.md"
    is "$(column "$event" 3 | words)" "$(calls "$event" 2 | words)" "$event: who writes it"
    is "$(column "$event" 4 | words)" "$(calls "$event" 3 | words)" "$event: levels"
    is "$(column "$event" 5 | words)" "$(calls "$event" 4 | words)" "$event: job id"
    is "$(column "$event" 6 | words)" "$(calls "$event" 5 | words)" "$event: fields"
done < <(cut -d'|' -f1 "$SCRATCH/calls" | grep -v '?' | sort -u)
while read -r event; do
    ok "$event of docs/logs.md is in the sources" grep -q "^$event|" "$SCRATCH/calls"
done < <(sed -n 's/^| `\([a-z_]*\)` |.*/\1/p' docs/logs.md)
finish
