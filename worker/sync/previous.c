/* SPDX-License-Identifier: MIT */
/*
 * previous - what stands in cache_entries, and what we recorded of it.
 *
 * Owns: the join of rows and records. Does not: compare with anything. Session's thread.
 */
#include "worker/sync/previous.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static const char previous_sql[] =
    "SELECT coalesce(c.type, r.type), coalesce(c.name, r.name), coalesce(c.key, r.key), "
    "coalesce(c.cache_type, r.cache_type), r.universe, "
    "to_char(r.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), r.digest, "
    "c.content->'symbols', "
    "c.xmin::text::bigint = r.row_xmin "
    "FROM (SELECT type, name, key, cache_type, content, xmin FROM cache_entries "
    "      WHERE environment = $1 AND cache_type IS NOT NULL) c "
    "FULL JOIN (SELECT * FROM cache_sync_rows WHERE environment = $1) r USING (type, name, key) "
    "ORDER BY 1, 2, 3";

static bool
same(const struct rules_output *o, const struct previous_row *row)
{
    return strcmp(o->type, row->type) == 0 && strcmp(o->name, row->name) == 0 &&
           strcmp(o->key, row->key) == 0;
}

static const char *
named_by_rules(const struct sync_rules *rules, const struct previous_row *row)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct rules_universe *u = &rules->universes[i];
        for (size_t o = 0; u->per == RULES_PER_NONE && o < u->output_count; o++)
            if (same(&u->outputs[o], row))
                return u->key;
    }
    return NULL;
}

static json_t *
members_of(const PGresult *res, int i)
{
    json_t *all = PQgetisnull(res, i, 7) ? NULL : json_loads(PQgetvalue(res, i, 7), 0, NULL);
    json_t *members = json_array(), *value;
    size_t at;
    json_array_foreach(all, at, value) if (json_is_string(value)) json_array_append(members, value);
    json_decref(all);
    return members;
}

enum cs_rc
previous_load(PGconn *conn, const struct sync_rules *rules, const char *environment, struct previous *prev,
              struct cs_err *err)
{
    const char *params[] = {environment};
    *prev = (struct previous){0};
    enum cs_rc rc = pg_query(conn, "reading cache_entries", previous_sql, 1, params, &prev->res, err);
    if (rc != CS_OK)
        return rc;
    size_t count = (size_t)PQntuples(prev->res);
    prev->rows = cs_xcalloc(count + 1, sizeof *prev->rows);
    for (int i = 0; i < (int)count; i++) {
        struct previous_row *row = &prev->rows[prev->count++];
        row->type = PQgetvalue(prev->res, i, 0);
        row->name = PQgetvalue(prev->res, i, 1);
        row->key = PQgetvalue(prev->res, i, 2);
        row->cache_type = PQgetvalue(prev->res, i, 3);
        row->recorded = !PQgetisnull(prev->res, i, 4);
        row->universe = row->recorded ? PQgetvalue(prev->res, i, 4) : named_by_rules(rules, row);
        row->updated_at = PQgetvalue(prev->res, i, 5);
        row->digest = PQgetvalue(prev->res, i, 6);
        row->exists = !PQgetisnull(prev->res, i, 7);
        row->trusted = strcmp(PQgetvalue(prev->res, i, 8), "t") == 0;
        row->members = members_of(prev->res, i);
    }
    return CS_OK;
}

void
previous_fini(struct previous *prev)
{
    for (size_t i = 0; i < prev->count; i++)
        json_decref(prev->rows[i].members);
    free(prev->rows);
    PQclear(prev->res);
    *prev = (struct previous){0};
}

const struct previous_row *
previous_find(const struct previous *prev, const struct rules_output *output)
{
    for (size_t i = 0; i < prev->count; i++)
        if (same(output, &prev->rows[i]))
            return &prev->rows[i];
    return NULL;
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
