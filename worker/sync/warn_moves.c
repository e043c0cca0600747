/* SPDX-License-Identifier: MIT */
/*
 * warn_moves - what the log knows of symbols that move: those that come back, those whose sector flaps. Session's thread.
 */
#include <stdlib.h>
#include <string.h>

#include "worker/sync/warn_part.h"

#define LOOKBACK "30 days" /* how far flapping is counted back */

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

enum cs_rc
warn_returned(const struct warn_input *in, json_t *list, struct cs_err *err)
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
        warn_add(list, "info", "symbol_returned", "Members that had left as delisted are back.",
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

enum cs_rc
warn_moved(const struct warn_input *in, json_t *list, struct cs_err *err)
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
        warn_add(
            list, "info", "sector_changed",
            "Members moved to another sector's or industry's universe; times counts the moves of " LOOKBACK
            ".",
            json_pack("{s:I, s:O}", "count", (json_int_t)count, "symbols", moves));
    json_decref(moves);
    return rc;
}
