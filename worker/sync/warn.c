/* SPDX-License-Identifier: MIT */
/*
 * warn - one table of observations; each looks at the whole market and names the largest few.
 *
 * Owns: the words and figures of summary.warnings. Does not: refuse anything. Session's thread.
 */
#include "worker/sync/warn_part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define CHURN_MAX 100 /* warnings of churn; further universes are named in one */

void
warn_top_add(struct warn_top *t, uint32_t id, double weight)
{
    size_t at = t->kept < WARN_LIST_MAX ? t->kept : WARN_LIST_MAX - 1;
    t->count++;
    if (t->kept == WARN_LIST_MAX && weight <= t->weights[at])
        return;
    for (; at > 0 && t->weights[at - 1] < weight; at--) {
        t->ids[at] = t->ids[at - 1];
        t->weights[at] = t->weights[at - 1];
    }
    t->ids[at] = id;
    t->weights[at] = weight;
    t->kept += t->kept < WARN_LIST_MAX;
}

void
warn_add(json_t *list, const char *severity, const char *code, const char *message, json_t *context)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "severity", severity, "error_code", code,
                                          "message", message, "context", context));
}

/* ---- what prices and shares were, for few symbols ---- */

static const char figures_sql[] =
    "SELECT t.symbol, c.date::text, c.close::float8, p.close::float8, s.weighted_shares_outstanding "
    "FROM jsonb_array_elements_text($1::jsonb) t(symbol) LEFT JOIN symbols s ON s.symbol = t.symbol "
    "LEFT JOIN LATERAL (SELECT date, close FROM ohlcv_daily o WHERE o.symbol = t.symbol "
    "ORDER BY date DESC LIMIT 1) c ON true "
    "LEFT JOIN LATERAL (SELECT close FROM ohlcv_daily o WHERE o.symbol = t.symbol AND o.date < c.date "
    "ORDER BY date DESC LIMIT 1) p ON true";

static json_t *
number(const PGresult *res, int column)
{
    double value = strtod(PQgetvalue(res, 0, column), NULL);
    return PQgetisnull(res, 0, column) || !isfinite(value) ? json_null() : json_real(value);
}

/* Into arg, an object: symbol -> {"last_close_date","close","close_before","shares"}. */
static bool
add_figures(const PGresult *res, void *arg)
{
    json_t *one = json_object(), *all = arg;
    if (!PQgetisnull(res, 0, 1))
        json_object_set_new(one, "last_close_date", json_string(PQgetvalue(res, 0, 1)));
    json_object_set_new(one, "close", number(res, 2));
    json_object_set_new(one, "close_before", number(res, 3));
    if (!PQgetisnull(res, 0, 4))
        json_object_set_new(one, "shares", json_integer(strtoll(PQgetvalue(res, 0, 4), NULL, 10)));
    json_object_set_new(all, PQgetvalue(res, 0, 0), one);
    return true;
}

/* An array of {"symbol", "market_cap", and the figures}, in the order of t. */
enum cs_rc
warn_describe(const struct warn_input *in, const struct warn_top *t, json_t **out, struct cs_err *err)
{
    json_t *names = json_array(), *figures = json_object();
    *out = json_array();
    for (size_t i = 0; i < t->kept; i++)
        json_array_append_new(names, json_string(in->snap->symbol[t->ids[i]]));
    char *text = json_dumps(names, JSON_COMPACT);
    enum cs_rc rc = t->kept ? pg_each(in->conn, "looking up figures for warnings", figures_sql, 1,
                                      (const char *[]){text}, add_figures, figures, err)
                            : CS_OK;
    for (size_t i = 0; i < t->kept; i++) {
        json_t *one = json_pack("{s:s, s:I}", "symbol", in->snap->symbol[t->ids[i]], "market_cap",
                                (json_int_t)in->snap->cap[t->ids[i]]);
        json_object_update(one, json_object_get(figures, in->snap->symbol[t->ids[i]]));
        json_array_append_new(*out, one);
    }
    free(text);
    json_decref(names);
    json_decref(figures);
    return rc;
}

/* ---- the observations ---- */

static enum cs_rc
overflow(const struct warn_input *in, json_t *list, struct cs_err *err)
{
    (void)err;
    if (in->caps->overflow)
        warn_add(list, "warning", "market_cap_overflow",
                 "A close times its shares is beyond bigint; the stored market cap stays.",
                 json_pack("{s:I, s:s}", "count", (json_int_t)in->caps->overflow, "symbol",
                           in->caps->overflow_symbol));
    return CS_OK;
}

static enum cs_rc
unknown_symbols(const struct warn_input *in, json_t *list, struct cs_err *err)
{
    const struct diff_list *unknown = &in->diff->unknown;
    json_t *names = json_array();
    (void)err;
    for (size_t i = 0; i < unknown->count && i < WARN_LIST_MAX; i++)
        json_array_append_new(names, json_string(unknown->symbols[i]));
    if (unknown->count)
        warn_add(list, "warning", "unknown_symbol", "Members without a row in symbols were removed.",
                 json_pack("{s:I, s:O}", "count", (json_int_t)unknown->count, "symbols", names));
    json_decref(names);
    return CS_OK;
}

static bool
churned(const struct warn_input *in, const struct diff_universe *u)
{
    size_t most = u->added.count > u->removed.count ? u->added.count : u->removed.count;
    return u->before && u->sel && (double)most > in->limits->churn_warning * (double)u->before * (1 + 1e-12);
}

static enum cs_rc
churn(const struct warn_input *in, json_t *list, struct cs_err *err)
{
    json_t *more = json_array();
    size_t count = 0;
    (void)err;
    for (size_t i = 0; i < in->diff->count; i++) {
        const struct diff_universe *u = &in->diff->items[i];
        if (!churned(in, u))
            continue;
        if (count++ < CHURN_MAX)
            warn_add(list, "warning", "universe_churn", "A universe changed by more than the churn limit.",
                     json_pack("{s:s, s:I, s:I, s:I, s:f}", "universe", u->universe, "before",
                               (json_int_t)u->before, "added", (json_int_t)u->added.count, "removed",
                               (json_int_t)u->removed.count, "limit", in->limits->churn_warning));
        else if (json_array_size(more) < WARN_LIST_MAX)
            json_array_append_new(more, json_string(u->universe));
    }
    if (count > CHURN_MAX)
        warn_add(list, "warning", "universe_churn", "Further universes changed by more than the churn limit.",
                 json_pack("{s:I, s:O}", "count", (json_int_t)(count - CHURN_MAX), "universes", more));
    json_decref(more);
    return CS_OK;
}

static bool
listed_lately(const struct snapshot *snap, uint32_t id)
{
    int64_t age = (int64_t)snap->market_date - snap->list_date[id];
    return snap->list_date[id] != SNAPSHOT_NO_DATE && age >= 0 && age <= 30;
}

static enum cs_rc
high_listings(const struct warn_input *in, json_t *list, struct cs_err *err)
{
    uint32_t rank = 0;
    struct warn_top t = {0};
    json_t *symbols, *ranks = json_object();
    for (size_t i = 0; i < in->snap->ranking_count && rank < in->limits->new_listing_rank; i++) {
        uint32_t id = in->snap->ranking[i];
        if (!snapshot_is_stock(in->snap, id))
            continue;
        rank++;
        if (in->snap->market_date == SNAPSHOT_NO_DATE || !listed_lately(in->snap, id))
            continue;
        json_object_set_new(ranks, in->snap->symbol[id], json_integer(rank));
        warn_top_add(&t, id, (double)in->snap->cap[id]);
    }
    enum cs_rc rc = warn_describe(in, &t, &symbols, err);
    for (size_t i = 0; i < t.kept; i++) {
        const char *symbol = in->snap->symbol[t.ids[i]];
        char date[CS_DATE_LEN + 1];
        cs_date_format(in->snap->list_date[t.ids[i]], date);
        json_object_set(json_array_get(symbols, i), "rank", json_object_get(ranks, symbol));
        json_object_set_new(json_array_get(symbols, i), "list_date", json_string(date));
    }
    if (t.count)
        warn_add(list, "warning", "new_listing_rank",
                 "New listings rank among the largest stocks; check their share counts.",
                 json_pack("{s:I, s:I, s:O}", "count", (json_int_t)t.count, "limit",
                           (json_int_t)in->limits->new_listing_rank, "symbols", symbols));
    json_decref(symbols);
    json_decref(ranks);
    return rc;
}

static enum cs_rc
untraded(const struct warn_input *in, json_t *list, struct cs_err *err)
{
    struct warn_top t = {0};
    json_t *symbols;
    if (in->snap->market_date == SNAPSHOT_NO_DATE)
        return CS_OK;
    for (uint32_t id = 0; id < in->snap->count; id++)
        if (snapshot_is_stock(in->snap, id) && !(in->snap->flags[id] & SNAPSHOT_CLOSED))
            warn_top_add(&t, id, (double)in->snap->cap[id]);
    if (!t.count)
        return CS_OK;
    enum cs_rc rc = warn_describe(in, &t, &symbols, err);
    warn_add(list, "info", "no_trade",
             "Active stocks have no close on the market date; their last cap ranks.",
             json_pack("{s:I, s:o}", "count", (json_int_t)t.count, "symbols", symbols));
    return rc;
}

enum cs_rc
warn_collect(const struct warn_input *in, json_t **out, struct cs_err *err)
{
    static warn_fn *const observations[] = {overflow,      unknown_symbols, churn,         warn_cap_jumps,
                                            high_listings, untraded,        warn_returned, warn_moved};
    json_t *list = json_array();
    enum cs_rc rc = CS_OK;
    for (size_t i = 0; rc == CS_OK && i < sizeof observations / sizeof *observations; i++)
        rc = observations[i](in, list, err);
    if (rc != CS_OK) {
        json_decref(list);
        list = NULL;
    }
    *out = list;
    return rc;
}
