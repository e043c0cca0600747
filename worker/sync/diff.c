/* SPDX-License-Identifier: MIT */
/*
 * diff - merges sorted memberships and names a reason for every change.
 *
 * Owns: reasons, the baseline. Does not: write. Session's thread.
 */
#include "worker/sync/diff.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 65536

const char *
diff_reason_name(enum diff_reason reason)
{
    static const char *const names[] = {"rules", "delisted", "unknown_symbol"};
    return names[reason];
}

/* Lists are as long as the input makes them: all of this returns false when memory is short. */
static bool
list_room(struct diff_list *l, size_t room)
{
    const char **symbols = realloc(l->symbols, room * sizeof *symbols);
    if (!symbols)
        return false;
    l->symbols = symbols;
    l->room = room;
    return true;
}

static bool
list_add(struct diff_list *l, const char *symbol)
{
    if (l->count == l->room && !list_room(l, l->room ? 2 * l->room : 16))
        return false;
    l->symbols[l->count++] = symbol;
    return true;
}

static int
compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
list_sort(struct diff_list *l)
{
    size_t kept = 0;
    if (l->count)
        qsort(l->symbols, l->count, sizeof *l->symbols, compare);
    for (size_t i = 0; i < l->count; i++)
        if (!kept || strcmp(l->symbols[i], l->symbols[kept - 1]) != 0)
            l->symbols[kept++] = l->symbols[i];
    l->count = kept;
}

static bool
members_before(const struct previous_row *row, struct diff_list *out)
{
    size_t count = row ? row->member_count : 0;
    if (!list_room(out, count + 1))
        return false;
    if (count)
        memcpy(out->symbols, row->members, count * sizeof *out->symbols);
    out->count = count;
    list_sort(out);
    return true;
}

static int
compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Ids are in the order of the symbols' bytes, and integers are sorted faster than texts. */
static bool
members_after(const struct snapshot *snap, const struct selected *sel, struct diff_list *out)
{
    size_t count = sel ? sel->count : 0;
    uint32_t *ids = malloc((count + 1) * sizeof *ids);
    bool room = ids && list_room(out, count + 1);
    if (room && count) {
        memcpy(ids, sel->ids, count * sizeof *ids);
        qsort(ids, count, sizeof *ids, compare_ids);
    }
    for (size_t i = 0; room && i < count; i++)
        out->symbols[out->count++] = snap->symbol[ids[i]];
    free(ids);
    return room;
}

/* What only the one and only the other sorted list has; NULL: not wanted. */
static bool
merge(const struct diff_list *a, const struct diff_list *b, struct diff_list *only_a,
      struct diff_list *only_b)
{
    bool ok = true;
    for (size_t i = 0, j = 0; ok && (i < a->count || j < b->count);) {
        int c = i == a->count ? 1 : j == b->count ? -1 : strcmp(a->symbols[i], b->symbols[j]);
        if (c < 0)
            ok = list_add(only_a, a->symbols[i]);
        else if (c > 0 && only_b)
            ok = list_add(only_b, b->symbols[j]);
        i += c <= 0;
        j += c >= 0;
    }
    return ok;
}

static bool
same_order(const struct snapshot *snap, const struct previous_row *row, const struct selected *sel)
{
    if (!row || !sel || row->member_count != sel->count)
        return false;
    for (size_t i = 0; i < sel->count; i++)
        if (strcmp(row->members[i], snap->symbol[sel->ids[i]]) != 0)
            return false;
    return true;
}

static bool
compare_universe(const struct snapshot *snap, const struct previous_row *row, struct diff_universe *u)
{
    u->existed = row && row->exists;
    u->updated_at = row ? row->updated_at : "";
    u->row = row;
    if (same_order(snap, row, u->sel)) {
        u->before = u->after = u->sel->count;
        return true;
    }
    struct diff_list old = {0}, now = {0};
    bool ok = members_before(row, &old) && members_after(snap, u->sel, &now) &&
              merge(&old, &now, &u->removed, &u->added);
    u->before = old.count;
    u->after = now.count;
    free(old.symbols);
    free(now.symbols);
    return ok;
}

static bool
in_mask(const char *family, uint32_t mask)
{
    for (int f = 0; f < RULES_FAMILY_COUNT; f++)
        if ((mask & 1U << f) && strcmp(rules_family_name((enum rules_family)f), family) == 0)
            return true;
    return false;
}

static bool
compare_selected(const struct snapshot *snap, const struct previous *prev, const struct selection *sel,
                 json_t *seen, struct diff *d)
{
    bool ok = true;
    for (size_t i = 0; ok && i < sel->count; i++) {
        const struct selected *s = &sel->items[i];
        struct rules_output outputs[RULES_OUTPUTS_MAX];
        struct diff_universe *u = &d->items[d->count++];
        for (size_t o = 0; o < s->rule->output_count; o++)
            selected_output(s, o, &outputs[o]);
        u->universe = s->key;
        u->family = rules_family_name(s->rule->family);
        u->sel = s;
        ok = json_object_set_new(seen, u->universe, json_true()) == 0 &&
             compare_universe(snap, previous_of(prev, s->key, outputs, s->rule->output_count), u);
    }
    return ok;
}

/* Universes that were, and that the selection has no more. */
static bool
compare_gone(const struct snapshot *snap, const struct previous *prev, uint32_t mask, json_t *seen,
             struct diff *d)
{
    bool ok = true;
    for (size_t i = 0; ok && i < prev->count; i++) {
        const struct previous_row *row = &prev->rows[i];
        if (!row->universe || !in_mask(row->cache_type, mask) || strcmp(row->cache_type, "stats") == 0 ||
            json_object_get(seen, row->universe))
            continue;
        struct diff_universe *u = &d->items[d->count++];
        u->universe = row->universe;
        u->family = row->cache_type;
        ok = json_object_set_new(seen, u->universe, json_true()) == 0 &&
             compare_universe(snap, previous_of(prev, row->universe, NULL, 0), u);
    }
    return ok;
}

static bool
compare_all(const struct snapshot *snap, const struct previous *prev, const struct selection *sel,
            uint32_t mask, struct diff *d)
{
    json_t *seen = json_object();
    bool ok = compare_selected(snap, prev, sel, seen, d) && compare_gone(snap, prev, mask, seen, d);
    json_decref(seen);
    return ok;
}

static enum cs_rc
no_memory(struct cs_err *err)
{
    return cs_err_set(err, CS_ENOMEM, "no memory to compare memberships");
}

/* ---- the baseline: the log put right first ---- */

static const char logged_sql[] =
    "SELECT l.universe, l.symbol FROM (SELECT DISTINCT ON (universe, symbol) universe, symbol, action "
    "FROM sync_changes_log WHERE environment = $1 AND universe IN (SELECT "
    "jsonb_array_elements_text($2::jsonb)) "
    "ORDER BY universe, symbol, created_at DESC, id DESC) l "
    "WHERE l.action = 'added' ORDER BY l.universe COLLATE \"C\", l.symbol COLLATE \"C\"";

struct logged {
    struct diff *d;
    struct diff_list *lists; /* one an item */
    size_t at;               /* the item of the row before */
};

/* Only universes whose row is not as we left it are asked for: those of a first sync, and edits from outside. */
static bool
to_verify(const struct diff_universe *u)
{
    return u->row && !u->row->trusted;
}

static bool
add_logged(const PGresult *row, void *arg)
{
    struct logged *l = arg;
    const char *universe = PQgetvalue(row, 0, 0), *text = PQgetvalue(row, 0, 1);
    const char *symbol = cs_arena_strndup(l->d->arena, text, strlen(text));
    if (!symbol)
        return false;
    if (l->at == l->d->count || strcmp(l->d->items[l->at].universe, universe) != 0)
        for (l->at = 0; l->at < l->d->count && strcmp(l->d->items[l->at].universe, universe) != 0;)
            l->at++;
    return l->at == l->d->count || list_add(&l->lists[l->at], symbol);
}

static enum cs_rc
baseline(PGconn *conn, const char *environment, struct diff *d, struct cs_err *err)
{
    json_t *names = json_array();
    struct logged logged = {d, cs_xcalloc(d->count + 1, sizeof *logged.lists), d->count};
    enum cs_rc rc = CS_OK;
    for (size_t i = 0; i < d->count; i++)
        if (to_verify(&d->items[i]))
            json_array_append_new(names, json_string(d->items[i].universe));
    char *text = json_dumps(names, JSON_COMPACT);
    if (json_array_size(names))
        rc = pg_each(conn, "reading sync_changes_log", logged_sql, 2, (const char *[]){environment, text},
                     add_logged, &logged, err);
    for (size_t i = 0; i < d->count; i++) {
        struct diff_universe *u = &d->items[i];
        if (rc == CS_OK && to_verify(u)) {
            struct diff_list old = {0};
            if (!members_before(u->row, &old) || !merge(&old, &logged.lists[i], &u->missing, &u->surplus))
                rc = no_memory(err);
            free(old.symbols);
        }
        free(logged.lists[i].symbols);
    }
    free(logged.lists);
    free(text);
    json_decref(names);
    return rc;
}

/* ---- reasons ---- */

struct known {
    struct cs_arena *arena;
    struct diff_list list;
};

static bool
add_known(const PGresult *row, void *arg)
{
    struct known *k = arg;
    const char *text = PQgetvalue(row, 0, 0), *symbol = cs_arena_strndup(k->arena, text, strlen(text));
    return symbol && list_add(&k->list, symbol);
}

/* Those of the leavers that have a row in symbols are delisted, the rest unknown. */
static enum cs_rc
part_leavers(PGconn *conn, struct diff *d, const struct diff_list *leavers, struct cs_err *err)
{
    json_t *list = json_array();
    struct known known = {.arena = d->arena};
    for (size_t i = 0; i < leavers->count; i++)
        json_array_append_new(list, json_string(leavers->symbols[i]));
    char *text = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    enum cs_rc rc = pg_each(conn, "looking up members that left",
                            "SELECT symbol FROM symbols WHERE symbol IN (SELECT "
                            "jsonb_array_elements_text($1::jsonb)) ORDER BY symbol COLLATE \"C\"",
                            1, (const char *[]){text}, add_known, &known, err);
    free(text);
    if (rc == CS_OK &&
        (!merge(leavers, &known.list, &d->unknown, NULL) || !merge(leavers, &d->unknown, &d->delisted, NULL)))
        rc = no_memory(err);
    free(known.list.symbols);
    return rc;
}

static bool
has(const struct diff_list *sorted, const char *symbol)
{
    return sorted->count && bsearch(&symbol, sorted->symbols, sorted->count, sizeof symbol, compare);
}

/* Whether a symbol is no active one: delisted, or unknown altogether. */
static bool
gone(const struct snapshot *snap, const char *symbol)
{
    uint32_t id = snapshot_find(snap, symbol, strlen(symbol));
    return id == SNAPSHOT_NONE || !(snap->flags[id] & SNAPSHOT_ACTIVE);
}

static enum cs_rc
find_reasons(PGconn *conn, const struct snapshot *snap, struct diff *d, struct cs_err *err)
{
    struct diff_list leavers = {0};
    bool ok = true;
    for (size_t i = 0; i < d->count; i++)
        for (size_t k = 0; ok && k < d->items[i].removed.count; k++)
            if (gone(snap, d->items[i].removed.symbols[k]))
                ok = list_add(&leavers, d->items[i].removed.symbols[k]);
    list_sort(&leavers);
    enum cs_rc rc = !ok ? no_memory(err) : leavers.count ? part_leavers(conn, d, &leavers, err) : CS_OK;
    free(leavers.symbols);
    return rc;
}

static bool
set_reasons(struct diff *d, struct diff_universe *u)
{
    bool delisted = false;
    u->reasons = cs_arena_alloc(d->arena, u->removed.count + 1);
    if (!u->reasons)
        return false;
    for (size_t k = 0; k < u->removed.count; k++) {
        const char *symbol = u->removed.symbols[k];
        u->reasons[k] = has(&d->delisted, symbol)  ? DIFF_DELISTED
                        : has(&d->unknown, symbol) ? DIFF_UNKNOWN_SYMBOL
                                                   : DIFF_RULES;
        delisted |= u->reasons[k] == DIFF_DELISTED;
    }
    d->total_changes += (int64_t)(u->added.count + u->removed.count);
    return !delisted || list_add(&d->delisted_universes, u->universe);
}

enum cs_rc
diff_run(PGconn *conn, const struct snapshot *snap, const struct previous *prev, const struct selection *sel,
         uint32_t mask, const char *environment, struct diff *d, struct cs_err *err)
{
    enum cs_rc rc;
    *d = (struct diff){.arena = cs_arena_new(CHUNK_BYTES)};
    if (!d->arena)
        return no_memory(err);
    d->items = calloc(sel->count + prev->count + 1, sizeof *d->items);
    if (!d->items || !compare_all(snap, prev, sel, mask, d))
        return no_memory(err);
    rc = baseline(conn, environment, d, err);
    if (rc == CS_OK)
        rc = find_reasons(conn, snap, d, err);
    for (size_t i = 0; rc == CS_OK && i < d->count; i++)
        if (!set_reasons(d, &d->items[i]))
            rc = no_memory(err);
    return rc;
}

void
diff_fini(struct diff *d)
{
    for (size_t i = 0; i < d->count; i++) {
        struct diff_universe *u = &d->items[i];
        free(u->added.symbols);
        free(u->removed.symbols);
        free(u->missing.symbols);
        free(u->surplus.symbols);
    }
    free(d->delisted.symbols);
    free(d->delisted_universes.symbols);
    free(d->unknown.symbols);
    free(d->items);
    cs_arena_free(d->arena);
    *d = (struct diff){0};
}
