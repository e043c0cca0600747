/* SPDX-License-Identifier: MIT */
/*
 * select_partition - a universe for each sector or industry: values become keys, keys that collide one group.
 *
 * Owns: the names of the groups. A name is never that of another universe, since log and events know universes by
 * name: see choose_key. Pure. Thread: any.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/sync/select_work.h"

#define SUFFIX_MAX 16  /* "_market_leader" */
#define SUFFIXES_MAX 3 /* of one key */

/* One value of a partition. */
struct group {
    char key[RULES_KEY_MAX + 1];
    const char *title;
    uint32_t value, count, sector;
    struct select_list members;
};

/* How many bytes the longest key that is made from a value has beside it. */
static size_t
fixed_bytes(const struct rules_universe *u)
{
    size_t longest = strlen(u->key);

    for (size_t o = 0; o < u->output_count; o++)
        if (strlen(u->outputs[o].key) > longest)
            longest = strlen(u->outputs[o].key);
    return longest - strlen("{key}");
}

/* Cut a key to at most room bytes and no '_' at the end. */
static void
cut_key(char *key, size_t room)
{
    size_t n = strnlen(key, room);

    while (n > 1 && key[n - 1] == '_')
        n--;
    key[n] = 0;
}

/* The names of other universes, of rules without a partition and of earlier partitions, as a set. NULL: no memory. */
static json_t *
names_taken(const struct select_work *w)
{
    json_t *names = json_object();
    bool ok = names != NULL;

    for (size_t i = 0; i < w->rules->count; i++) {
        const struct rules_universe *other = &w->rules->universes[i];

        for (size_t o = 0; ok && other->per == RULES_PER_NONE && o < other->output_count; o++)
            ok = json_object_set_new(names, other->outputs[o].key, json_true()) == 0;
    }
    for (size_t i = 0; ok && i < w->sel->count; i++)
        ok = json_object_set_new(names, w->sel->items[i].key, json_true()) == 0;
    if (ok)
        return names;
    json_decref(names);
    return NULL;
}

/* The key of a value: cut so that all rows made from it differ from those of other values, and with the family's name
 * at its end while the universe would have the name of another: the sector "Stocks" becomes top_10_stocks_sector. */
static void
choose_key(const json_t *names, const struct rules_universe *u, const char *text, char *key)
{
    size_t room = RULES_KEY_MAX - fixed_bytes(u);
    char universe[RULES_KEY_MAX + 1], suffix[SUFFIX_MAX + 1];
    size_t len = (size_t)snprintf(suffix, sizeof suffix, "_%s", rules_family_name(u->family));

    rules_key(text, strlen(text), key);
    cut_key(key, room);
    select_fill_key(u->key, key, universe);
    for (int tries = 0; tries < SUFFIXES_MAX && json_object_get(names, universe); tries++) {
        cut_key(key, room - len);
        strcat(key, suffix);
        select_fill_key(u->key, key, universe);
    }
}

static int
group_by_key(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    int c = strcmp(x->key, y->key);

    return c ? c : strcmp(x->title, y->title);
}

static int
group_by_size(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->title, y->title);
}

/* The known sector that most members have, ties by name; 0 when none is known. tally has a place for every
 * sector, zeroed. */
static uint32_t
frequent_sector(const struct snapshot *snap, const struct select_list *members, uint32_t *tally)
{
    uint32_t best = 0;

    memset(tally, 0, snap->sectors.count * sizeof *tally);
    for (size_t i = 0; i < members->count; i++) {
        uint32_t s = snap->sector[members->ids[i]];

        if (s)
            tally[s]++;
    }
    for (uint32_t s = 1; s < snap->sectors.count; s++)
        if (tally[s] &&
            (!best || tally[s] > tally[best] ||
             (tally[s] == tally[best] && strcmp(snap->sectors.texts[s], snap->sectors.texts[best]) < 0)))
            best = s;
    return best;
}

/* Makes the groups of a partition, by key: known values with members, colliding keys merged. */
static size_t
make_groups(const json_t *names, const struct rules_universe *u, const struct snapshot_dict *dict,
            const uint32_t *tally, struct group *groups, uint32_t *group_of)
{
    size_t count = 0, merged = 0;

    for (uint32_t v = 1; v < dict->count; v++) {
        if (!tally[v])
            continue;
        groups[count] = (struct group){.title = dict->texts[v], .value = v, .count = tally[v]};
        choose_key(names, u, dict->texts[v], groups[count].key);
        count++;
    }
    qsort(groups, count, sizeof groups[0], group_by_key);
    for (size_t i = 0; i < count; i++) {
        if (merged && strcmp(groups[merged - 1].key, groups[i].key) == 0) {
            groups[merged - 1].count += groups[i].count;
        } else {
            groups[merged++] = groups[i];
        }
        /* remembers the merge by the first value of the group until the groups have their final places */
        group_of[groups[i].value] = groups[merged - 1].value;
    }
    return merged;
}

/* Keep the largest per_limit of those with per_min members, by key. Returns how many. */
static size_t
keep_largest(const struct rules_universe *u, struct group *groups, size_t all)
{
    size_t count = u->per_limit && all > u->per_limit ? u->per_limit : all;

    qsort(groups, all, sizeof groups[0], group_by_size);
    while (count && (!groups[count - 1].count || groups[count - 1].count < u->per_min))
        count--;
    for (size_t g = count; g < all; g++)
        free(groups[g].members.ids);
    qsort(groups, count, sizeof groups[0], group_by_key);
    return count;
}

/* Limit and buffer of each. A band with a buffer is judged only here, so that its groups are as large as what is left. */
static void
cut_groups(struct select_work *w, const struct rules_universe *u, struct group *groups, size_t count)
{
    char universe[RULES_KEY_MAX + 1];

    for (size_t g = 0; g < count; g++) {
        select_fill_key(u->key, groups[g].key, universe);
        select_cut(w, u, universe, &groups[g].members);
        if (!u->limit)
            groups[g].count = (uint32_t)groups[g].members.count;
    }
}

static enum cs_rc
deal_out(struct select_work *w, const struct select_run *r, const uint32_t *column,
         const struct snapshot_dict *dict, struct group *groups, uint32_t *tally, uint32_t *group_of,
         uint32_t *place)
{
    const struct rules_universe *u = r->rule;
    const struct select_list none = {0};
    json_t *names;
    size_t count;
    enum cs_rc rc = CS_OK;

    for (size_t i = 0; i < r->passed.count; i++)
        tally[column[r->passed.ids[i]]]++;
    names = names_taken(w);
    if (!names)
        return select_no_memory(w->err);
    count = make_groups(names, u, dict, tally, groups, group_of);
    json_decref(names);
    for (size_t g = 0; g < count; g++)
        place[groups[g].value] = (uint32_t)g + 1;
    for (size_t i = 0; i < r->passed.count && !rc; i++) {
        uint32_t v = column[r->passed.ids[i]], g = v ? place[group_of[v]] : 0;

        if (g && !select_push(&groups[g - 1].members, r->passed.ids[i]))
            rc = select_no_memory(w->err);
    }
    for (size_t g = 0; g < count && u->per == RULES_PER_INDUSTRY; g++)
        groups[g].sector = frequent_sector(w->snap, &groups[g].members, tally);
    cut_groups(w, u, groups, count);
    count = keep_largest(u, groups, count);
    for (size_t g = 0; g < count; g++) {
        struct select_list *members = &groups[g].members;

        if (!rc)
            rc = select_add(w, u, groups[g].key, groups[g].title, groups[g].sector, members, &none);
        free(members->ids);
    }
    return rc;
}

enum cs_rc
select_partition(struct select_work *w, const struct select_run *r)
{
    bool sector = r->rule->per == RULES_PER_SECTOR;
    const struct snapshot_dict *dict = sector ? &w->snap->sectors : &w->snap->industries;
    /* tally counts sectors too */
    size_t places = dict->count > w->snap->sectors.count ? dict->count : w->snap->sectors.count;
    struct group *groups = calloc(places + 1, sizeof *groups);
    uint32_t *room = calloc(3 * (places + 1), sizeof *room);
    enum cs_rc rc;

    if (!groups || !room)
        rc = select_no_memory(w->err);
    else
        rc = deal_out(w, r, sector ? w->snap->sector : w->snap->industry, dict, groups, room,
                      room + places + 1, room + 2 * (places + 1));
    free(groups);
    free(room);
    return rc;
}
