/* SPDX-License-Identifier: MIT */
/*
 * guard - one table of checks, in the order of docs/sync.md.
 *
 * Owns: the figures and the refusals. Limits come from the rules. Session's thread.
 */
#include "worker/sync/guard.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

struct check {
    PGconn *conn;
    const struct rules_limits *limits;
    const struct guard_figures *g;
    const struct snapshot *snap;
    const struct diff *d;
    const char *environment;
    json_t *details;
};

enum cs_rc
guard_collect(PGconn *conn, const struct snapshot *snap, const struct snapshot_caps *caps,
              const struct sync_request *req, struct guard_figures *g, struct cs_err *err)
{
    char now[24];
    snprintf(now, sizeof now, "%.3f", (double)req->now_ms / 1000.0);
    const char *params[] = {req->environment, now};
    PGresult *res = NULL;
    *g = (struct guard_figures){.active_stocks = caps->active_stocks, .closed_stocks = caps->closed_stocks};
    for (size_t i = 0; i < snap->ranking_count; i++)
        if (snapshot_is_stock(snap, snap->ranking[i]))
            g->total_cap += (double)snap->cap[snap->ranking[i]];
    enum cs_rc rc =
        pg_query(conn, "reading the last sync",
                 "SELECT t.d, g.active, g.cap FROM (SELECT (to_timestamp($2::float8) AT TIME ZONE "
                 "'America/New_York')::date - date '1970-01-01' AS d) t LEFT JOIN LATERAL "
                 "(SELECT result#>>'{summary,guard,active_stocks}' AS active, "
                 "result#>>'{summary,guard,total_market_cap}' AS cap FROM cache_sync_runs "
                 "WHERE environment = $1 ORDER BY committed_at DESC LIMIT 1) g ON true",
                 2, params, &res, err);
    if (rc != CS_OK)
        return rc;
    int32_t today = req->as_of ? cs_date_days(req->as_of) : (int32_t)strtol(PQgetvalue(res, 0, 0), NULL, 10);
    g->age_days = snap->market_date == SNAPSHOT_NO_DATE ? INT32_MAX : today - snap->market_date;
    g->has_last = !PQgetisnull(res, 0, 1) && !PQgetisnull(res, 0, 2);
    g->last_active_stocks = strtoll(PQgetvalue(res, 0, 1), NULL, 10);
    g->last_total_cap = strtod(PQgetvalue(res, 0, 2), NULL);
    PQclear(res);
    return CS_OK;
}

/* Whether a move is more than a share of the whole; one that is exactly at the limit is not, whatever 0.15 is in binary. */
static bool
beyond(double move, double limit, double whole)
{
    return move > limit * whole * (1 + 1e-12);
}

static enum cs_rc
check_stale(struct check *c, struct cs_err *err)
{
    if (c->snap->market_date == SNAPSHOT_NO_DATE) {
        json_object_set_new(c->details, "market_date", json_null());
        return cs_err_code(err, CS_EREFUSED, "stale_market_data",
                           "no active symbol has a usable close; import market data, then sync again");
    }
    if (c->g->age_days <= c->limits->stale_days)
        return CS_OK;
    char date[CS_DATE_LEN + 1];
    cs_date_format(c->snap->market_date, date);
    json_object_set_new(c->details, "market_date", json_string(date));
    json_object_set_new(c->details, "age_days", json_integer(c->g->age_days));
    json_object_set_new(c->details, "limit_days", json_integer(c->limits->stale_days));
    return cs_err_code(err, CS_EREFUSED, "stale_market_data",
                       "market data of %s is %d days old, more than %d; import newer data or use force", date,
                       c->g->age_days, c->limits->stale_days);
}

static enum cs_rc
check_complete(struct check *c, struct cs_err *err)
{
    double share = c->g->active_stocks ? (double)c->g->closed_stocks / (double)c->g->active_stocks : 1.0;
    if (share >= c->limits->min_close_share)
        return CS_OK;
    json_object_set_new(c->details, "active_stocks", json_integer(c->g->active_stocks));
    json_object_set_new(c->details, "with_close", json_integer(c->g->closed_stocks));
    json_object_set_new(c->details, "share", json_real(share));
    json_object_set_new(c->details, "limit", json_real(c->limits->min_close_share));
    return cs_err_code(err, CS_EREFUSED, "incomplete_market_data",
                       "only %" PRId64 " of %" PRId64
                       " active stocks have a close on the market date, under %.0f %%; "
                       "finish the import or use force",
                       c->g->closed_stocks, c->g->active_stocks, 100 * c->limits->min_close_share);
}

static enum cs_rc
shrunk(struct check *c, const char *what, int64_t before, int64_t after, struct cs_err *err)
{
    json_object_set_new(c->details, "universe", json_string(what));
    json_object_set_new(c->details, "before", json_integer(before));
    json_object_set_new(c->details, "after", json_integer(after));
    json_object_set_new(c->details, "limit", json_real(c->limits->max_shrink));
    return cs_err_code(err, CS_EREFUSED, "universe_shrink",
                       "%s would shrink from %" PRId64 " to %" PRId64
                       ", by over %.0f %%; check the import, or use force (also after a change of the rules)",
                       what, before, after, 100 * c->limits->max_shrink);
}

static enum cs_rc
check_shrink(struct check *c, struct cs_err *err)
{
    if (!c->g->has_last)
        return CS_OK;
    if (beyond((double)(c->g->last_active_stocks - c->g->active_stocks), c->limits->max_shrink,
               (double)c->g->last_active_stocks))
        return shrunk(c, "active_stocks", c->g->last_active_stocks, c->g->active_stocks, err);
    for (size_t i = 0; i < c->d->count; i++) {
        const struct diff_universe *u = &c->d->items[i];
        bool exempt = strcmp(u->family, rules_family_name(RULES_IPO)) == 0 ||
                      (u->sel && u->sel->rule->exempt_from_shrink);
        if (!exempt && u->before >= c->limits->shrink_min_members &&
            beyond((double)u->before - (double)u->after, c->limits->max_shrink, (double)u->before))
            return shrunk(c, u->universe, (int64_t)u->before, (int64_t)u->after, err);
    }
    return CS_OK;
}

/* The caps of the last committed sync stand in the row of all stocks; only a refusal reads them. */
static json_t *
contributors(struct check *c)
{
    json_t *list = json_array(), *caps = json_object();
    for (size_t i = 0; i < c->snap->ranking_count; i++) {
        uint32_t id = c->snap->ranking[i];
        if (snapshot_is_stock(c->snap, id))
            json_object_set_new(caps, c->snap->symbol[id], json_integer(c->snap->cap[id]));
    }
    char *text = json_dumps(caps, JSON_COMPACT);
    const char *params[] = {c->environment, text};
    PGresult *res = NULL;
    struct cs_err ignored;
    if (pg_query(
            c->conn, "finding the contributors",
            "SELECT symbol, coalesce(o.cap, 0), coalesce(n.cap, 0) FROM "
            "(SELECT s->>'ticker' AS symbol, (s->>'market_cap')::numeric AS cap FROM cache_entries, "
            "jsonb_array_elements(value->'stocks') s WHERE environment = $1 AND type = 'stock_universe' "
            "AND name = 'complete' AND key = 'all_stocks') o FULL JOIN "
            "(SELECT key AS symbol, value::numeric AS cap FROM jsonb_each_text($2::jsonb)) n USING (symbol) "
            "WHERE o.cap IS DISTINCT FROM n.cap ORDER BY abs(coalesce(n.cap, 0) - coalesce(o.cap, 0)) DESC, "
            "symbol LIMIT 10",
            2, params, &res, &ignored) == CS_OK)
        for (int i = 0; i < PQntuples(res); i++) {
            json_t *one = json_object();
            json_object_set_new(one, "symbol", json_string(PQgetvalue(res, i, 0)));
            json_object_set_new(one, "before", json_real(strtod(PQgetvalue(res, i, 1), NULL)));
            json_object_set_new(one, "after", json_real(strtod(PQgetvalue(res, i, 2), NULL)));
            json_array_append_new(list, one);
        }
    PQclear(res);
    free(text);
    json_decref(caps);
    return list;
}

static enum cs_rc
check_caps(struct check *c, struct cs_err *err)
{
    if (!c->g->has_last || c->g->last_total_cap <= 0)
        return CS_OK;
    double change = c->g->total_cap / c->g->last_total_cap - 1;
    if (!beyond(fabs(c->g->total_cap - c->g->last_total_cap), c->limits->max_cap_change,
                c->g->last_total_cap))
        return CS_OK;
    json_object_set_new(c->details, "total_before", json_real(c->g->last_total_cap));
    json_object_set_new(c->details, "total_after", json_real(c->g->total_cap));
    json_object_set_new(c->details, "change", json_real(change));
    json_object_set_new(c->details, "limit", json_real(c->limits->max_cap_change));
    json_object_set_new(c->details, "contributors", contributors(c));
    return cs_err_code(
        err, CS_EREFUSED, "absurd_market_cap",
        "the market would be worth %+.1f %% against the last sync, beyond %.0f %%; check the largest "
        "contributors or use force",
        100 * change, 100 * c->limits->max_cap_change);
}

enum cs_rc
guard_check(PGconn *conn, const struct rules_limits *limits, const struct guard_figures *g,
            const struct snapshot *snap, const struct diff *d, const char *environment, json_t **details,
            struct cs_err *err)
{
    static enum cs_rc (*const checks[])(struct check *, struct cs_err *) = {check_stale, check_complete,
                                                                            check_shrink, check_caps};
    struct check c = {conn, limits, g, snap, d, environment, json_object()};
    enum cs_rc rc = CS_OK;
    for (size_t i = 0; rc == CS_OK && i < sizeof checks / sizeof *checks; i++)
        rc = checks[i](&c, err);
    if (rc == CS_OK)
        json_decref(c.details);
    else
        *details = c.details;
    return rc;
}

json_t *
guard_json(const struct guard_figures *g)
{
    json_t *o = json_object();
    json_object_set_new(o, "active_stocks", json_integer(g->active_stocks));
    json_object_set_new(o, "with_close", json_integer(g->closed_stocks));
    json_object_set_new(o, "total_market_cap", json_real(g->total_cap));
    json_object_set_new(o, "age_days", g->age_days == INT32_MAX ? json_null() : json_integer(g->age_days));
    return o;
}
