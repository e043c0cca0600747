# shellcheck shell=bash
# What the checks of the sources share: which files are ours, and the flags that the Makefile builds them with.

cd "$ROOT" || exit 1

# sources GLOB...: our files of those names, from the top of the tree, one a line.
sources() {
    local args=() g
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard -- "$@" | while read -r g; do [ -e "$g" ] && echo "$g"; done
    else
        for g in "$@"; do args+=(-o -name "$g"); done
        find common worker tests deploy docs .ci -type f \( "${args[@]:1}" \) | sort
    fi
}

# make_variable NAME: its value in the Makefile.
make_variable() {
    make -s --no-print-directory -f - BUILD=build <<EOF
include Makefile
print-it:
	@echo '\$($1)'
.DEFAULT_GOAL := print-it
EOF
}

# A program that TEST_PACKAGES brings; a check without its tool has not passed.
need() { command -v "$1" >/dev/null || die "$1 is missing: apt-get install ${2:-$1}"; }
