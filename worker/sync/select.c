/* SPDX-License-Identifier: MIT */
/*
 * select - one pass over the ranking hands every row to every rule; then order, partition, limit and buffer.
 * Which rows pass a filter is select_match.c. Pure. Thread: any.
 */
#include "worker/sync/select.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "worker/sync/select_match.h"

#define CHUNK_BYTES 65536

struct list {
    uint32_t *ids;
    size_t count, room;
};

/* One rule at work: the rows that passed, in rank order. */
struct run {
    const struct rules_universe *rule;
    struct match match, also_match;
    struct list passed, also;
    size_t enough; /* stop collecting there; 0: never */
};

/* What one call needs. */
struct work {
    const struct snapshot *snap;
    struct selection *sel;
    size_t room; /* of sel->items */
    select_previous_fn *previous;
    void *arg;
    struct cs_err *err;
};

/* One value of a partition. */
struct group {
    char key[RULES_KEY_MAX + 1];
    const char *title;
    uint32_t value, count;
    struct list members;
};

static enum cs_rc
short_of_memory(struct cs_err *err)
{
    return cs_err_set(err, CS_ENOMEM, "no memory to select universes");
}

static bool
push(struct list *l, uint32_t id)
{
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        uint32_t *ids = realloc(l->ids, room * sizeof *ids);

        if (!ids)
            return false;
        l->ids = ids;
        l->room = room;
    }
    l->ids[l->count++] = id;
    return true;
}

static int
by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static int
by_list_date(const void *a, const void *b, void *arg)
{
    const struct snapshot *snap = arg;
    int32_t x = snap->list_date[*(const uint32_t *)a], y = snap->list_date[*(const uint32_t *)b];

    return x != y ? (x < y ? 1 : -1) : by_id(a, b);
}

static void
put_in_order(const struct snapshot *snap, enum rules_order order, struct list *l)
{
    if (l->count < 2)
        return;
    if (order == RULES_BY_SYMBOL)
        qsort(l->ids, l->count, sizeof l->ids[0], by_id);
    else if (order == RULES_BY_LIST_DATE)
        qsort_r(l->ids, l->count, sizeof l->ids[0], by_list_date, (void *)(uintptr_t)snap);
}

/* Copy pattern with "{key}" and "{name}" replaced, cut at max bytes and never within a UTF-8 character. */
static void
fill_in(const char *pattern, const char *key, const char *name, char *out, size_t max)
{
    size_t n = 0;

    while (*pattern && n < max) {
        const char *piece = NULL;
        size_t len = 1, skip = 1;

        if (strncmp(pattern, "{key}", 5) == 0)
            piece = key, skip = 5;
        else if (strncmp(pattern, "{name}", 6) == 0)
            piece = name, skip = 6;
        if (piece)
            len = strlen(piece);
        if (len > max - n) {
            len = max - n;
            while (piece && len && ((unsigned char)piece[len] & 0xc0) == 0x80)
                len--;
        }
        memcpy(out + n, piece ? piece : pattern, len);
        n += len;
        pattern += skip;
    }
    out[n] = 0;
}

/* The same for a key: a cut leaves no '_' at the end. */
static void
fill_in_key(const char *pattern, const char *key, char *out)
{
    size_t n;

    fill_in(pattern, key, key, out, RULES_KEY_MAX);
    for (n = strlen(out); n > 1 && out[n - 1] == '_'; n--)
        out[n - 1] = 0;
}

void
selected_output(const struct selected *sel, size_t o, struct rules_output *out)
{
    const struct rules_output *pattern = &sel->rule->outputs[o];
    char key[RULES_KEY_MAX + 1];

    *out = *pattern;
    if (sel->rule->per == RULES_PER_NONE)
        return;
    rules_key(sel->title, strlen(sel->title), key);
    fill_in_key(pattern->key, key, out->key);
    fill_in(pattern->name, key, sel->title, out->name, RULES_KEY_MAX);
}

/* Whether a row inside or near a limit or a band is a member, given what it was. */
static bool
within(const struct rules_universe *u, int64_t cap, size_t rank, bool was)
{
    double ranks = was ? u->buffer : -u->buffer, share = ranks / 100;

    if (u->limit)
        return (double)rank <= u->limit + ranks;
    return (double)cap >= (double)u->filter.cap_min * (1 - share) &&
           (!u->filter.cap_max || (double)cap < (double)u->filter.cap_max * (1 + share));
}

static bool
within_bounds(const struct rules_filter *f, int64_t cap)
{
    return cap >= f->cap_min && (!f->cap_max || cap < f->cap_max);
}

/* Applies limit and buffer in place; the list is in order. */
static void
cut(const struct work *w, const struct rules_universe *u, const char *key, struct list *l)
{
    size_t kept = 0, known = 0;
    const uint32_t *before = u->buffer > 0 && w->previous ? w->previous(key, &known, w->arg) : NULL;

    for (size_t i = 0; i < l->count; i++) {
        uint32_t id = l->ids[i];
        bool in;

        if (known) /* a universe that is new has no buffer: it would begin with a hole */
            in = within(u, w->snap->cap[id], i + 1, bsearch(&id, before, known, sizeof id, by_id) != NULL);
        else
            in = (!u->limit || i < u->limit) && (u->limit || within_bounds(&u->filter, w->snap->cap[id]));
        if (in)
            l->ids[kept++] = id;
    }
    l->count = kept;
}

static enum cs_rc
add(struct work *w, const struct rules_universe *u, const char *key, const char *title, uint32_t sector,
    const struct list *first, const struct list *also)
{
    struct selection *sel = w->sel;
    size_t count = first->count + also->count;
    struct selected *s;

    if (!count)
        return CS_OK;
    if (sel->count == w->room) {
        size_t room = w->room ? w->room * 2 : 64;

        s = realloc(sel->items, room * sizeof *s);
        if (!s)
            return short_of_memory(w->err);
        sel->items = s;
        w->room = room;
    }
    s = &sel->items[sel->count];
    *s = (struct selected){.rule = u, .sector = sector, .count = count, .first_count = first->count};
    strcpy(s->key, key);
    fill_in("{name}", "", title, s->title, RULES_KEY_MAX);
    s->ids = cs_arena_alloc(sel->arena, count * sizeof s->ids[0]);
    if (!s->ids)
        return short_of_memory(w->err);
    if (first->count)
        memcpy(s->ids, first->ids, first->count * sizeof s->ids[0]);
    if (also->count)
        memcpy(s->ids + first->count, also->ids, also->count * sizeof s->ids[0]);
    sel->count++;
    return CS_OK;
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
frequent_sector(const struct snapshot *snap, const struct list *members, uint32_t *tally)
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

/* Makes the groups of a partition: known values with members, colliding keys merged, the largest per_limit,
 * by key. */
static size_t
make_groups(const struct rules_universe *u, const struct snapshot_dict *dict, const uint32_t *tally,
            struct group *groups, uint32_t *group_of)
{
    size_t count = 0, merged = 0;

    for (uint32_t v = 1; v < dict->count; v++) {
        if (!tally[v])
            continue;
        groups[count] = (struct group){.title = dict->texts[v], .value = v, .count = tally[v]};
        rules_key(dict->texts[v], strnlen(dict->texts[v], RULES_KEY_MAX), groups[count].key);
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
    qsort(groups, merged, sizeof groups[0], group_by_size);
    count = u->per_limit && merged > u->per_limit ? u->per_limit : merged;
    while (count && groups[count - 1].count < u->per_min)
        count--;
    qsort(groups, count, sizeof groups[0], group_by_key);
    return count;
}

static enum cs_rc
deal_out(struct work *w, const struct run *r, const uint32_t *column, const struct snapshot_dict *dict,
         struct group *groups, uint32_t *tally, uint32_t *group_of, uint32_t *place)
{
    const struct rules_universe *u = r->rule;
    const struct list none = {0};
    size_t count;
    enum cs_rc rc = CS_OK;

    for (size_t i = 0; i < r->passed.count; i++)
        tally[column[r->passed.ids[i]]]++;
    count = make_groups(u, dict, tally, groups, group_of);
    for (size_t g = 0; g < count; g++)
        place[groups[g].value] = (uint32_t)g + 1;
    for (size_t i = 0; i < r->passed.count && !rc; i++) {
        uint32_t v = column[r->passed.ids[i]], g = v ? place[group_of[v]] : 0;

        if (g && !push(&groups[g - 1].members, r->passed.ids[i]))
            rc = short_of_memory(w->err);
    }
    for (size_t g = 0; g < count; g++) {
        struct list *members = &groups[g].members;
        uint32_t sector = u->per == RULES_PER_INDUSTRY ? frequent_sector(w->snap, members, tally) : 0;
        char key[RULES_KEY_MAX + 1];

        fill_in_key(u->key, groups[g].key, key);
        cut(w, u, key, members);
        if (!rc)
            rc = add(w, u, key, groups[g].title, sector, members, &none);
        free(members->ids);
    }
    return rc;
}

static enum cs_rc
finish_partition(struct work *w, const struct run *r)
{
    bool sector = r->rule->per == RULES_PER_SECTOR;
    const struct snapshot_dict *dict = sector ? &w->snap->sectors : &w->snap->industries;
    /* tally counts sectors too */
    size_t places = dict->count > w->snap->sectors.count ? dict->count : w->snap->sectors.count;
    struct group *groups = calloc(places + 1, sizeof *groups);
    uint32_t *room = calloc(3 * (places + 1), sizeof *room);
    enum cs_rc rc;

    if (!groups || !room)
        rc = short_of_memory(w->err);
    else
        rc = deal_out(w, r, sector ? w->snap->sector : w->snap->industry, dict, groups, room,
                      room + places + 1, room + 2 * (places + 1));
    free(groups);
    free(room);
    return rc;
}

static enum cs_rc
finish(struct work *w, struct run *r)
{
    const struct rules_universe *u = r->rule;

    put_in_order(w->snap, u->order, &r->passed);
    if (u->per != RULES_PER_NONE)
        return finish_partition(w, r);
    cut(w, u, u->key, &r->passed);
    if (u->also) {
        /* a symbol that the first part has is not a member twice */
        size_t kept = 0;

        put_in_order(w->snap, RULES_BY_SYMBOL, &r->also);
        for (size_t i = 0; i < r->also.count; i++) {
            size_t j = 0;

            while (j < r->passed.count && r->passed.ids[j] != r->also.ids[i])
                j++;
            if (j == r->passed.count)
                r->also.ids[kept++] = r->also.ids[i];
        }
        r->also.count = kept;
    }
    return add(w, u, u->key, u->title, 0, &r->passed, &r->also);
}

static enum cs_rc
begin(struct work *w, struct run *r, const struct rules_universe *u)
{
    struct cs_arena *arena = w->sel->arena;
    bool buffered = u->buffer > 0 && w->previous;

    r->rule = u;
    match_init(&r->match, w->snap, &u->filter, !(buffered && !u->limit));
    if (u->also)
        match_init(&r->also_match, w->snap, u->also, true);
    /* In rank order the first N are known after N; every other way needs them all. */
    if (u->order == RULES_BY_CAP && u->per == RULES_PER_NONE && !buffered)
        r->enough = u->limit;
    if (u->filter.industry_any.count) {
        r->match.industry_memo = cs_arena_alloc(arena, w->snap->industries.count);
        if (!r->match.industry_memo)
            return short_of_memory(w->err);
        memset(r->match.industry_memo, 0, w->snap->industries.count);
    }
    return CS_OK;
}

static enum cs_rc
walk(struct work *w, struct run *runs, size_t count)
{
    for (size_t i = 0; i < w->snap->ranking_count; i++) {
        uint32_t id = w->snap->ranking[i];

        for (struct run *r = runs; r < runs + count; r++) {
            bool full = r->enough && r->passed.count >= r->enough;

            if (!full && match_row(&r->match, id) && !push(&r->passed, id))
                return short_of_memory(w->err);
            if (r->rule->also && match_row(&r->also_match, id) && !push(&r->also, id))
                return short_of_memory(w->err);
        }
    }
    return CS_OK;
}

static enum cs_rc
select_all(struct work *w, const struct sync_rules *rules, uint32_t mask, struct run *runs)
{
    size_t count = 0;
    enum cs_rc rc = CS_OK;

    for (size_t i = 0; i < rules->count && !rc; i++) {
        const struct rules_universe *u = &rules->universes[i];

        if ((mask & 1u << u->family) && u->family != RULES_STATS)
            rc = begin(w, &runs[count++], u);
    }
    if (!rc)
        rc = walk(w, runs, count);
    for (size_t i = 0; i < count; i++) {
        if (!rc)
            rc = finish(w, &runs[i]);
        free(runs[i].passed.ids);
        free(runs[i].also.ids);
    }
    return rc;
}

enum cs_rc
select_run(const struct snapshot *snap, const struct sync_rules *rules, uint32_t mask,
           select_previous_fn *previous, void *arg, struct selection **out, struct cs_err *err)
{
    struct selection *sel = calloc(1, sizeof *sel);
    struct run *runs = calloc(rules->count + 1, sizeof *runs);
    struct work w = {.snap = snap, .sel = sel, .previous = previous, .arg = arg, .err = err};
    enum cs_rc rc;

    *out = NULL;
    if (sel)
        sel->arena = cs_arena_new(CHUNK_BYTES);
    rc = sel && sel->arena && runs ? select_all(&w, rules, mask, runs) : short_of_memory(err);
    free(runs);
    if (rc)
        selection_free(sel);
    else
        *out = sel;
    return rc;
}

void
selection_free(struct selection *sel)
{
    if (!sel)
        return;
    cs_arena_free(sel->arena);
    free(sel->items);
    free(sel);
}
