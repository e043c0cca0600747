/* SPDX-License-Identifier: MIT */
/*
 * diff - merges sorted memberships and names a reason for every change.
 *
 * Owns: reasons, the baseline. Does not: write. Session's thread.
 */
#include "worker/sync/diff.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static void
log_add(struct diff *d, const char *type, const char *universe, const char *symbol, const char *action,
        const char *reason)
{
    if (d->log_count == d->log_room) {
        d->log_room = d->log_room ? 2 * d->log_room : 1024;
        d->log = cs_xrealloc(d->log, d->log_room * sizeof *d->log);
    }
    d->log[d->log_count++] = (struct diff_log){type, universe, symbol, action, reason};
}

static int
compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, without duplicates. The caller frees the array, not the texts. */
static const char **
sorted(const json_t *members, size_t *count)
{
    size_t n = json_array_size(members), kept = 0;
    const char **list = cs_xmalloc((n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = json_string_value(json_array_get(members, i));
    if (n)
        qsort(list, n, sizeof *list, compare);
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp(list[i], list[kept - 1]) != 0)
            list[kept++] = list[i];
    *count = kept;
    return list;
}

static const char **
selected_symbols(const struct snapshot *snap, const struct selected *sel, size_t *count)
{
    *count = sel ? sel->count : 0;
    const char **list = cs_xmalloc((*count + 1) * sizeof *list);
    for (size_t i = 0; i < *count; i++)
        list[i] = snap->symbol[sel->ids[i]];
    qsort(list, *count, sizeof *list, compare);
    return list;
}

/* The log does not tell what readers see (a first sync over existing rows, an edit from outside): put that
 * right first. */
static enum cs_rc
baseline(PGconn *conn, struct diff *d, const char *universe, const char *environment, const char **old,
         size_t count, struct cs_err *err)
{
    const char *params[] = {universe, environment};
    PGresult *res = NULL;
    enum cs_rc rc = pg_query(conn, "reading sync_changes_log",
                             "SELECT u FROM universe_as_of($1, $2, 'infinity') u ORDER BY u COLLATE \"C\"", 2,
                             params, &res, err);
    if (rc != CS_OK)
        return rc;
    size_t i = 0, logged = (size_t)PQntuples(res);
    for (size_t j = 0; i < count || j < logged;) {
        const char *was = j < logged ? PQgetvalue(res, (int)j, 0) : NULL;
        int c = i == count ? 1 : !was ? -1 : strcmp(old[i], was);
        if (c < 0) {
            log_add(d, "baseline", universe, old[i], "added", "baseline");
        } else if (c > 0) {
            json_t *text = json_string(was);
            json_array_append_new(d->keep, text);
            log_add(d, "baseline", universe, json_string_value(text), "removed", "baseline");
        }
        i += c <= 0;
        j += c >= 0;
    }
    PQclear(res);
    return CS_OK;
}

static void
merge(struct diff_universe *u, const char **old, size_t old_count, const char **now, size_t now_count)
{
    for (size_t i = 0, j = 0; i < old_count || j < now_count;) {
        int c = i == old_count ? 1 : j == now_count ? -1 : strcmp(old[i], now[j]);
        if (c < 0)
            json_array_append_new(u->removed, json_string(old[i]));
        else if (c > 0)
            json_array_append_new(u->added, json_string(now[j]));
        i += c <= 0;
        j += c >= 0;
    }
    u->before = old_count;
    u->after = now_count;
}

static enum cs_rc
compare_universe(PGconn *conn, const struct snapshot *snap, const struct previous_row *row,
                 const char *environment, struct diff *d, struct diff_universe *u, struct cs_err *err)
{
    size_t old_count = 0, now_count = 0;
    const char **old = sorted(row ? row->members : NULL, &old_count);
    const char **now = selected_symbols(snap, u->sel, &now_count);
    u->added = json_array();
    u->removed = json_array();
    u->existed = row && row->exists;
    u->updated_at = row ? row->updated_at : "";
    enum cs_rc rc = CS_OK;
    if (row && !row->trusted)
        rc = baseline(conn, d, u->universe, environment, old, old_count, err);
    merge(u, old, old_count, now, now_count);
    free(old);
    free(now);
    return rc;
}

static bool
listed(const struct diff *d, const char *universe)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->items[i].universe, universe) == 0)
            return true;
    return false;
}

static bool
in_mask(const char *family, uint32_t mask)
{
    for (int f = 0; f < RULES_FAMILY_COUNT; f++)
        if ((mask & 1U << f) && strcmp(rules_family_name((enum rules_family)f), family) == 0)
            return true;
    return false;
}

/* symbol -> true for those of the leavers that have a row in symbols. */
static enum cs_rc
known_symbols(PGconn *conn, const json_t *leavers, json_t *known, struct cs_err *err)
{
    char *list = json_dumps(leavers, JSON_COMPACT);
    const char *params[] = {list};
    PGresult *res = NULL;
    enum cs_rc rc =
        pg_query(conn, "looking up members that left",
                 "SELECT symbol FROM symbols WHERE symbol IN (SELECT jsonb_array_elements_text($1::jsonb))",
                 1, params, &res, err);
    for (int i = 0; rc == CS_OK && i < PQntuples(res); i++)
        json_object_set_new(known, PQgetvalue(res, i, 0), json_true());
    PQclear(res);
    free(list);
    return rc;
}

static enum cs_rc
log_changes(PGconn *conn, const struct snapshot *snap, struct diff *d, struct cs_err *err)
{
    json_t *leavers = json_array(), *known = json_object(), *seen = json_object(), *value;
    size_t at;
    for (size_t i = 0; i < d->count; i++)
        json_array_foreach(d->items[i].removed, at,
                           value) if (snapshot_find(snap, json_string_value(value),
                                                    json_string_length(value)) == SNAPSHOT_NONE)
            json_array_append(leavers, value);
    enum cs_rc rc = json_array_size(leavers) ? known_symbols(conn, leavers, known, err) : CS_OK;
    for (size_t i = 0; rc == CS_OK && i < d->count; i++) {
        struct diff_universe *u = &d->items[i];
        bool delisted_here = false;
        json_array_foreach(u->removed, at, value)
        {
            const char *symbol = json_string_value(value), *reason = "rules";
            if (snapshot_find(snap, symbol, json_string_length(value)) == SNAPSHOT_NONE) {
                bool delisted = json_object_get(known, symbol) != NULL;
                reason = delisted ? "delisted" : "unknown_symbol";
                delisted_here |= delisted;
                if (!json_object_get(seen, symbol)) {
                    json_object_set_new(seen, symbol, json_true());
                    json_array_append(delisted ? d->delisted : d->unknown, value);
                }
            }
            log_add(d, "membership", u->universe, symbol, "removed", reason);
        }
        json_array_foreach(u->added, at, value)
            log_add(d, "membership", u->universe, json_string_value(value), "added", "rules");
        d->total_changes += (int64_t)(json_array_size(u->added) + json_array_size(u->removed));
        if (delisted_here)
            json_array_append_new(d->delisted_universes, json_string(u->universe));
    }
    json_decref(leavers);
    json_decref(known);
    json_decref(seen);
    return rc;
}

enum cs_rc
diff_run(PGconn *conn, const struct snapshot *snap, const struct previous *prev, const struct selection *sel,
         uint32_t mask, const char *environment, struct diff *d, struct cs_err *err)
{
    enum cs_rc rc = CS_OK;
    *d = (struct diff){0};
    d->delisted = json_array();
    d->delisted_universes = json_array();
    d->unknown = json_array();
    d->keep = json_array();
    d->items = cs_xcalloc(sel->count + prev->count + 1, sizeof *d->items);
    for (size_t i = 0; rc == CS_OK && i < sel->count; i++) {
        const struct selected *s = &sel->items[i];
        struct rules_output outputs[RULES_OUTPUTS_MAX];
        for (size_t o = 0; o < s->rule->output_count; o++)
            selected_output(s, o, &outputs[o]);
        struct diff_universe *u = &d->items[d->count++];
        u->universe = s->key;
        u->family = rules_family_name(s->rule->family);
        u->sel = s;
        rc = compare_universe(conn, snap, previous_of(prev, s->key, outputs, s->rule->output_count),
                              environment, d, u, err);
    }
    for (size_t i = 0; rc == CS_OK && i < prev->count; i++) {
        const struct previous_row *row = &prev->rows[i];
        if (!row->universe || !in_mask(row->cache_type, mask) || strcmp(row->cache_type, "stats") == 0 ||
            listed(d, row->universe))
            continue;
        struct diff_universe *u = &d->items[d->count++];
        u->universe = row->universe;
        u->family = row->cache_type;
        rc = compare_universe(conn, snap, previous_of(prev, row->universe, NULL, 0), environment, d, u, err);
    }
    return rc == CS_OK ? log_changes(conn, snap, d, err) : rc;
}

void
diff_fini(struct diff *d)
{
    for (size_t i = 0; i < d->count; i++) {
        json_decref(d->items[i].added);
        json_decref(d->items[i].removed);
    }
    json_decref(d->delisted);
    json_decref(d->delisted_universes);
    json_decref(d->unknown);
    json_decref(d->keep);
    free(d->items);
    free(d->log);
    *d = (struct diff){0};
}
