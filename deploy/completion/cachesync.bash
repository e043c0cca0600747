# bash completion for cachesync, cachesyncd and cachesync-http.
#
# Verbs, options and the values they take are read from the programs' own --help, so they are never behind it. Job ids,
# dead letters and universes are asked of Redis, for a second at most.
# shellcheck shell=bash

# The verbs of "cachesync --help".
_cachesync_verbs() { "$1" --help 2>/dev/null | sed -n '/^verbs:/,/^exit codes/s/^  \([a-z]\{1,\}\) .*/\1/p'; }

# The usage line of a verb, without the words "usage: cachesync VERB".
_cachesync_usage() { "$1" "$2" --help 2>/dev/null | sed -n '1s/^usage: cachesync [a-z]* *//p'; }

# A verb's options; its actions (words in lower case that stand alone); the values of one option ("a|b|c" after it).
_cachesync_options() { grep -oE -- '(^|[ [])--?[a-z][a-z-]*' <<<"$1" | tr -d '[ '; }
_cachesync_actions() { tr -s ' ' '\n' <<<"$1" | grep -xE '[a-z]+'; }
_cachesync_values() { sed -nE 's/.*'"$2"' ([a-z_]+(\|[a-z_]+)+).*/\1/p' <<<"$1" | tr '|' '\n'; }

# First column of a table that a verb prints.
_cachesync_column() { timeout 1 "$@" 2>/dev/null | awk 'NR > 1 && $1 != "" { print $1 } NF == 0 { exit }'; }

_cachesync_operands() {
    local verb=$1 action=$2
    shift 2
    case $verb:$action in
    status: | watch: | cancel:) _cachesync_column "$@" history --limit 50 ;;
    dead:show | dead:requeue | dead:discard) _cachesync_column "$@" dead list --limit 50 ;;
    members:) _cachesync_column "$@" stats ;;
    esac
}

_cachesync() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i verb='' action='' usage words
    local -a run=("${COMP_WORDS[0]}")
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ -n $verb ]]; then
            [[ -z $action && ${COMP_WORDS[i]} != -* ]] && action=${COMP_WORDS[i]}
        elif [[ ${COMP_WORDS[i]} == --config ]]; then
            run+=(--config "${COMP_WORDS[++i]}")
        elif [[ ${COMP_WORDS[i]} != -* ]]; then
            verb=${COMP_WORDS[i]}
        fi
    done
    if [[ $prev == --config ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
    fi
    if [[ -z $verb ]]; then
        words=$(printf '%s\n' --config --check-config --json --version --help)
        [[ ${run[0]##*/} == cachesync ]] && words+=$'\n'$(_cachesync_verbs "${run[0]}") || words=${words/--json$'\n'/}
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    usage=$(_cachesync_usage "${run[0]}" "$verb")
    words=$(_cachesync_values "$usage" "$prev")
    if [[ -n $words ]]; then
        :
    elif [[ $prev == --universe ]]; then
        words=$(_cachesync_column "${run[@]}" stats)
    elif [[ $cur == -* ]]; then
        words=$(_cachesync_options "$usage")$'\n--json\n--help'
    elif [[ $verb == rules && -n $action ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
    else
        words=$(_cachesync_actions "$usage")
        [[ -n $words && -z $action ]] || words=$(_cachesync_operands "$verb" "${words:+$action}" "${run[@]}")
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _cachesync cachesync cachesyncd cachesync-http
