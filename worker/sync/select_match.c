/* SPDX-License-Identifier: MIT */
/*
 * select_match - the conditions of a filter as a table: set or not, holds or not, and its figures for people.
 * Thread: any.
 */
#include "worker/sync/select_match.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/sync/select.h"

struct match_condition {
    const char *name;
    bool list;  /* one of the alternatives of any_of_lists */
    bool bound; /* a cap bound */
    bool (*is_set)(const struct rules_filter *f);
    bool (*holds)(const struct match *m, uint32_t id);
    void (*figures)(const struct match *m, uint32_t id, char *out, size_t len);
};

static int
by_bytes(const void *text, const void *item)
{
    return strcmp(text, *(const char *const *)item);
}

static int
by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static bool
among(const struct rules_texts *texts, const char *text)
{
    return bsearch(text, texts->items, texts->count, sizeof texts->items[0], by_bytes) != NULL;
}

static const char *
sector_of(const struct match *m, uint32_t id)
{
    return m->snap->sectors.texts[m->snap->sector[id]];
}

static const char *
industry_of(const struct match *m, uint32_t id)
{
    return m->snap->industries.texts[m->snap->industry[id]];
}

static bool
always(const struct rules_filter *f)
{
    (void)f;
    return true;
}

static bool
asset_holds(const struct match *m, uint32_t id)
{
    bool stock = m->filter->asset != RULES_ASSET_ETF && snapshot_is_stock(m->snap, id);

    return stock || (m->filter->asset != RULES_STOCK && snapshot_is_etf(m->snap, id));
}

static void
asset_figures(const struct match *m, uint32_t id, char *out, size_t len)
{
    static const char *const wanted[] = {"an active stock with a market cap", "an active ETF",
                                         "an active stock with a market cap or an active ETF"};
    uint8_t f = m->snap->flags[id];

    snprintf(out, len, "%s, %s, cap %" PRId64 "; wanted is %s", f & SNAPSHOT_ACTIVE ? "active" : "inactive",
             f & SNAPSHOT_STOCK ? "stock"
             : f & SNAPSHOT_ETF ? "ETF"
                                : "neither stock nor ETF",
             m->snap->cap[id], wanted[m->filter->asset]);
}

static bool
cap_min_set(const struct rules_filter *f)
{
    return f->cap_min > 0;
}

static bool
cap_min_holds(const struct match *m, uint32_t id)
{
    return m->snap->cap[id] >= m->filter->cap_min;
}

static void
cap_min_figures(const struct match *m, uint32_t id, char *out, size_t len)
{
    snprintf(out, len, "cap %" PRId64 " %s %" PRId64, m->snap->cap[id], cap_min_holds(m, id) ? ">=" : "<",
             m->filter->cap_min);
}

static bool
cap_max_set(const struct rules_filter *f)
{
    return f->cap_max > 0;
}

static bool
cap_max_holds(const struct match *m, uint32_t id)
{
    return m->snap->cap[id] < m->filter->cap_max;
}

static void
cap_max_figures(const struct match *m, uint32_t id, char *out, size_t len)
{
    snprintf(out, len, "cap %" PRId64 " %s %" PRId64, m->snap->cap[id],
             cap_max_holds(m, id) ? "<" : ">=", m->filter->cap_max);
}

static bool
listed_set(const struct rules_filter *f)
{
    return f->listed_within_days >= 0;
}

static bool
listed_holds(const struct match *m, uint32_t id)
{
    int64_t age = (int64_t)m->snap->market_date - m->snap->list_date[id];

    return m->snap->market_date != SNAPSHOT_NO_DATE && m->snap->list_date[id] != SNAPSHOT_NO_DATE &&
           age >= 0 && age <= m->filter->listed_within_days;
}

static void
listed_figures(const struct match *m, uint32_t id, char *out, size_t len)
{
    if (m->snap->market_date == SNAPSHOT_NO_DATE || m->snap->list_date[id] == SNAPSHOT_NO_DATE)
        snprintf(out, len, "no list date or no market date");
    else
        snprintf(out, len, "listed %" PRId64 " days before the market date; at most %" PRId32,
                 (int64_t)m->snap->market_date - m->snap->list_date[id], m->filter->listed_within_days);
}

static bool
known_sector_set(const struct rules_filter *f)
{
    return f->known_sector;
}

static bool
known_sector_holds(const struct match *m, uint32_t id)
{
    return m->snap->sector[id] != 0;
}

static void
sector_figures(const struct match *m, uint32_t id, char *out, size_t len)
{
    snprintf(out, len, "sector \"%s\"", sector_of(m, id));
}

static bool
known_industry_set(const struct rules_filter *f)
{
    return f->known_industry;
}

static bool
known_industry_holds(const struct match *m, uint32_t id)
{
    return m->snap->industry[id] != 0;
}

static void
industry_figures(const struct match *m, uint32_t id, char *out, size_t len)
{
    snprintf(out, len, "industry \"%s\"", industry_of(m, id));
}

static bool
sectors_set(const struct rules_filter *f)
{
    return f->sectors.count > 0;
}

static bool
sectors_holds(const struct match *m, uint32_t id)
{
    return among(&m->filter->sectors, sector_of(m, id));
}

static bool
industries_set(const struct rules_filter *f)
{
    return f->industries.count > 0;
}

static bool
industries_holds(const struct match *m, uint32_t id)
{
    return among(&m->filter->industries, industry_of(m, id));
}

static bool
symbols_set(const struct rules_filter *f)
{
    return f->symbols.count > 0;
}

static bool
symbols_holds(const struct match *m, uint32_t id)
{
    return m->symbols ? bsearch(&id, m->symbols, m->symbol_count, sizeof id, by_id) != NULL
                      : among(&m->filter->symbols, m->snap->symbol[id]);
}

static void
symbols_figures(const struct match *m, uint32_t id, char *out, size_t len)
{
    snprintf(out, len, "%s is %sin the list of %zu symbols", m->snap->symbol[id],
             symbols_holds(m, id) ? "" : "not ", m->filter->symbols.count);
}

static bool
industry_any_set(const struct rules_filter *f)
{
    return f->industry_any.count > 0;
}

static bool
industry_any_holds(const struct match *m, uint32_t id)
{
    const char *industry = industry_of(m, id);
    uint8_t *memo = m->industry_memo ? &m->industry_memo[m->snap->industry[id]] : NULL;
    bool holds;

    if (memo && *memo)
        return *memo == 2;
    holds = m->snap->industry[id] && rules_words_match(&m->filter->industry_any, industry, strlen(industry));
    if (memo)
        *memo = holds ? 2 : 1;
    return holds;
}

static bool
name_any_set(const struct rules_filter *f)
{
    return f->name_any.count > 0;
}

static bool
name_any_holds(const struct match *m, uint32_t id)
{
    return rules_words_match(&m->filter->name_any, m->snap->name[id], strlen(m->snap->name[id]));
}

static bool
name_none_set(const struct rules_filter *f)
{
    return f->name_none.count > 0;
}

static bool
name_none_holds(const struct match *m, uint32_t id)
{
    return !rules_words_match(&m->filter->name_none, m->snap->name[id], strlen(m->snap->name[id]));
}

static void
name_figures(const struct match *m, uint32_t id, char *out, size_t len)
{
    snprintf(out, len, "name \"%s\"", m->snap->name[id]);
}

/* Cheap ones first. The asset is always set and always the first, so that match_row need not look for it. */
static const struct match_condition conditions[] = {
    {"asset", false, false, always, asset_holds, asset_figures},
    {"cap_min", false, true, cap_min_set, cap_min_holds, cap_min_figures},
    {"cap_max", false, true, cap_max_set, cap_max_holds, cap_max_figures},
    {"listed_within_days", false, false, listed_set, listed_holds, listed_figures},
    {"known_sector", false, false, known_sector_set, known_sector_holds, sector_figures},
    {"known_industry", false, false, known_industry_set, known_industry_holds, industry_figures},
    {"sectors", true, false, sectors_set, sectors_holds, sector_figures},
    {"industries", true, false, industries_set, industries_holds, industry_figures},
    {"symbols", true, false, symbols_set, symbols_holds, symbols_figures},
    {"industry_any", true, false, industry_any_set, industry_any_holds, industry_figures},
    {"name_any", true, false, name_any_set, name_any_holds, name_figures},
    {"name_none", false, false, name_none_set, name_none_holds, name_figures},
};
_Static_assert(sizeof conditions / sizeof conditions[0] == MATCH_CONDITIONS_MAX, "room for every condition");

void
match_init(struct match *m, const struct snapshot *snap, const struct rules_filter *filter, bool bounds)
{
    *m = (struct match){.snap = snap, .filter = filter};
    for (size_t i = 0; i < MATCH_CONDITIONS_MAX; i++)
        if (conditions[i].is_set(filter) && (bounds || !conditions[i].bound))
            m->set[m->count++] = &conditions[i];
}

bool
match_row(const struct match *m, uint32_t id)
{
    bool alternatives = m->filter->any_of_lists, found = !alternatives;

    if (!asset_holds(m, id))
        return false;
    for (uint32_t i = 1; i < m->count; i++) {
        const struct match_condition *c = m->set[i];

        if (alternatives && c->list) {
            found = found || c->holds(m, id);
            continue;
        }
        if (!c->holds(m, id))
            return false;
    }
    return found;
}

bool
select_matches(const struct snapshot *snap, const struct rules_filter *filter, uint32_t id)
{
    struct match m;

    match_init(&m, snap, filter, true);
    return match_row(&m, id);
}

bool
select_explain(const struct snapshot *snap, const struct rules_filter *filter, uint32_t id,
               void (*emit)(bool holds, const char *condition, const char *figures, void *arg), void *arg)
{
    struct match m;
    char figures[512];

    match_init(&m, snap, filter, true);
    for (uint32_t i = 0; i < m.count; i++) {
        m.set[i]->figures(&m, id, figures, sizeof figures);
        emit(m.set[i]->holds(&m, id), m.set[i]->name, figures, arg);
    }
    return match_row(&m, id);
}
