/* SPDX-License-Identifier: MIT */
/*
 * listing - new listings: placed without a full sync, and announced once. Session's thread.
 */
#include "worker/sync/listing.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct previous_row *
row_before(const struct previous *prev, const struct selected *s)
{
    struct rules_output outputs[RULES_OUTPUTS_MAX];
    for (size_t o = 0; o < s->rule->output_count; o++)
        selected_output(s, o, &outputs[o]);
    return previous_of(prev, s->key, outputs, s->rule->output_count);
}

/* Set the flags of the members that a row has. */
static void
mark_members(const struct snapshot *snap, const struct previous_row *row, bool *flags)
{
    for (size_t i = 0; row && i < row->member_count; i++) {
        uint32_t id = snapshot_find(snap, row->members[i], strlen(row->members[i]));
        if (id != SNAPSHOT_NONE)
            flags[id] = true;
    }
}

/* was: room for a flag for each id. */
static void
mark_new(const struct snapshot *snap, const struct previous *prev, const struct selection *sel, bool *was,
         bool *is_new)
{
    for (size_t i = 0; i < sel->count; i++) {
        const struct selected *s = &sel->items[i];
        if (s->rule->family != RULES_IPO)
            continue;
        memset(was, 0, snap->count * sizeof *was);
        mark_members(snap, row_before(prev, s), was);
        for (size_t k = 0; k < s->count; k++)
            is_new[s->ids[k]] |= !was[s->ids[k]];
    }
}

/* Replace the members by those before and the new listings among the selected; false: there is none. */
static bool
place(const struct snapshot *snap, const struct previous *prev, const bool *is_new, bool *in,
      struct selection *sel, struct selected *s, enum cs_rc *rc)
{
    size_t added = 0, count = 0;
    memset(in, 0, snap->count * sizeof *in);
    mark_members(snap, row_before(prev, s), in);
    for (size_t k = 0; k < s->count; k++) {
        added += is_new[s->ids[k]] && !in[s->ids[k]];
        in[s->ids[k]] |= is_new[s->ids[k]];
    }
    for (size_t id = 0; id < snap->count; id++)
        count += in[id];
    uint32_t *ids = added ? cs_arena_alloc(sel->arena, count * sizeof *ids) : NULL;
    if (added && !ids)
        *rc = CS_ENOMEM;
    if (!ids)
        return false;
    s->ids = ids;
    s->count = s->first_count = count;
    for (uint32_t id = 0; id < snap->count; id++)
        if (in[id])
            *ids++ = id;
    select_order(snap, s->rule->order, s->ids, s->count);
    return true;
}

enum cs_rc
listing_place(const struct snapshot *snap, const struct previous *prev, struct selection *sel,
              struct cs_err *err)
{
    bool *is_new = calloc(snap->count + 1, sizeof *is_new), *in = calloc(snap->count + 1, sizeof *in);
    enum cs_rc rc = is_new && in ? CS_OK : CS_ENOMEM;
    size_t kept = 0;
    if (rc == CS_OK)
        mark_new(snap, prev, sel, in, is_new);
    for (size_t i = 0; rc == CS_OK && i < sel->count; i++) {
        struct selected *s = &sel->items[i];
        bool placed = !(LISTING_FAMILIES & 1U << s->rule->family);
        if (placed || place(snap, prev, is_new, in, sel, s, &rc))
            sel->items[kept++] = *s;
    }
    sel->count = kept;
    free(is_new);
    free(in);
    return rc == CS_OK ? rc : cs_err_set(err, rc, "no memory to place new listings");
}

struct first {
    const struct snapshot *snap;
    bool *flags;
};

static bool
add_first(const PGresult *row, void *arg)
{
    struct first *f = arg;
    const char *symbol = PQgetvalue(row, 0, 0);
    uint32_t id = snapshot_find(f->snap, symbol, strlen(symbol));
    if (id != SNAPSHOT_NONE)
        f->flags[id] = true;
    return true;
}

static const char first_sql[] =
    "SELECT s FROM jsonb_array_elements_text($1::jsonb) s WHERE NOT EXISTS (SELECT 1 FROM sync_changes_log l "
    "WHERE l.universe = $2 AND l.environment = $3 AND l.symbol = s AND l.action = 'added')";

enum cs_rc
listing_first(PGconn *conn, const struct snapshot *snap, const struct diff *d, const char *environment,
              bool **out, struct cs_err *err)
{
    struct first first = {snap, calloc(snap->count + 1, sizeof *first.flags)};
    enum cs_rc rc = first.flags ? CS_OK : cs_err_set(err, CS_ENOMEM, "no memory to look for new listings");
    for (size_t i = 0; rc == CS_OK && i < d->count; i++) {
        const struct diff_universe *u = &d->items[i];
        if (!u->sel || u->sel->rule->family != RULES_IPO || !u->added.count)
            continue;
        json_t *list = json_array();
        for (size_t k = 0; k < u->added.count; k++)
            json_array_append_new(list, json_string(u->added.symbols[k]));
        char *text = json_dumps(list, JSON_COMPACT);
        json_decref(list);
        rc = pg_each(conn, "looking for new listings", first_sql, 3,
                     (const char *[]){text, u->universe, environment}, add_first, &first, err);
        free(text);
    }
    if (rc != CS_OK) {
        free(first.flags);
        first.flags = NULL;
    }
    *out = first.flags;
    return rc;
}
