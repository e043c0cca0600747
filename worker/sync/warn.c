/* SPDX-License-Identifier: MIT */
/*
 * warn - one table of observations; each looks at the whole market and names the largest few.
 *
 * Owns: the words and figures of summary.warnings. Does not: refuse anything. Session's thread.
 */
#include "worker/sync/warn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define CHURN_MAX 100      /* warnings of churn; further universes are named in one */
#define SAME_FACTOR 1.2    /* price and cap moved by the same factor, within this */
#define LOOKBACK "30 days" /* how far flapping is counted back */

/* The few largest of many: symbols by weight, the rest only counted. */
struct top {
    size_t count; /* seen */
    size_t kept;
    uint32_t ids[WARN_LIST_MAX];
    double weights[WARN_LIST_MAX];
};

static void
top_add(struct top *t, uint32_t id, double weight)
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

static void
add(json_t *list, const char *severity, const char *code, const char *message, json_t *context)
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
static enum cs_rc
describe(const struct warn_input *in, const struct top *t, json_t **out, struct cs_err *err)
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

typedef enum cs_rc observe_fn(const struct warn_input *in, json_t *list, struct cs_err *err);

static enum cs_rc
overflow(const struct warn_input *in, json_t *list, struct cs_err *err)
{
    (void)err;
    if (in->caps->overflow)
        add(list, "warning", "market_cap_overflow",
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
        add(list, "warning", "unknown_symbol", "Members without a row in symbols were removed.",
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
            add(list, "warning", "universe_churn", "A universe changed by more than the churn limit.",
                json_pack("{s:s, s:I, s:I, s:I, s:f}", "universe", u->universe, "before",
                          (json_int_t)u->before, "added", (json_int_t)u->added.count, "removed",
                          (json_int_t)u->removed.count, "limit", in->limits->churn_warning));
        else if (json_array_size(more) < WARN_LIST_MAX)
            json_array_append_new(more, json_string(u->universe));
    }
    if (count > CHURN_MAX)
        add(list, "warning", "universe_churn", "Further universes changed by more than the churn limit.",
            json_pack("{s:I, s:O}", "count", (json_int_t)(count - CHURN_MAX), "universes", more));
    json_decref(more);
    return CS_OK;
}

/* ---- caps that jump ---- */

/* Into arg, a struct before: the cap of a symbol at the last sync. */
struct before {
    const struct snapshot *snap;
    int64_t *caps; /* by id; 0: not known */
};

static bool
add_before(const PGresult *res, void *arg)
{
    struct before *b = arg;
    const char *symbol = PQgetvalue(res, 0, 0);
    uint32_t id = snapshot_find(b->snap, symbol, strlen(symbol));
    if (id != SNAPSHOT_NONE)
        b->caps[id] = strtoll(PQgetvalue(res, 0, 1), NULL, 10);
    return true;
}

/*
 * The caps of the last sync stand in the row of all stocks: an importer may have overwritten the stored ones since. Not
 * read when the market's sum is what it was: then nothing moved.
 */
static enum cs_rc
caps_before(const struct warn_input *in, int64_t *caps, struct cs_err *err)
{
    struct before before = {in->snap, caps};
    if (!in->guard->has_last || in->guard->last_total_cap == in->guard->total_cap)
        return CS_OK;
    return pg_each(
        in->conn, "reading the caps of the last sync",
        "SELECT s->>'ticker', s->>'market_cap' FROM cache_entries, jsonb_array_elements(CASE "
        "jsonb_typeof(value->'stocks') WHEN 'array' THEN value->'stocks' END) s "
        "WHERE environment = $1 AND type = 'stock_universe' AND name = 'complete' AND key = "
        "'all_stocks' AND jsonb_typeof(s->'ticker') = 'string' AND jsonb_typeof(s->'market_cap') = 'number'",
        1, (const char *[]){in->req->environment}, add_before, &before, err);
}

/* A split reaches the price nights before the share count: the cap is then off by the split's factor. */
static void
judge_jump(int64_t before, int64_t after, json_t *one)
{
    double factor = (double)after / (double)before;
    double close = json_number_value(json_object_get(one, "close"));
    double close_before = json_number_value(json_object_get(one, "close_before"));
    double price = close > 0 && close_before > 0 ? close / close_before : 0;
    bool alike = factor / price < SAME_FACTOR && price / factor < SAME_FACTOR;
    json_object_set_new(one, "market_cap_before", json_integer(before));
    json_object_set_new(one, "factor", json_real(factor));
    json_object_set_new(one, "price_factor", price > 0 ? json_real(price) : json_null());
    json_object_set_new(one, "moved_with", json_string(price <= 0 ? "unknown" : alike ? "price" : "shares"));
}

static bool
jumped(const struct warn_input *in, uint32_t id, int64_t before)
{
    double was = (double)before, is = (double)in->snap->cap[id], limit = in->limits->cap_jump_factor;
    return snapshot_is_stock(in->snap, id) && before > 0 && (is >= limit * was || was >= limit * is);
}

static enum cs_rc
cap_jumps(const struct warn_input *in, json_t *list, struct cs_err *err)
{
    struct top t = {0};
    json_t *symbols;
    if (!in->computed || in->limits->cap_jump_factor < 1)
        return CS_OK;
    int64_t *before = calloc(in->snap->count + 1, sizeof *before);
    if (!before)
        return cs_err_set(err, CS_ENOMEM, "no memory to compare market caps");
    enum cs_rc rc = caps_before(in, before, err);
    for (uint32_t id = 0; id < in->snap->count; id++) {
        if (!before[id] && (in->snap->flags[id] & SNAPSHOT_PRICED))
            before[id] = in->snap->stored_cap[id];
        if (jumped(in, id, before[id]))
            top_add(&t, id, fabs((double)in->snap->cap[id] - (double)before[id]));
    }
    if (rc == CS_OK && t.count) {
        rc = describe(in, &t, &symbols, err);
        for (size_t i = 0; i < t.kept; i++)
            judge_jump(before[t.ids[i]], in->snap->cap[t.ids[i]], json_array_get(symbols, i));
        add(list, "warning", "market_cap_jump",
            "Market caps moved by a large factor: with the price, a split may not have reached the share "
            "count; "
            "without it, the share count changed.",
            json_pack("{s:I, s:f, s:o}", "count", (json_int_t)t.count, "limit", in->limits->cap_jump_factor,
                      "symbols", symbols));
    }
    free(before);
    return rc;
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
    struct top t = {0};
    json_t *symbols, *ranks = json_object();
    for (size_t i = 0; i < in->snap->ranking_count && rank < in->limits->new_listing_rank; i++) {
        uint32_t id = in->snap->ranking[i];
        if (!snapshot_is_stock(in->snap, id))
            continue;
        rank++;
        if (in->snap->market_date == SNAPSHOT_NO_DATE || !listed_lately(in->snap, id))
            continue;
        json_object_set_new(ranks, in->snap->symbol[id], json_integer(rank));
        top_add(&t, id, (double)in->snap->cap[id]);
    }
    enum cs_rc rc = describe(in, &t, &symbols, err);
    for (size_t i = 0; i < t.kept; i++) {
        const char *symbol = in->snap->symbol[t.ids[i]];
        char date[CS_DATE_LEN + 1];
        cs_date_format(in->snap->list_date[t.ids[i]], date);
        json_object_set(json_array_get(symbols, i), "rank", json_object_get(ranks, symbol));
        json_object_set_new(json_array_get(symbols, i), "list_date", json_string(date));
    }
    if (t.count)
        add(list, "warning", "new_listing_rank",
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
    struct top t = {0};
    json_t *symbols;
    if (in->snap->market_date == SNAPSHOT_NO_DATE)
        return CS_OK;
    for (uint32_t id = 0; id < in->snap->count; id++)
        if (snapshot_is_stock(in->snap, id) && !(in->snap->flags[id] & SNAPSHOT_CLOSED))
            top_add(&t, id, (double)in->snap->cap[id]);
    if (!t.count)
        return CS_OK;
    enum cs_rc rc = describe(in, &t, &symbols, err);
    add(list, "info", "no_trade", "Active stocks have no close on the market date; their last cap ranks.",
        json_pack("{s:I, s:o}", "count", (json_int_t)t.count, "symbols", symbols));
    return rc;
}

/* ---- what the log knows of symbols that move ---- */

/* Into arg, an array: the row as an object of texts. */
static bool
add_row(const PGresult *res, void *arg)
{
    json_t *one = json_object(), *all = arg;
    for (int c = 0; c < PQnfields(res); c++)
        json_object_set_new(one, PQfname(res, c), json_string(PQgetvalue(res, 0, c)));
    json_array_append_new(all, one);
    return true;
}

static enum cs_rc
ask_log(const struct warn_input *in, const char *sql, json_t *pairs, json_t **out, struct cs_err *err)
{
    char *text = json_dumps(pairs, JSON_COMPACT);
    *out = json_array();
    enum cs_rc rc = json_array_size(pairs)
                        ? pg_each(in->conn, "asking the log for warnings", sql, 2,
                                  (const char *[]){text, in->req->environment}, add_row, *out, err)
                        : CS_OK;
    free(text);
    json_decref(pairs);
    return rc;
}

#define PAIRS_MAX                                                                                            \
    10000 /* symbols of one night that are asked about; a truncated file can bring half the market back */

static enum cs_rc
returned(const struct warn_input *in, json_t *list, struct cs_err *err)
{
    static const char sql[] =
        "SELECT p.symbol, to_char(l.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS "
        "left_at "
        "FROM jsonb_to_recordset($1::jsonb) AS p(universe text, symbol text), LATERAL (SELECT reason, "
        "created_at "
        "FROM sync_changes_log l WHERE l.environment = $2 AND l.universe = p.universe AND l.symbol = "
        "p.symbol "
        "ORDER BY created_at DESC, id DESC LIMIT 1) l WHERE l.reason = 'delisted' "
        "AND l.created_at > now() - interval '" LOOKBACK "' ORDER BY p.symbol COLLATE \"C\"";
    json_t *pairs = json_array(), *back;
    for (size_t i = 0; i < in->diff->count; i++) {
        const struct diff_universe *u = &in->diff->items[i];
        bool all = u->existed && u->sel && u->sel->rule->family == RULES_COMPLETE;
        for (size_t k = 0; all && k < u->added.count && json_array_size(pairs) < PAIRS_MAX; k++)
            json_array_append_new(
                pairs, json_pack("{s:s, s:s}", "universe", u->universe, "symbol", u->added.symbols[k]));
    }
    enum cs_rc rc = ask_log(in, sql, pairs, &back, err);
    size_t count = json_array_size(back);
    while (json_array_size(back) > WARN_LIST_MAX)
        json_array_remove(back, json_array_size(back) - 1);
    if (count)
        add(list, "info", "symbol_returned", "Members that had left as delisted are back.",
            json_pack("{s:I, s:O}", "count", (json_int_t)count, "symbols", back));
    json_decref(back);
    return rc;
}

/* A member that left a universe of a partition. */
struct leaver {
    const char *symbol, *universe, *family;
};

static int
by_symbol_and_family(const void *a, const void *b)
{
    const struct leaver *x = a, *y = b;
    int c = strcmp(x->symbol, y->symbol);
    return c ? c : strcmp(x->family, y->family);
}

static struct leaver *
partition_leavers(const struct diff *d, size_t *count)
{
    size_t room = 0;
    for (size_t i = 0; i < d->count; i++)
        room += d->items[i].removed.count;
    struct leaver *all = cs_xcalloc(room + 1, sizeof *all);
    *count = 0;
    for (size_t i = 0; i < d->count; i++) {
        const struct diff_universe *u = &d->items[i];
        for (size_t k = 0; u->sel && u->sel->rule->per != RULES_PER_NONE && k < u->removed.count; k++)
            all[(*count)++] = (struct leaver){u->removed.symbols[k], u->universe, u->family};
    }
    qsort(all, *count, sizeof *all, by_symbol_and_family);
    return all;
}

/* Pairs to ask the log about, and how many there are in all. */
static json_t *
moves_of(const struct diff *d, size_t *count)
{
    size_t leavers;
    struct leaver *left = partition_leavers(d, &leavers);
    json_t *pairs = json_array();
    *count = 0;
    for (size_t i = 0; i < d->count; i++) {
        const struct diff_universe *u = &d->items[i];
        for (size_t k = 0; u->sel && u->sel->rule->per != RULES_PER_NONE && k < u->added.count; k++) {
            struct leaver wanted = {u->added.symbols[k], NULL, u->family};
            const struct leaver *from =
                leavers ? bsearch(&wanted, left, leavers, sizeof *left, by_symbol_and_family) : NULL;
            if (from && (*count)++ < WARN_LIST_MAX)
                json_array_append_new(pairs, json_pack("{s:s, s:s, s:s}", "symbol", wanted.symbol, "from",
                                                       from->universe, "to", u->universe));
        }
    }
    free(left);
    return pairs;
}

static enum cs_rc
moved_groups(const struct warn_input *in, json_t *list, struct cs_err *err)
{
    static const char sql[] =
        "SELECT p.symbol, p.\"from\", p.\"to\", 1 + (SELECT count(*) FROM sync_changes_log l WHERE "
        "l.environment = $2 "
        "AND l.universe = p.\"to\" AND l.symbol = p.symbol AND l.action = 'added' "
        "AND l.created_at > now() - interval '" LOOKBACK "') AS times "
        "FROM jsonb_to_recordset($1::jsonb) AS p(symbol text, \"from\" text, \"to\" text)";
    size_t count;
    json_t *moves, *pairs = moves_of(in->diff, &count);
    enum cs_rc rc = ask_log(in, sql, pairs, &moves, err);
    if (count)
        add(list, "info", "sector_changed",
            "Members moved to another sector's or industry's universe; times counts the moves of " LOOKBACK
            ".",
            json_pack("{s:I, s:O}", "count", (json_int_t)count, "symbols", moves));
    json_decref(moves);
    return rc;
}

enum cs_rc
warn_collect(const struct warn_input *in, json_t **out, struct cs_err *err)
{
    static observe_fn *const observations[] = {overflow,      unknown_symbols, churn,    cap_jumps,
                                               high_listings, untraded,        returned, moved_groups};
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
