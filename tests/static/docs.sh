#!/usr/bin/env bash
# What the docs name exists: links and their anchors, files, make targets. And the text speaks of the project alone: no path of a
# machine, no registry.
# Backquotes are text here, and `ok` calls the functions:
# shellcheck disable=SC2016,SC2317
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sources.sh"

shopt -s extglob
sources '*.md' >"$SCRATCH/pages"
ok 'there are pages' test -s "$SCRATCH/pages"

# anchors FILE: the anchors of its headings, as GitHub forms them.
anchors() { sed -n '/^```/,/^```/d; s/^##* *//p' "$1" | tr 'A-Z ' 'a-z-' | sed 's/[^a-z0-9_-]//g'; }
# exists PATTERN: braces are alternatives, all of which exist; * and <words> stand for something that does.
exists() {
    local word pattern
    pattern=${1//<*([a-z_])>/*}
    [[ $pattern =~ ^[A-Za-z0-9_./{},*-]+$ ]] || return 1
    for word in $(eval "set -f; echo $pattern"); do
        compgen -G "$word" >/dev/null || return 1
    done
}

targets=$(sed -n 's/^\([a-z][a-z-]*\( [a-z-]*\)*\):\( .*\|$\)/\1/p' Makefile tests/*.mk tests/*/*.mk | tr ' ' '\n'
    for f in tests/static/*.sh; do f=${f##*/} && echo "check-${f%.sh}"; done)
while read -r page; do
    while read -r link; do
        case $link in http://* | https://* | mailto:* | '') continue ;; esac
        file=${link%%#*} anchor=
        case $link in *'#'*) anchor=${link#*#} ;; esac
        target=$page
        [ -z "$file" ] || target=$(dirname "$page")/$file
        ok "$page: the link $link leads somewhere" test -e "$target"
        [ -z "$anchor" ] || ok "$page: the link $link has its anchor" grep -qx -- "$anchor" <(anchors "$target")
    done < <(sed '/^```/,/^```/d' "$page" | grep -oE '\]\([^) ]+\)' | sed 's/^](//; s/)$//')
    # In backquotes, what begins with a folder of ours is a file of ours (from the top).
    while read -r name; do
        ok "$page: $name exists" exists "$name"
    done < <(grep -oE '`(common|worker|tests|deploy|docs)/[^` ]*`' "$page" | tr -d '`' | sed 's/[:#].*//' | sort -u)
    while read -r name; do
        ok "$page: make $name is a target" grep -qx -- "$name" <<<"$targets"
    done < <(grep -oE '(^ +|`|^\$ |&& )(sudo )?make( [A-Z_]+=[^ `]*)*( -j[0-9]*)?( [a-z][a-z-]*)+' "$page" | sed 's/.*make//' | tr ' ' '\n' |
        grep -E '^[a-z][a-z-]*$' | sort -u)
done <"$SCRATCH/pages"

# Patterns that do not match themselves.
while read -r pattern; do
    found=$(sources '*' | xargs grep -InE -- "$pattern" 2>/dev/null | grep -v '^LICENSE' | head -3)
    is "$found" '' "no file holds a path of a machine or a registry: $pattern"
done <<'EOF'
(^|[^a-zA-Z0-9_.~-])/wor[k]/
(deb|security)\.debia[n]\.org
registry\.npmj[s]
(^|[^a-z])(pypi|pythonhoste[d])\.org
/tmp/bas[h]
EOF
finish
