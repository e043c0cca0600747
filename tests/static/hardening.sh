#!/usr/bin/env bash
# The programs are built to be hard to attack: position independent, read-only after relocation, bound at start, with stack
# protector, fortified calls and (x86-64) branch targets marked. A sanitized build is another thing: see the Makefile.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sources.sh"

for program in cachesyncd cachesync cachesync-http; do
    file=$BUILD/$program
    headers=$(readelf -lW "$file") dynamic=$(readelf -dW "$file") symbols=$(nm -D "$file")
    like "$(readelf -hW "$file" | grep Type:)" 'DYN' "$program is position independent"
    like "$dynamic" 'FLAGS_1.*PIE' "$program says PIE"
    like "$dynamic" 'FLAGS_1.*NOW' "$program is bound at start"
    like "$headers" 'GNU_RELRO' "$program has RELRO"
    like "$(grep GNU_STACK <<<"$headers")" ' RW +0x' "$program has no executable stack"
    is "$(grep -cE 'LOAD.* RWE ' <<<"$headers")" 0 "$program has no segment both writable and executable"
    is "$(grep -cE 'TEXTREL|RPATH|RUNPATH' <<<"$dynamic")" 0 "$program has no text relocations and no search path"
    like "$symbols" '__stack_chk_fail' "$program has the stack protector"
    like "$symbols" '__(snprintf|vsnprintf|memcpy|fprintf|printf)_chk' "$program has fortified calls"
done
if [ "$(uname -m)" = x86_64 ]; then
    while read -r source; do
        object=$BUILD/obj/${source%.c}.o
        [ -e "$object" ] || continue
        like "$(readelf -nW "$object" 2>/dev/null)" 'IBT, SHSTK' "$source is compiled with branch targets marked"
    done < <(sources 'common/*.c' 'worker/*.c')
fi
finish
