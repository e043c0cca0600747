#!/bin/bash
# Manuals and completion say what the programs say: every verb, option, configuration key, rules key; and both shells complete.
# Words are split on purpose, and functions are called by ok:
# shellcheck disable=SC2046,SC2317
. "$(dirname "$0")/../support/lib.sh"

C=$BUILD/cachesync
MAN=$ROOT/docs/man
verbs() { "$C" --help | sed -n '/^verbs:/,/^exit codes/s/^  \([a-z]\{1,\}\) .*/\1/p'; }
usage() { "$C" "$1" --help | sed -n '1s/^usage: cachesync [a-z]* *//p'; }
options() { usage "$1" | grep -oE -- '(^|[ [])--?[a-z][a-z-]*' | tr -d '[ '; }
actions() { usage "$1" | tr -s ' ' '\n' | grep -xE '[a-z]+'; }

# ---- manuals ----
# section VERB: what cachesync.1 says of a verb.
section() { awk -v v="$1" '/^\.Sh EXIT/ { on = 0 } /^\.It Cm / && ($3 ~ /^[a-z]+$/) { if ($3 == v) on = 1; else if (index(verbs, " " $3 " ")) on = 0 } on' verbs=" $(verbs | tr '\n' ' ')" "$MAN/cachesync.1"; }
is "$(verbs | wc -l)" "$("$C" --help | grep -c '^           cachesync ')" 'help: a usage line a verb'
for verb in $(verbs); do
    ok "manual: $verb" grep -qE "^\.It Cm $verb( |\$)" "$MAN/cachesync.1"
    text=$(section "$verb")
    for word in $(options "$verb"); do
        ok "manual: $verb $word" grep -qE -- "Fl ${word#-}( |,|\$)" <<<"$text"
    done
    for word in $(actions "$verb"); do
        ok "manual: $verb $word" grep -qE "Cm $word( |\$)" <<<"$text"
    done
done
for pair in cachesync:1 cachesyncd:8 cachesync-http:8; do
    for word in $("$BUILD/${pair%:*}" --help | sed '/^verbs:/,$d' | grep -oE -- '--[a-z-]+' | sort -u); do
        ok "manual: ${pair%:*} $word" grep -qE -- "^\.(It )?.*Fl ${word#-}( |,|\$)" "$MAN/${pair%:*}.${pair#*:}"
    done
done
for key in $("$C" --check-config | sed 's/=.*//'); do
    ok "manual: $key" grep -qE "^\.It Ev .*\b$key\b" "$MAN/cachesyncd.8" "$MAN/cachesync-http.8"
    ok "configuration.md: $key" grep -q "^| \`$key\` |" "$ROOT/docs/configuration.md"
done
for key in $(jq -r '.. | .properties? // empty | keys[]' "$ROOT/deploy/rules/universes.schema.json" | sort -u); do
    ok "manual: rules key $key" grep -qE "Cm (.* , )?[\$]?${key#\$}( |\$)" "$MAN/universes.json.5"
done
if command -v mandoc >/dev/null; then
    for page in "$MAN"/*; do
        is "$(mandoc -Tlint -W style "$page" | grep -v 'referenced manual not found')" '' "mandoc: ${page##*/}"
    done
else
    skip 'mandoc is not installed'
fi

# ---- bash ----
start_redis
redis ZADD "$P:jobs" 1 0b0e7a52-3f0c-4c6e-9d53-000000000001 >/dev/null
redis HSET "$P:job:0b0e7a52-3f0c-4c6e-9d53-000000000001" job_id 0b0e7a52-3f0c-4c6e-9d53-000000000001 status completed >/dev/null
redis HSET "$P:universes:DEFAULT" top_50 '{"universe":"top_50","type":"market_leader","symbol_count":50}' >/dev/null
redis XADD "$P:dead" 77-7 reason x >/dev/null
mkdir "$SCRATCH/bin"
ln -s "$BUILD/cachesync" "$BUILD/cachesyncd" "$BUILD/cachesync-http" "$SCRATCH/bin"
PATH=$SCRATCH/bin:$PATH
# in_bash WORD...: the completions of the last word, sorted.
in_bash() {
    bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cachesync; printf "%s\n" "${COMPREPLY[@]}"' bash \
        "$ROOT/deploy/completion/cachesync.bash" "$@" | sort | paste -sd' '
}
sorted() { sort | paste -sd' '; }
is "$(in_bash cachesync '' | tr ' ' '\n' | grep -v '^-' | sorted)" "$(verbs | sorted)" 'bash: every verb'
for verb in $(verbs); do
    is "$(in_bash cachesync "$verb" -)" "$({ options "$verb"; printf '%s\n' --json --help; } | sorted)" "bash: options of $verb"
done
is "$(in_bash cachesync trig)" trigger 'bash: a prefix'
is "$(in_bash cachesync trigger --mode '')" 'full ipos market_cap themes' 'bash: values'
is "$(in_bash cachesync --json history --status c)" completed 'bash: values after global options'
is "$(in_bash cachesync dead '')" 'discard list requeue show' 'bash: actions'
is "$(in_bash cachesync dead requeue '')" 77-7 'bash: dead letters'
is "$(in_bash cachesync status '')" 0b0e7a52-3f0c-4c6e-9d53-000000000001 'bash: job ids'
is "$(in_bash cachesync members to)" top_50 'bash: universes'
is "$(in_bash cachesync history --universe '')" top_50 'bash: universes as a value'
is "$(in_bash cachesyncd --)" '--check-config --config --help --version' 'bash: the daemon'
is "$(in_bash cachesync-http --c)" '--check-config --config' 'bash: the adapter'
is "$(REDIS_URL=unix://$SCRATCH/none.sock in_bash cachesync status '')" '' 'bash: quiet without Redis'

# ---- zsh ----
if ! command -v zsh >/dev/null; then
    skip 'zsh is not installed'
    finish
fi
# in_zsh WORDS: what Tab lists after them, asked of a zsh on a pseudo-terminal, sorted.
cat >"$SCRATCH/ask.zsh" <<'ZSH'
zmodload zsh/zpty
zpty -b z zsh -f -i
ask() { zpty -w z "$1"; }
ask "PS1= PATH=$PATH; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; stty -echo; unsetopt zle_bracketed_paste 2>/dev/null"
ask "zstyle ':completion:*' list-separator '#'; zstyle ':completion:*' menu no; LISTMAX=10000; setopt no_beep"
# Instead of listing, print every match that the completion adds.
ask 'compadd() { local -a A; builtin compadd -O A "$@"; print -rl -- "<match>"${^A} >>'"$2"'; builtin compadd "$@" }'
ask 'zle -C show list-choices _main_complete; bindkey "^T" show; bindkey "^G" kill-whole-line'
ask "print ready >$2.ready"
integer i
for ((i = 0; i < 400; i++)); do [[ -e $2.ready ]] && break; zselect -t 5 2>/dev/null || sleep 0.05; done
# Neither key means anything to the terminal itself, should zle not be up yet.
zpty -w -n z "$3"$'\x14'
zpty -w -n z $'\x07'"print done >$2.done"$'\n'
for ((i = 0; i < 400; i++)); do [[ -e $2.done ]] && break; sleep 0.05; done
zpty -d z
ZSH
in_zsh() {
    rm -f "$SCRATCH"/matches*
    timeout 60 zsh -f "$SCRATCH/ask.zsh" "$ROOT/deploy/completion" "$SCRATCH/matches" "$1" >/dev/null 2>&1
    sed -n 's/^<match>//p' "$SCRATCH/matches" 2>/dev/null | sort -u | paste -sd' '
}
ok 'zsh: the file parses' zsh -n "$ROOT/deploy/completion/_cachesync"
is "$(in_zsh 'cachesync ')" "$(verbs | sorted)" 'zsh: every verb'
is "$(in_zsh 'cachesync trigger --mode ')" 'full ipos market_cap themes' 'zsh: values'
is "$(in_zsh 'cachesync dead ')" 'discard list requeue show' 'zsh: actions'
is "$(in_zsh 'cachesync dead requeue ')" 77-7 'zsh: dead letters'
is "$(in_zsh 'cachesync members ')" top_50 'zsh: universes'
is "$(in_zsh 'cachesync history -')" "$({ options history; printf '%s\n' --json --help; } | sorted)" 'zsh: options'
is "$(in_zsh 'cachesyncd ')" '--check-config --config --help --version' 'zsh: the daemon'

finish
