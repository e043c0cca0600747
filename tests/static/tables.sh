#!/usr/bin/env bash
# The tables of the docs against the programs: settings, verbs, routes, REST errors, metrics, keys and channels of Redis, error codes,
# users and roles. (Log events: logs.sh. Alerts: integration/monitoring.sh. Manuals: integration/cli_manuals.sh.)
# Backquotes are text here; names of pages have no blanks:
# shellcheck disable=SC2016,SC2046
. "$(dirname "$0")/../support/lib.sh"

cd "$ROOT" || exit 1
# first FILE [HEADING]: the names in backquotes that fill the first column of its tables (below that heading, to the next of its level).
first() {
    awk -v heading="${2:-}" '
        /^## / { on = heading == "" || $0 == "## " heading }
        heading == "" || on { if (match($0, /^\|( `[^`]*`,?)+ \|/)) print substr($0, 2, RLENGTH - 2) }' "$1" | grep -o '`[^`]*`' | tr -d '`' | sort
}
same() { # NAME FILE FILE
    is "$(diff "$2" "$3")" '' "$1"
    ok "$1: there are some" test -s "$3"
}

# ---- settings, with their defaults
"$BUILD/cachesync" --help | sed -n '/^settings:/,$ s/^  \([A-Z_]*\) *\([^ ]*\) .*/\1 \2/p' | sort >"$SCRATCH/settings"
cut -d' ' -f1 "$SCRATCH/settings" >"$SCRATCH/setting-names"
first docs/configuration.md Keys >"$SCRATCH/documented"
same 'docs/configuration.md has every setting' "$SCRATCH/documented" "$SCRATCH/setting-names"
sed -n 's/^| `\([A-Z_]*\)` | `\([^`]*\)` |.*/\1 \2/p' docs/configuration.md | sort >"$SCRATCH/documented"
is "$(grep -v ' -$' "$SCRATCH/settings" | diff "$SCRATCH/documented" -)" '' 'and every default'

# ---- verbs
"$BUILD/cachesync" --help | sed -n '/^verbs:/,/^exit codes/ s/^  \([a-z][a-z]*\)  *[a-z].*/\1/p' | sort >"$SCRATCH/verbs"
first README.md 'The command line' >"$SCRATCH/documented"
same 'README.md has every verb' "$SCRATCH/documented" "$SCRATCH/verbs"

# ---- routes and errors of the adapter
sed -n '/routes\[\] = {/,/^};/ s/^ *{"\([A-Z]*\)", \(.*\)/\1 \2/p' worker/http/routes.c | sed 's/, \(true\|false\).*//; s/^\([A-Z]*\) .*, \([^,]*\)$/\1 \2/' |
    sed "s,BASE \",\"$(sed -n 's/^#define BASE "\(.*\)"/\1/p' worker/http/routes.c),; s/\"//g" | sort >"$SCRATCH/routes"
first docs/rest.md Calls | sed 's/?.*//' | sort >"$SCRATCH/documented"
same 'docs/rest.md has every route' "$SCRATCH/documented" "$SCRATCH/routes"
cat worker/http/*.c | tr -s ' \n' ' ' | grep -oE '\b[45][0-9][0-9], "[a-z_]+"' | sed 's/.*"\(.*\)"/\1/' | sort -u >"$SCRATCH/errors"
awk '/^## /{ on = $0 == "## Errors" } on && /^\| [0-9]/' docs/rest.md | cut -d'|' -f3 | grep -o '`[^`]*`' | tr -d '`' | sort -u >"$SCRATCH/documented"
is "$(comm -23 "$SCRATCH/documented" <(grep -ohE '"[a-z_]+"' worker/http/*.c | tr -d '"' | sort -u) | xargs)" '' 'docs/rest.md has no error that does not exist'
is "$(comm -13 "$SCRATCH/documented" "$SCRATCH/errors" | xargs)" '' 'docs/rest.md has every error'
ok 'there are errors' test -s "$SCRATCH/errors"

# ---- metrics: cachesync_worker_* stands with its list of endings
grep -ohE '"cachesync_[a-z_]+' worker/http/metrics*.c | tr -d '"' | sort -u >"$SCRATCH/metrics"
awk '/^## /{ on = $0 == "## Metrics" } on && /^\|/' docs/rest.md >"$SCRATCH/table"
{
    grep -v '_\*' "$SCRATCH/table" | grep -oE 'cachesync_[a-z_]+'
    sed -n 's/^| `\(cachesync_[a-z_]*_\)\*.*` | \(.*\) |$/\1 \2/p' "$SCRATCH/table" | tr -d '`' |
        awk '{ for (i = 2; i <= NF; i++) print $1 $i }'
} | sort -u >"$SCRATCH/documented"
same 'docs/rest.md has every metric' "$SCRATCH/documented" "$SCRATCH/metrics"

# ---- Redis
sed -n 's/^.*\(fixed\|variable\)(keys\(->[a-z_]*, prefix\)\{0,1\}, "\([a-z:]*\)".*/P:\3/p' common/keys.c | sort >"$SCRATCH/keys"
first docs/redis.md Keys | sed 's/:<.*//' | sort >"$SCRATCH/documented"
same 'docs/redis.md has every key' "$SCRATCH/documented" "$SCRATCH/keys"
sed -n 's/^#define CS_CH_[A-Z_]* "\(.*\)"/\1/p' common/keys.h | sort >"$SCRATCH/channels"
first docs/redis.md Channels >"$SCRATCH/documented"
same 'docs/redis.md has every channel' "$SCRATCH/documented" "$SCRATCH/channels"
cut -d' ' -f2 deploy/redis/users.acl | sort >"$SCRATCH/users"
first docs/redis.md Users >"$SCRATCH/documented"
same 'docs/redis.md has every user' "$SCRATCH/documented" "$SCRATCH/users"
is "$(grep -o '[&][a-z:_]*' deploy/redis/users.acl | sed -n '1,/import:completed/p' | tr -d '&' | sort -u | diff - "$SCRATCH/channels")" '' \
    "the daemon's user has every channel, and no other"

# statements FILE...: C sources, a statement a line.
statements() { cat "$@" | tr -s ' \n' ' ' | tr ';' '\n'; }

# ---- error codes: what a job can end with (lease_lost ends no job: it is another worker's by then)
{
    statements worker/sync/*.c worker/daemon/*.c common/command.c | grep -oE 'cs_err_code\([^"]*"[a-z_]+"'
    statements worker/daemon/*.c | grep -oE 'finish_failed\( ?job, .*' | grep -oE '"[a-z]+_[a-z_]+"|"cancelled"|"timeout"'
} | grep -oE '"[a-z_]+"' | tr -d '"' | grep -vx lease_lost | sort -u >"$SCRATCH/codes"
first docs/operations.md 'Error codes' >"$SCRATCH/documented"
is "$(comm -13 "$SCRATCH/documented" "$SCRATCH/codes" | xargs)" '' 'docs/operations.md has every error code'
ok 'there are codes' test "$(wc -l <"$SCRATCH/codes")" -gt 5
awk '/^## /{ on = /^## Outcomes/ } on && /^\| `/' docs/protocol.md | cut -d'|' -f2 | grep -o '`[^`]*`' | tr -d '`' | sort -u >"$SCRATCH/outcomes"
same 'docs/operations.md and docs/protocol.md name the same codes' "$SCRATCH/documented" "$SCRATCH/outcomes"

# ---- every page is reached: from the README, or from another page
for page in docs/*.md; do
    ok "a link leads to $page" grep -qE "\((docs/)?${page##*/}[)#]" README.md $(find docs -name '*.md' -not -path "$page")
done

# ---- roles
grep -oE "ARRAY\['cachesync[^]]*" deploy/postgresql/roles.sql | grep -oE 'cachesync[a-z_]*' | sort >"$SCRATCH/roles"
first docs/security.md 'PostgreSQL: three roles' >"$SCRATCH/documented"
same 'docs/security.md has every role' "$SCRATCH/documented" "$SCRATCH/roles"
finish
