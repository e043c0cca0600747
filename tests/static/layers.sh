#!/usr/bin/env bash
# Arrows point one way, and a library has one owner: in the includes, in the objects' symbols, in what the programs load.
#   cli, daemon -> sync -> common;  http -> common
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sources.sh"

LAYERS=(common worker/sync worker/daemon worker/http worker/cli)
declare -A MAY=(
    [common]='common'
    [worker/sync]='worker/sync common'
    [worker/daemon]='worker/daemon worker/sync common'
    [worker/http]='worker/http common'
    [worker/cli]='worker/cli worker/sync common'
)
# library, its headers, its symbols, the files that own it
LIBRARIES=(
    'hiredis  hiredis/     ^(redis[A-Z]|freeReplyObject)  ^common/redis'
    'libpq    libpq        ^(PQ|lo_)[a-zA-Z]              ^worker/sync/'
    'evhttp   event2/http  ^evhttp_                       ^worker/http/'
)
layer_of() { case $1 in common/*) echo common ;; *) echo "${1%/*}" ;; esac; }

# ---- includes
while read -r file; do
    layer=$(layer_of "$file")
    while read -r inc; do
        ok "$file finds $inc from the top" test -e "$inc"
        case " ${MAY[$layer]} " in
        *" $(layer_of "$inc") "*) ;;
        *) fail "$file must not include $inc: $layer stands on ${MAY[$layer]}" ;;
        esac
    done < <(sed -n 's/^#include "\(.*\)"/\1/p' "$file")
    for row in "${LIBRARIES[@]}"; do
        read -r lib header _ owner <<<"$row"
        grep -qE "^#include <$header" "$file" || continue
        like "$file" "$owner" "$lib is included by its owner only, not by $file"
    done
done < <(sources 'common/*.[ch]' 'worker/*.[ch]')

# ---- symbols: what an object needs is defined in a layer that it may use
for layer in "${LAYERS[@]}"; do
    nm -A --defined-only -g "$BUILD/obj/$layer"/*.o 2>/dev/null | awk -v l="$layer" '{print $NF, l}'
done | sort -u >"$SCRATCH/defined"
ok 'the objects define symbols' test "$(wc -l <"$SCRATCH/defined")" -gt 100
for layer in "${LAYERS[@]}"; do
    for object in "$BUILD/obj/$layer"/*.o; do
        source=${object#"$BUILD/obj/"} && source=${source%.o}.c
        [ -e "$source" ] || continue # left from a file that is gone
        nm -u "$object" | awk '{print $NF}' | sort -u >"$SCRATCH/needs"
        bad=$(join "$SCRATCH/needs" "$SCRATCH/defined" | while read -r symbol from; do
            case " ${MAY[$layer]} " in *" $from "*) ;; *) [ "$symbol" = main ] || echo "$symbol of $from" ;; esac
        done)
        is "$bad" '' "$source takes symbols only from below"
        for row in "${LIBRARIES[@]}"; do
            read -r lib _ symbols owner <<<"$row"
            if [[ $source =~ $owner ]]; then continue; fi
            is "$(grep -E "$symbols" "$SCRATCH/needs")" '' "$source calls no $lib"
        done
    done
done

# ---- programs
needed() { readelf -d "$BUILD/$1" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | tr '\n' ' '; }
for program in cachesyncd cachesync cachesync-http; do
    case $program in
    cachesync-http) is "$(needed $program | grep -o libpq)" '' "$program does not load libpq" ;;
    *) like "$(needed $program)" libpq "$program loads libpq" ;;
    esac
done
finish
