#!/usr/bin/env bash
# Every shell script passes shellcheck.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sources.sh"

need shellcheck
sources '*' | while read -r file; do
    case $file in
    *.sh) echo "$file" ;;
    *) head -c 40 "$file" | head -1 | grep -aqE '^#!.*\b(ba)?sh\b' && echo "$file" ;;
    esac
done >"$SCRATCH/sh"
ok 'there are shell scripts' test -s "$SCRATCH/sh"
while read -r file; do
    is "$(shellcheck -x -P SCRIPTDIR "$file" 2>&1)" '' "$file passes shellcheck"
done <"$SCRATCH/sh"
finish
