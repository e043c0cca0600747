/* SPDX-License-Identifier: MIT */
/*
 * warn_caps - market caps that jump: a split that has not reached the share count, or a share count that is wrong.
 * Session's thread.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/sync/warn_part.h"

#define SAME_FACTOR 1.2 /* price and cap moved by the same factor, within this */

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

enum cs_rc
warn_cap_jumps(const struct warn_input *in, json_t *list, struct cs_err *err)
{
    struct warn_top t = {0};
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
            warn_top_add(&t, id, fabs((double)in->snap->cap[id] - (double)before[id]));
    }
    if (rc == CS_OK && t.count) {
        rc = warn_describe(in, &t, &symbols, err);
        for (size_t i = 0; i < t.kept; i++)
            judge_jump(before[t.ids[i]], in->snap->cap[t.ids[i]], json_array_get(symbols, i));
        warn_add(
            list, "warning", "market_cap_jump",
            "Market caps moved by a large factor: with the price, a split may not have reached the share "
            "count; "
            "without it, the share count changed.",
            json_pack("{s:I, s:f, s:o}", "count", (json_int_t)t.count, "limit", in->limits->cap_jump_factor,
                      "symbols", symbols));
    }
    free(before);
    return rc;
}
