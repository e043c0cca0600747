#!/usr/bin/env bash
# The build is a function of the sources: two copies of the tree, built in two folders, give the same bytes. And clang
# builds everything, tests included, without a warning.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sources.sh"

need clang-14
sources '*' >"$SCRATCH/files"
PROGRAMS=(cachesyncd cachesync cachesync-http)
# copy_and_make NAME MAKE ARGUMENTS...
copy_and_make() {
    local name=$1; shift
    mkdir -p "$SCRATCH/$name"
    tar cf - -T "$SCRATCH/files" | tar xf - -C "$SCRATCH/$name" --no-same-owner
    env -u MAKEFLAGS -u MAKELEVEL make -j2 -C "$SCRATCH/$name" BUILD=build "$@" >"$SCRATCH/$name.log" 2>&1 ||
        fail "$name builds" "$(grep -E 'error|warning|Error' "$SCRATCH/$name.log" | head -5)"
}
copy_and_make one all
copy_and_make another/place all
for p in "${PROGRAMS[@]}"; do
    is "$(sha256sum <"$SCRATCH/one/build/$p")" "$(sha256sum <"$SCRATCH/another/place/build/$p")" "$p is the same from two folders"
    is "$(grep -ac "$SCRATCH" "$SCRATCH/one/build/$p")" 0 "$p holds no path of the machine that built it"
done
copy_and_make clang CC=clang-14 all unit
for p in "${PROGRAMS[@]}"; do ok "clang builds $p" test -x "$SCRATCH/clang/build/$p"; done
finish
