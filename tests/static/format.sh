#!/usr/bin/env bash
# Every C file is as clang-format 14 writes it (make format).
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sources.sh"

need clang-format-14
sources '*.[ch]' >"$SCRATCH/c"
ok 'there are C files' test -s "$SCRATCH/c"
while read -r file; do
    is "$(clang-format-14 --dry-run -Werror "$file" 2>&1 | head -2)" '' "$file is formatted (make format)"
done <"$SCRATCH/c"
finish
