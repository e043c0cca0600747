/* SPDX-License-Identifier: MIT */
/*
 * select - one pass over the ranking hands every row to every rule; then order, limit and buffer.
 * Which rows pass a filter is select_match.c, partitions are select_partition.c. Pure. Thread: any.
 */
#include "worker/sync/select.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "worker/sync/select_work.h"

#define CHUNK_BYTES 65536

enum cs_rc
select_no_memory(struct cs_err *err)
{
    return cs_err_set(err, CS_ENOMEM, "no memory to select universes");
}

bool
select_push(struct select_list *l, uint32_t id)
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

static int
by_cap(const void *a, const void *b, void *arg)
{
    const struct snapshot *snap = arg;
    int64_t x = snap->cap[*(const uint32_t *)a], y = snap->cap[*(const uint32_t *)b];

    return x != y ? (x < y ? 1 : -1) : by_id(a, b);
}

void
select_order(const struct snapshot *snap, enum rules_order order, uint32_t *ids, size_t count)
{
    void *arg = (void *)(uintptr_t)snap;

    if (count < 2)
        return;
    if (order == RULES_BY_SYMBOL)
        qsort(ids, count, sizeof *ids, by_id);
    else
        qsort_r(ids, count, sizeof *ids, order == RULES_BY_CAP ? by_cap : by_list_date, arg);
}

/* The walk gives rows in rank order already. */
static void
put_in_order(const struct snapshot *snap, enum rules_order order, struct select_list *l)
{
    if (order != RULES_BY_CAP)
        select_order(snap, order, l->ids, l->count);
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

void
select_fill_key(const char *pattern, const char *key, char *out)
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

    *out = *pattern;
    if (sel->rule->per == RULES_PER_NONE)
        return;
    select_fill_key(pattern->key, sel->value, out->key);
    fill_in(pattern->name, sel->value, sel->title, out->name, RULES_KEY_MAX);
}

/* Whether a row inside or near a limit or a band is a member, given what it was. */
static bool
within(const struct rules_universe *u, int64_t cap, size_t rank, bool was)
{
    double ranks = was ? u->buffer : -u->buffer, share = ranks / 100;

    if (u->limit)
        return (double)rank <= u->limit + ranks;
    return (!u->filter.cap_min || (double)cap >= (double)u->filter.cap_min * (1 - share)) &&
           (!u->filter.cap_max || (double)cap < (double)u->filter.cap_max * (1 + share));
}

static bool
within_bounds(const struct rules_filter *f, int64_t cap)
{
    return (!f->cap_min || cap >= f->cap_min) &&
           (!f->cap_max || cap < f->cap_max); /* an AUM may be negative */
}

/* Applies limit and buffer in place; the list is in order. */
void
select_cut(const struct select_work *w, const struct rules_universe *u, const char *key,
           struct select_list *l)
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

enum cs_rc
select_add(struct select_work *w, const struct rules_universe *u, const char *value, const char *title,
           uint32_t sector, const struct select_list *first, const struct select_list *also)
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
            return select_no_memory(w->err);
        sel->items = s;
        w->room = room;
    }
    s = &sel->items[sel->count];
    *s = (struct selected){.rule = u, .sector = sector, .count = count, .first_count = first->count};
    if (value)
        strcpy(s->value, value);
    select_fill_key(u->key, s->value, s->key);
    fill_in("{name}", "", title, s->title, RULES_KEY_MAX);
    s->ids = cs_arena_alloc(sel->arena, count * sizeof s->ids[0]);
    if (!s->ids)
        return select_no_memory(w->err);
    if (first->count)
        memcpy(s->ids, first->ids, first->count * sizeof s->ids[0]);
    if (also->count)
        memcpy(s->ids + first->count, also->ids, also->count * sizeof s->ids[0]);
    sel->count++;
    return CS_OK;
}

static enum cs_rc
finish(struct select_work *w, struct select_run *r)
{
    const struct rules_universe *u = r->rule;

    put_in_order(w->snap, u->order, &r->passed);
    if (u->per != RULES_PER_NONE)
        return select_partition(w, r);
    select_cut(w, u, u->key, &r->passed);
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
    return select_add(w, u, NULL, u->title, 0, &r->passed, &r->also);
}

static int
by_bytes(const void *text, const void *item)
{
    return strcmp(text, *(const char *const *)item);
}

/* An explicit list as sorted ids: texts and symbols are both in the order of bytes. */
static bool
find_symbols(struct select_work *w, struct match *m)
{
    const struct rules_texts *texts = &m->filter->symbols;
    const struct snapshot *snap = w->snap;
    uint32_t *ids;

    if (!texts->count)
        return true;
    ids = cs_arena_alloc(w->sel->arena, texts->count * sizeof *ids);
    if (!ids)
        return false;
    for (size_t i = 0; i < texts->count && snap->count; i++) {
        const char **at = bsearch(texts->items[i], snap->symbol, snap->count, sizeof *snap->symbol, by_bytes);

        if (at)
            ids[m->symbol_count++] = (uint32_t)(at - snap->symbol);
    }
    m->symbols = ids;
    return true;
}

static enum cs_rc
begin(struct select_work *w, struct select_run *r, const struct rules_universe *u)
{
    struct cs_arena *arena = w->sel->arena;
    bool buffered = u->buffer > 0 && w->previous;

    r->rule = u;
    match_init(&r->match, w->snap, &u->filter, !(buffered && !u->limit));
    if (u->also)
        match_init(&r->also_match, w->snap, u->also, true);
    if (!find_symbols(w, &r->match) || (u->also && !find_symbols(w, &r->also_match)))
        return select_no_memory(w->err);
    /* In rank order the first N are known after N; every other way needs them all. */
    if (u->order == RULES_BY_CAP && u->per == RULES_PER_NONE && !buffered)
        r->enough = u->limit;
    if (u->filter.industry_any.count) {
        r->match.industry_memo = cs_arena_alloc(arena, w->snap->industries.count);
        if (!r->match.industry_memo)
            return select_no_memory(w->err);
        memset(r->match.industry_memo, 0, w->snap->industries.count);
    }
    return CS_OK;
}

static enum cs_rc
walk(struct select_work *w, struct select_run *runs, size_t count)
{
    for (size_t i = 0; i < w->snap->ranking_count; i++) {
        uint32_t id = w->snap->ranking[i];

        for (struct select_run *r = runs; r < runs + count; r++) {
            bool full = r->enough && r->passed.count >= r->enough;

            if (!full && match_row(&r->match, id) && !select_push(&r->passed, id))
                return select_no_memory(w->err);
            if (r->rule->also && match_row(&r->also_match, id) && !select_push(&r->also, id))
                return select_no_memory(w->err);
        }
    }
    return CS_OK;
}

static enum cs_rc
select_all(struct select_work *w, const struct sync_rules *rules, uint32_t mask, struct select_run *runs)
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
    struct select_run *runs = calloc(rules->count + 1, sizeof *runs);
    struct select_work w = {
        .snap = snap, .rules = rules, .sel = sel, .previous = previous, .arg = arg, .err = err};
    enum cs_rc rc;

    *out = NULL;
    if (sel)
        sel->arena = cs_arena_new(CHUNK_BYTES);
    rc = sel && sel->arena && runs ? select_all(&w, rules, mask, runs) : select_no_memory(err);
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
