/* SPDX-License-Identifier: MIT */
/*
 * explain - one selection over the market, seen from one symbol. Any one thread.
 */
#include "worker/sync/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "worker/sync/previous.h"
#include "worker/sync/select.h"
#include "worker/sync/snapshot_load.h"

#define STATEMENT_TIMEOUT_MS 30000u

struct view {
    const struct explain_request *req;
    const struct sync_rules *rules;
    PGconn *conn;
    struct snapshot *snap;
    struct snapshot_caps caps;
    struct previous prev;
    struct selection *sel;
    struct previous_scratch scratch;
    uint32_t id; /* of the symbol */
};

static void
add_condition(bool holds, const char *condition, const char *figures, void *arg)
{
    json_array_append_new(
        arg, json_pack("{s:s, s:b, s:s}", "condition", condition, "holds", holds, "figures", figures));
}

static uint32_t
value_of(const struct snapshot *snap, enum rules_per per, uint32_t id)
{
    return per == RULES_PER_NONE ? 0 : per == RULES_PER_SECTOR ? snap->sector[id] : snap->industry[id];
}

/* What a rule, for the symbol's value if it is a partition, says of the symbol. */
struct place {
    const struct selected *sel; /* NULL: there is no such universe */
    size_t candidates, rank;    /* that pass the filter; the symbol's among them, 0: it does not */
    size_t member_rank;         /* 0: no member */
};

static bool
holds_value(const struct view *v, const struct selected *s)
{
    for (size_t k = 0; k < s->count; k++)
        if (value_of(v->snap, s->rule->per, s->ids[k]) == value_of(v->snap, s->rule->per, v->id))
            return true;
    return false;
}

static struct place
find_place(const struct view *v, const struct rules_universe *u)
{
    struct place p = {0};
    uint32_t value = value_of(v->snap, u->per, v->id);
    for (size_t i = 0; i < v->snap->ranking_count; i++) {
        uint32_t id = v->snap->ranking[i];
        if (value_of(v->snap, u->per, id) != value || !select_matches(v->snap, &u->filter, id))
            continue;
        p.candidates++;
        if (id == v->id)
            p.rank = p.candidates;
    }
    for (size_t i = 0; i < v->sel->count && !p.sel; i++)
        if (v->sel->items[i].rule == u && holds_value(v, &v->sel->items[i]))
            p.sel = &v->sel->items[i];
    for (size_t k = 0; p.sel && k < p.sel->count; k++)
        if (p.sel->ids[k] == v->id)
            p.member_rank = k + 1;
    return p;
}

static const char *
first_failing(const json_t *conditions)
{
    json_t *one;
    size_t i;
    json_array_foreach (conditions, i, one) {
        if (!json_is_true(json_object_get(one, "holds")))
            return json_string_value(json_object_get(one, "figures"));
    }
    return NULL;
}

static void
put_reason(const struct rules_universe *u, const struct place *p, const json_t *conditions, char *out,
           size_t len)
{
    const char *failing = first_failing(conditions);
    if (p->member_rank)
        snprintf(out, len, "rank %zu of %zu", p->member_rank, p->sel->count);
    else if (failing && !p->rank)
        snprintf(out, len, "%s", failing);
    else if (u->per != RULES_PER_NONE && !p->sel)
        snprintf(out, len,
                 "its group has %zu stocks, and is not among those with a universe (at least %" PRIu32
                 ", the %" PRIu32 " largest)",
                 p->candidates, u->per_min, u->per_limit);
    else if (u->limit && p->rank > u->limit)
        snprintf(out, len, "rank %zu of %zu, and the limit is %" PRIu32 "%s", p->rank, p->candidates,
                 u->limit, u->buffer > 0 ? " with a buffer" : "");
    else
        snprintf(out, len, "within the buffer of %g, which a newcomer has to cross", u->buffer);
}

static bool
stands_in_row(const struct view *v, const char *universe, const struct selected *s)
{
    struct rules_output outputs[RULES_OUTPUTS_MAX];
    size_t count = s ? s->rule->output_count : 0;
    for (size_t o = 0; o < count; o++)
        selected_output(s, o, &outputs[o]);
    const struct previous_row *row = previous_of(&v->prev, universe, outputs, count);
    for (size_t i = 0; row && i < row->member_count; i++)
        if (strcmp(row->members[i], v->req->symbol) == 0)
            return true;
    return false;
}

static json_t *
explain_rule(const struct view *v, const struct rules_universe *u)
{
    json_t *conditions = json_array();
    struct place p = find_place(v, u);
    const char *universe = p.sel ? p.sel->key : u->key;
    char reason[700];
    select_explain(v->snap, &u->filter, v->id, add_condition, conditions);
    if (!p.member_rank && u->also)
        select_explain(v->snap, u->also, v->id, add_condition, conditions);
    put_reason(u, &p, conditions, reason, sizeof reason);
    return json_pack("{s:s, s:s, s:b, s:b, s:o, s:o, s:s, s:o}", "universe", universe, "family",
                     rules_family_name(u->family), "member", p.member_rank != 0, "row",
                     stands_in_row(v, universe, p.sel), "rank",
                     p.member_rank ? json_integer((json_int_t)p.member_rank) : json_null(), "members",
                     p.sel ? json_integer((json_int_t)p.sel->count) : json_null(), "reason", reason,
                     "conditions", conditions);
}

static json_t *
date_or_null(int32_t days)
{
    char date[CS_DATE_LEN + 1];
    if (days == SNAPSHOT_NO_DATE)
        return json_null();
    cs_date_format(days, date);
    return json_string(date);
}

static json_t *
stock_rank(const struct view *v)
{
    json_int_t rank = 0;
    for (size_t i = 0; i < v->snap->ranking_count; i++) {
        rank += snapshot_is_stock(v->snap, v->snap->ranking[i]);
        if (v->snap->ranking[i] == v->id && snapshot_is_stock(v->snap, v->id))
            return json_integer(rank);
    }
    return json_null();
}

static json_t *
describe(const struct view *v)
{
    const struct snapshot *s = v->snap;
    uint8_t flags = s->flags[v->id];
    json_t *list = json_array();
    for (size_t i = 0; i < v->rules->count; i++)
        if (v->rules->universes[i].family != RULES_STATS)
            json_array_append_new(list, explain_rule(v, &v->rules->universes[i]));
    return json_pack("{s:s, s:s, s:s, s:o, s:b, s:s, s:I, s:o, s:s, s:s, s:o, s:o}", "symbol",
                     s->symbol[v->id], "name", s->name[v->id], "environment", v->req->environment,
                     "market_date", date_or_null(s->market_date), "active", (flags & SNAPSHOT_ACTIVE) != 0,
                     "type",
                     flags & SNAPSHOT_STOCK ? "stock"
                     : flags & SNAPSHOT_ETF ? "ETF"
                                            : "neither stock nor ETF",
                     "market_cap", (json_int_t)s->cap[v->id], "rank", stock_rank(v), "sector",
                     s->sectors.texts[s->sector[v->id]], "industry", s->industries.texts[s->industry[v->id]],
                     "list_date", date_or_null(s->list_date[v->id]), "universes", list);
}

static const uint32_t *
ids_before(const char *universe, size_t *count, void *arg)
{
    struct view *v = arg;
    return previous_ids(&v->prev, v->snap, universe, &v->scratch, count);
}

static enum cs_rc
look(struct view *v, json_t **out, struct cs_err *err)
{
    const char *params[] = {v->req->symbol};
    PGresult *res = NULL;
    enum cs_rc rc = pg_exec(v->conn, "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
    if (rc == CS_OK)
        rc = pg_query(v->conn, "looking for the symbol", "SELECT 1 FROM symbols WHERE symbol = $1", 1, params,
                      &res, err);
    if (rc == CS_OK && PQntuples(res) == 0)
        rc = cs_err_set(err, CS_ENOTFOUND,
                        "the table symbols has no symbol \"%.40s\"; it is spelt as imported (BRK/B)",
                        v->req->symbol);
    PQclear(res);
    if (rc == CS_OK)
        rc = previous_load(v->conn, v->rules, v->req->environment, &v->prev, err);
    if (rc == CS_OK)
        rc = snapshot_load(v->conn, &(struct snapshot_opts){.compute = true, .with_symbol = v->req->symbol},
                           &v->snap, &v->caps, err);
    if (rc == CS_OK)
        rc = select_run(v->snap, v->rules, ~0u, ids_before, v, &v->sel, err);
    if (rc != CS_OK)
        return rc;
    v->id = snapshot_find(v->snap, v->req->symbol, strlen(v->req->symbol));
    if (v->id == SNAPSHOT_NONE)
        return cs_err_set(err, CS_ENOTFOUND, "the symbol %.40s went away", v->req->symbol);
    *out = describe(v);
    return CS_OK;
}

enum cs_rc
explain_symbol(const struct explain_request *req, const struct sync_rules *rules, json_t **out,
               struct cs_err *err)
{
    struct view v = {.req = req, .rules = rules};
    *out = NULL;
    v.conn = pg_connect(&(struct pg_opts){.uri = req->database_uri,
                                          .application_name = "cachesync rules",
                                          .statement_timeout_ms = STATEMENT_TIMEOUT_MS},
                        err);
    if (!v.conn)
        return err->rc;
    enum cs_rc rc = look(&v, out, err);
    PQfinish(v.conn);
    selection_free(v.sel);
    snapshot_free(v.snap);
    previous_fini(&v.prev);
    free(v.scratch.ids);
    return rc;
}
