/* SPDX-License-Identifier: MIT */
/*
 * run - one sync from BEGIN to COMMIT: the engine's straight line.
 *
 * Owns: the order of the stages, the transaction, the run row. Each stage is a module of its own. Session's
 * thread.
 */
#include "worker/sync/sync.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/failpoint.h"
#include "common/mem.h"
#include "worker/sync/apply.h"
#include "worker/sync/guard.h"
#include "worker/sync/report.h"
#include "worker/sync/session.h"

#define BIT(family) (1U << (family))

/* What each mode covers (contract section 4, Modes). */
static const struct {
    uint32_t families;
    bool caps; /* market caps are computed and stored */
} modes[CS_MODE_COUNT] = {
    [CS_MODE_FULL] = {BIT(RULES_FAMILY_COUNT) - 1, true},
    [CS_MODE_MARKET_CAP] = {BIT(RULES_MARKET_CAP) | BIT(RULES_MARKET_LEADER) | BIT(RULES_SECTOR) |
                                BIT(RULES_INDUSTRY) | BIT(RULES_COMPLETE) | BIT(RULES_COMBO) |
                                BIT(RULES_STATS),
                            true},
    [CS_MODE_THEMES] = {BIT(RULES_THEME), false},
    [CS_MODE_IPOS] = {BIT(RULES_IPO), false},
};

struct run {
    PGconn *conn;
    const struct sync_rules *rules;
    const struct sync_request *req;
    struct sync_result *res;
    struct snapshot *snap;
    struct snapshot_caps caps;
    struct previous prev;
    struct selection *sel;
    struct diff diff;
    struct guard_figures guard;
    struct apply_counts rows;
    json_t *new_ipos, *timings;
    uint32_t *scratch; /* ids for the buffers */
    int64_t caps_changed;
    char started_at[CS_TIME_LEN + 1], now[CS_TIME_LEN + 1];
    char logged_at[48]; /* taken under the lock, so that the log's times follow the order of the syncs */
};

typedef enum cs_rc stage_fn(struct run *r, struct cs_err *err);

static enum cs_rc
stage_begin(struct run *r, struct cs_err *err)
{
    const char *params[] = {r->req->environment, r->req->job_id};
    PGresult *res = NULL;
    if (CS_FAILPOINT("sync.before_begin"))
        return cs_err_set(err, CS_EDOWN, "fail point before BEGIN");
    enum cs_rc rc = pg_exec(r->conn, "BEGIN", "BEGIN", err);
    if (rc == CS_OK)
        rc = pg_query(r->conn, "waiting for other syncs of the environment",
                      "SELECT pg_advisory_xact_lock(hashtext('cachesync:environment'), hashtext($1))", 1,
                      params, NULL, err);
    if (rc == CS_OK && CS_FAILPOINT("sync.after_lock"))
        rc = cs_err_set(err, CS_EDOWN, "fail point after the lock");
    if (rc == CS_OK)
        rc =
            pg_query(r->conn, "looking for the run",
                     "SELECT clock_timestamp(), (SELECT result::text FROM cache_sync_runs WHERE job_id = $1)",
                     1, &params[1], &res, err);
    if (rc == CS_EDB && strcmp(err->sqlstate, "42P01") == 0)
        rc = cs_err_code(err, CS_EINVAL, "schema_missing",
                         "the database lacks our tables; run: cachesync migrate");
    if (rc == CS_OK)
        snprintf(r->logged_at, sizeof r->logged_at, "%s", PQgetvalue(res, 0, 0));
    if (rc == CS_OK && !PQgetisnull(res, 0, 1)) {
        r->res->doc = json_loads(PQgetvalue(res, 0, 1), 0, NULL);
        r->res->replayed = r->res->doc != NULL;
    }
    PQclear(res);
    return rc;
}

static enum cs_rc
stage_previous(struct run *r, struct cs_err *err)
{
    return previous_load(r->conn, r->rules, r->req->environment, &r->prev, err);
}

static enum cs_rc
stage_snapshot(struct run *r, struct cs_err *err)
{
    bool compute = modes[r->req->mode].caps || r->req->as_of;
    return snapshot_load(r->conn, r->req->as_of, compute, &r->snap, &r->caps, err);
}

static int
compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static const uint32_t *
previous_members(const char *universe, size_t *count, void *arg)
{
    struct run *r = arg;
    const struct previous_row *row = previous_of(&r->prev, universe, NULL, 0);
    json_t *value;
    size_t i;
    *count = 0;
    if (!row || !row->exists)
        return NULL;
    free(r->scratch);
    r->scratch = cs_xmalloc((json_array_size(row->members) + 1) * sizeof *r->scratch);
    json_array_foreach(row->members, i, value)
    {
        uint32_t id = snapshot_find(r->snap, json_string_value(value), json_string_length(value));
        if (id != SNAPSHOT_NONE)
            r->scratch[(*count)++] = id;
    }
    qsort(r->scratch, *count, sizeof *r->scratch, compare_ids);
    return r->scratch;
}

static enum cs_rc
stage_select(struct run *r, struct cs_err *err)
{
    return select_run(r->snap, r->rules, modes[r->req->mode].families, previous_members, r, &r->sel, err);
}

static enum cs_rc
stage_diff(struct run *r, struct cs_err *err)
{
    return diff_run(r->conn, r->snap, &r->prev, r->sel, modes[r->req->mode].families, r->req->environment,
                    &r->diff, err);
}

static enum cs_rc
stage_guard(struct run *r, struct cs_err *err)
{
    enum cs_rc rc = guard_collect(r->conn, r->snap, &r->caps, r->req, &r->guard, err);
    if (rc == CS_OK && !r->req->force)
        rc = guard_check(r->conn, &r->rules->limits, &r->guard, r->snap, &r->diff, r->req->environment,
                         &r->res->details, err);
    return rc;
}

/* Of the symbols that enter recent_ipos, those that the log has never seen enter it. */
static enum cs_rc
stage_ipos(struct run *r, struct cs_err *err)
{
    r->new_ipos = json_array();
    for (size_t i = 0; i < r->diff.count; i++) {
        const struct diff_universe *u = &r->diff.items[i];
        if (!u->sel || u->sel->rule->family != RULES_IPO || !json_array_size(u->added))
            continue;
        char *list = json_dumps(u->added, JSON_COMPACT);
        const char *params[] = {list, u->universe, r->req->environment};
        PGresult *res = NULL;
        enum cs_rc rc =
            pg_query(r->conn, "looking for new listings",
                     "SELECT s FROM jsonb_array_elements_text($1::jsonb) s WHERE NOT EXISTS (SELECT 1 FROM "
                     "sync_changes_log l WHERE l.universe = $2 AND l.environment = $3 AND l.symbol = s AND "
                     "l.action = 'added') ORDER BY s COLLATE \"C\"",
                     3, params, &res, err);
        for (int k = 0; rc == CS_OK && k < PQntuples(res); k++)
            json_array_append_new(r->new_ipos, json_string(PQgetvalue(res, k, 0)));
        PQclear(res);
        free(list);
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

static enum cs_rc
stage_caps(struct run *r, struct cs_err *err)
{
    if (!modes[r->req->mode].caps || r->req->as_of)
        return CS_OK;
    return apply_caps(r->conn, r->snap, &r->caps_changed, err);
}

static struct write_stats
stats_of(const struct snapshot *snap, double total_cap)
{
    struct write_stats t = {.total_market_cap = total_cap};
    bool *exchange = cs_xcalloc(snap->texts.count, 1), *sector = cs_xcalloc(snap->sectors.count, 1);
    for (size_t i = 0; i < snap->ranking_count; i++) {
        uint32_t id = snap->ranking[i];
        if (!snapshot_is_stock(snap, id))
            continue;
        t.total_stocks++;
        exchange[snap->exchange[id]] = sector[snap->sector[id]] = true;
    }
    for (uint32_t i = 1; i < snap->texts.count; i++)
        t.unique_exchanges += exchange[i];
    for (uint32_t i = 1; i < snap->sectors.count; i++)
        t.unique_sectors += sector[i];
    free(exchange);
    free(sector);
    return t;
}

static enum cs_rc
stage_apply(struct run *r, struct cs_err *err)
{
    struct write_stats stats = stats_of(r->snap, r->guard.total_cap);
    enum cs_rc rc = apply_rows(r->conn, r->snap, r->rules, r->sel, &r->prev, &stats,
                               modes[r->req->mode].families, r->req, r->now, &r->rows, err);
    return rc == CS_OK ? apply_log(r->conn, &r->diff, r->req, r->logged_at, err) : rc;
}

static int64_t
significant(const struct run *r)
{
    int64_t n = 0;
    for (size_t i = 0; i < r->snap->count; i++) {
        int64_t was = r->snap->stored_cap[i];
        if ((r->snap->flags[i] & SNAPSHOT_PRICED) && was > 0)
            n += fabs((double)r->snap->cap[i] / (double)was - 1) > r->rules->limits.significant_cap_move;
    }
    return n;
}

/* The run row makes the effect happen once; a dry run leaves nothing. */
static enum cs_rc
stage_commit(struct run *r, struct cs_err *err)
{
    struct report_input in = {r->req,
                              r->rules,
                              r->snap,
                              &r->caps,
                              &r->guard,
                              &r->prev,
                              &r->diff,
                              &r->rows,
                              r->caps_changed,
                              significant(r),
                              modes[r->req->mode].families,
                              r->new_ipos,
                              r->timings,
                              r->started_at,
                              r->now};
    json_t *doc = report_build(&in);
    enum cs_rc rc;
    if (r->req->dry_run) {
        rc = pg_exec(r->conn, "ROLLBACK", "ROLLBACK", err);
    } else {
        char *text = json_dumps(doc, JSON_COMPACT);
        const char *params[] = {r->req->job_id,
                                cs_mode_name(r->req->mode),
                                r->req->environment,
                                json_string_value(json_object_get(doc, "market_date")),
                                r->started_at,
                                r->now,
                                text};
        rc = pg_query(
            r->conn, "recording the run",
            "INSERT INTO cache_sync_runs (job_id, mode, environment, market_date, started_at, committed_at, "
            "total_changes, result) SELECT $1, $2, $3, $4::date, $5::timestamptz, $6::timestamptz, "
            "(d->>'total_changes')::int, d FROM (SELECT $7::jsonb AS d) x",
            7, params, NULL, err);
        if (rc == CS_OK && CS_FAILPOINT("sync.before_commit"))
            rc = cs_err_set(err, CS_EDOWN, "fail point before COMMIT");
        if (rc == CS_OK)
            rc = pg_exec(r->conn, "COMMIT", "COMMIT", err);
        if (rc == CS_OK && CS_FAILPOINT("sync.after_commit"))
            rc = cs_err_set(err, CS_EDOWN, "fail point after COMMIT");
        free(text);
    }
    if (rc == CS_OK)
        r->res->doc = doc;
    else
        json_decref(doc);
    return rc;
}

static const struct {
    const char *task;
    int percent; /* when it begins */
    stage_fn *run;
} stages[] = {
    {"begin", 0, stage_begin},          {"previous", 2, stage_previous},
    {"snapshot", 5, stage_snapshot},    {"select", 40, stage_select},
    {"diff", 50, stage_diff},           {"validation", 55, stage_guard},
    {"ipo_assignment", 58, stage_ipos}, {"market_cap_update", 60, stage_caps},
    {"apply", 70, stage_apply},         {"commit", 95, stage_commit},
};

static void
progress(struct run *r, const char *task, int percent)
{
    int64_t total = r->snap ? (int64_t)r->snap->count : 0;
    if (r->req->on_progress)
        r->req->on_progress(&(struct sync_progress){task, percent, total, total * percent / 100},
                            r->req->arg);
}

static enum cs_rc
run_stages(struct run *r, struct cs_err *err)
{
    enum cs_rc rc = CS_OK;
    for (size_t i = 0; rc == CS_OK && !r->res->replayed && i < sizeof stages / sizeof *stages; i++) {
        if (r->req->stopped && r->req->stopped(r->req->arg))
            return cs_err_code(err, CS_ECANCELED, "cancelled", "the sync was cancelled before stage %s",
                               stages[i].task);
        progress(r, stages[i].task, stages[i].percent);
        int64_t begin_us = cs_clock_mono_us();
        rc = stages[i].run(r, err);
        json_object_set_new(r->timings, stages[i].task,
                            json_real((double)((cs_clock_mono_us() - begin_us) / 100) / 10.0));
    }
    if (rc == CS_OK)
        progress(r, "done", 100);
    return rc;
}

enum cs_rc
sync_run(struct sync_session *s, const struct sync_rules *rules, const struct sync_request *req,
         struct sync_result *res, struct cs_err *err)
{
    struct cs_err own;
    struct run r = {.rules = rules, .req = req, .res = res, .timings = json_object()};
    err = err ? err : &own;
    *res = (struct sync_result){0};
    cs_time_format(req->now_ms, r.started_at);
    cs_time_format(req->now_ms, r.now);
    r.conn = session_connect(s, err);
    enum cs_rc rc = r.conn ? run_stages(&r, err) : err->rc;
    if (rc == CS_EDB && strcmp(err->sqlstate, "57014") == 0)
        rc = cs_err_code(err, CS_ECANCELED, "cancelled", "the running statement was cancelled");
    if (r.conn && PQtransactionStatus(r.conn) != PQTRANS_IDLE) {
        struct cs_err ignored;
        if (rc == CS_ECANCELED || PQtransactionStatus(r.conn) == PQTRANS_UNKNOWN ||
            pg_exec(r.conn, "ROLLBACK", "ROLLBACK", &ignored) != CS_OK)
            sync_session_drop(s);
    }
    diff_fini(&r.diff);
    previous_fini(&r.prev);
    selection_free(r.sel);
    snapshot_free(r.snap);
    json_decref(r.rows.fresh);
    json_decref(r.new_ipos);
    json_decref(r.timings);
    free(r.scratch);
    return rc;
}

void
sync_result_fini(struct sync_result *res)
{
    json_decref(res->doc);
    json_decref(res->details);
    *res = (struct sync_result){0};
}
