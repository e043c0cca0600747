#!/usr/bin/env bash
# Every header compiles alone and twice, as gcc and clang see it, and starts with its licence and its guard.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sources.sh"

flags=$(make_variable CPPFLAGS) warn=$(make_variable WARN)
printf '%s' 'int cs_translation_unit_is_not_empty;' >"$SCRATCH/end"
while read -r header; do
    printf '#include "%s"\n#include "%s"\n' "$header" "$header" | cat - "$SCRATCH/end" >"$SCRATCH/alone.c"
    for cc in gcc clang-14; do
        # shellcheck disable=SC2086
        out=$("$cc" -std=gnu11 $flags $warn -fsyntax-only "$SCRATCH/alone.c" 2>&1)
        is "$out" '' "$header compiles alone with $cc"
    done
    guard=CS_$(echo "${header%.h}" | sed 's,^worker/,,' | tr 'a-z/' 'A-Z_')_H
    is "$(sed -n 's/^#ifndef //p' "$header" | head -1)" "$guard" "$header has its guard"
done < <(sources '*.h')
while read -r file; do
    is "$(head -1 "$file")" '/* SPDX-License-Identifier: MIT */' "$file names its licence first"
done < <(sources '*.[ch]')
finish
