#!/bin/bash
# Fail points: none in the release daemon, all in the test build, listed in docs/failpoints.md; malformed ones are refused.
# shellcheck disable=SC2317,SC2016 # called through ok; the backquotes are Markdown
# shellcheck source=tests/support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
# shellcheck source=tests/support/fault.sh
. "$(dirname "$0")/../support/fault.sh"

has() { grep -qF -- "$2" "$1"; }
hasnt() { ! has "$1" "$2"; }
names=$(grep -oh 'CS_FAILPOINT("[a-z_.]*' "$ROOT"/worker/*/*.c "$ROOT"/common/*.c | cut -d'"' -f2 | sort -u)
ok 'the sources name points' test -n "$names"
for name in $names CACHESYNC_FAILPOINTS; do
    ok "$name is in the test build" has "$FAULT/cachesyncd" "$name"
    for program in cachesyncd cachesync cachesync-http; do ok "$name is not in $program" hasnt "$BUILD/$program" "$name"; done
done
is "$(sed -n 's/^| `\([a-z_]*\.[a-z_]*\)`.*/\1/p' "$ROOT/docs/failpoints.md" | sort)" "$names" 'docs/failpoints.md lists them'

for bad in finish.before finish.before=explode finish.before=kill@ finish.before=kill@0 =kill finish.before=sleep: a=kill+; do
    said=$(CACHESYNC_FAILPOINTS=$bad "$FAULT/cachesyncd" --version 2>&1)
    is $? 2 "'$bad' is refused"
    like "$said" 'CACHESYNC_FAILPOINTS: cannot read' "'$bad' is named"
done
ok 'a list is accepted' env CACHESYNC_FAILPOINTS=a.b=kill,c.d=sleep:5@2,e.f=error "$FAULT/cachesyncd" --version
finish
