/* SPDX-License-Identifier: MIT */
/*
 * previous - what stands in cache_entries, and what we recorded of it.
 *
 * Owns: the join of rows and records. Does not: compare with anything. Session's thread.
 */
#include "worker/sync/previous.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (256 * 1024)

static const char previous_sql[] =
    "SELECT type, name, key, coalesce(c.cache_type, r.cache_type), r.universe, "
    "to_char(r.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), r.digest, "
    "c.content->'symbols', c.xmin::text::bigint = r.row_xmin "
    "FROM (SELECT type, name, key, cache_type, content, xmin FROM cache_entries "
    "      WHERE environment = $1 AND cache_type IS NOT NULL) c "
    "FULL JOIN (SELECT * FROM cache_sync_rows WHERE environment = $1) r USING (type, name, key) "
    "ORDER BY type COLLATE \"C\", name COLLATE \"C\", key COLLATE \"C\"";

enum column { TYPE, NAME, KEY, CACHE_TYPE, UNIVERSE, UPDATED_AT, DIGEST, SYMBOLS, TRUSTED };

static int
compare(const struct rules_output *o, const struct previous_row *row)
{
    int c = strcmp(o->type, row->type);
    if (c == 0)
        c = strcmp(o->name, row->name);
    return c ? c : strcmp(o->key, row->key);
}

static const char *
named_by_rules(const struct sync_rules *rules, const struct previous_row *row)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct rules_universe *u = &rules->universes[i];
        for (size_t o = 0; u->per == RULES_PER_NONE && o < u->output_count; o++)
            if (compare(&u->outputs[o], row) == 0)
                return u->key;
    }
    return NULL;
}

/* Past the string that begins at in; its text goes to *out, which is moved on past its NUL. NULL out: skipped. */
static const char *
take_string(const char *in, char **out)
{
    static const char names[] = "bfnrt", codes[] = "\b\f\n\r\t";
    for (in++; *in && *in != '"'; in++) {
        char c = *in;
        if (c == '\\' && in[1]) {
            const char *at = strchr(names, *++in);
            c = at ? codes[at - names] : *in;
            if (*in == 'u' && strlen(in) > 4) { /* jsonb writes control characters so, and nothing else */
                const char hex[] = {in[3], in[4], 0};
                c = (char)strtol(hex, NULL, 16);
                in += 4;
            }
        }
        if (out)
            *(*out)++ = c;
    }
    if (out)
        *(*out)++ = '\0';
    return *in ? in + 1 : in;
}

static size_t
count_strings(const char *json)
{
    size_t n = 0;
    for (int depth = 0; *json;) {
        depth += (*json == '[' || *json == '{') - (*json == ']' || *json == '}');
        n += *json == '"' && depth == 1;
        json = *json == '"' ? take_string(json, NULL) : json + 1;
    }
    return n;
}

bool
previous_members(struct cs_arena *arena, const char *json, const char ***out, size_t *count)
{
    size_t n = count_strings(json), at = 0;
    char *text = cs_arena_alloc(arena, strlen(json) + 1);
    const char **list = cs_arena_alloc(arena, (n + 1) * sizeof *list);
    if (!text || !list)
        return false;
    for (int depth = 0; *json;) {
        depth += (*json == '[' || *json == '{') - (*json == ']' || *json == '}');
        if (*json == '"' && depth == 1) {
            list[at++] = text;
            json = take_string(json, &text);
        } else {
            json = *json == '"' ? take_string(json, NULL) : json + 1;
        }
    }
    *out = list;
    *count = n;
    return true;
}

struct loader {
    const struct sync_rules *rules;
    struct previous *prev;
    size_t room;
};

static const char *
keep(const struct loader *l, const PGresult *res, enum column column)
{
    const char *text = PQgetvalue(res, 0, (int)column);
    return cs_arena_strndup(l->prev->arena, text, strlen(text));
}

static bool
add_row(const PGresult *res, void *arg)
{
    struct loader *l = arg;
    if (l->prev->count == l->room) {
        size_t room = l->room ? 2 * l->room : 128;
        struct previous_row *rows = realloc(l->prev->rows, room * sizeof *rows);
        if (!rows)
            return false;
        l->prev->rows = rows;
        l->room = room;
    }
    struct previous_row *row = &l->prev->rows[l->prev->count];
    *row = (struct previous_row){.type = keep(l, res, TYPE),
                                 .name = keep(l, res, NAME),
                                 .key = keep(l, res, KEY),
                                 .cache_type = keep(l, res, CACHE_TYPE),
                                 .updated_at = keep(l, res, UPDATED_AT),
                                 .digest = keep(l, res, DIGEST),
                                 .recorded = !PQgetisnull(res, 0, UNIVERSE),
                                 .exists = !PQgetisnull(res, 0, SYMBOLS),
                                 .trusted = strcmp(PQgetvalue(res, 0, TRUSTED), "t") == 0};
    const char *universe = keep(l, res, UNIVERSE);
    if (!row->type || !row->name || !row->key || !row->cache_type || !row->updated_at || !row->digest ||
        !universe)
        return false;
    row->universe = row->recorded ? universe : named_by_rules(l->rules, row);
    l->prev->count++;
    return previous_members(l->prev->arena, PQgetvalue(res, 0, SYMBOLS), &row->members, &row->member_count);
}

enum cs_rc
previous_load(PGconn *conn, const struct sync_rules *rules, const char *environment, struct previous *prev,
              struct cs_err *err)
{
    const char *params[] = {environment};
    struct loader l = {rules, prev, 0};
    *prev = (struct previous){.arena = cs_arena_new(CHUNK_BYTES)};
    if (!prev->arena)
        return cs_err_set(err, CS_ENOMEM, "no memory for the rows of cache_entries");
    return pg_each(conn, "reading cache_entries", previous_sql, 1, params, add_row, &l, err);
}

void
previous_fini(struct previous *prev)
{
    free(prev->rows);
    cs_arena_free(prev->arena);
    *prev = (struct previous){0};
}

static int
by_output(const void *output, const void *row)
{
    return compare(output, row);
}

const struct previous_row *
previous_find(const struct previous *prev, const struct rules_output *output)
{
    return prev->count ? bsearch(output, prev->rows, prev->count, sizeof *prev->rows, by_output) : NULL;
}

const struct previous_row *
previous_of(const struct previous *prev, const char *universe, const struct rules_output *outputs,
            size_t count)
{
    const struct previous_row *gone = NULL;
    for (size_t o = 0; o < count; o++) {
        const struct previous_row *row = previous_find(prev, &outputs[o]);
        if (row && row->exists)
            return row;
        gone = row ? row : gone;
    }
    for (size_t i = 0; !count && i < prev->count; i++)
        if (prev->rows[i].universe && strcmp(prev->rows[i].universe, universe) == 0 &&
            (prev->rows[i].exists || !gone)) {
            gone = &prev->rows[i];
            if (gone->exists && strcmp(gone->type, "themes") != 0)
                return gone;
        }
    return gone;
}

static int
compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

const uint32_t *
previous_ids(const struct previous *prev, const struct snapshot *snap, const char *universe,
             struct previous_scratch *scratch, size_t *count)
{
    const struct previous_row *row = previous_of(prev, universe, NULL, 0);
    *count = 0;
    if (!row || !row->exists)
        return NULL;
    free(scratch->ids);
    scratch->ids = cs_xmalloc((row->member_count + 1) * sizeof *scratch->ids);
    for (size_t i = 0; i < row->member_count; i++) {
        uint32_t id = snapshot_find(snap, row->members[i], strlen(row->members[i]));
        if (id != SNAPSHOT_NONE)
            scratch->ids[(*count)++] = id;
    }
    qsort(scratch->ids, *count, sizeof *scratch->ids, compare_ids);
    return scratch->ids;
}
