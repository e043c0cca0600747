/* SPDX-License-Identifier: MIT */
/*
 * run - one sync from BEGIN to COMMIT: the engine's straight line.
 *
 * Owns: the order of the stages, the transaction, the run row. Each stage is a module of its own. Session's thread.
 */
#include "worker/sync/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/failpoint.h"
#include "worker/sync/apply.h"
#include "worker/sync/begin.h"
#include "worker/sync/guard.h"
#include "worker/sync/listing.h"
#include "worker/sync/report.h"
#include "worker/sync/session.h"
#include "worker/sync/stats.h"
#include "worker/sync/warn.h"

#define BIT(family) (1U << (family))

/* What each mode covers (docs/sync.md). */
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
    const struct sync_opts *opts; /* the session's */
    char commit_within_ms[12];
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
    bool *announce; /* by id: a new listing that was never announced */
    json_t *warnings, *timings;
    struct previous_scratch scratch;
    size_t stage;                /* index in stages */
    int percent;                 /* told last */
    int64_t expected, processed; /* symbols */
    int64_t caps_changed;
    char started_at[CS_TIME_LEN + 1]; /* the caller's clock */
    char now[CS_TIME_LEN + 1];        /* of begin_sync */
};

typedef enum cs_rc stage_fn(struct run *r, struct cs_err *err);

static void progress(struct run *r, double share);

static bool
computes(const struct run *r)
{
    return modes[r->req->mode].caps || r->req->as_of;
}

static enum cs_rc
stage_begin(struct run *r, struct cs_err *err)
{
    struct begin_result begin = {0};
    enum cs_rc rc = begin_sync(r->conn, r->opts, r->req, &begin, err);
    r->res->ended = begin.ended;
    r->res->looked = begin.looked;
    if (rc != CS_OK)
        return rc;
    memcpy(r->now, begin.now, sizeof r->now);
    r->expected = begin.expected_symbols;
    r->res->doc = begin.stored;
    r->res->replayed = begin.stored != NULL;
    if (r->req->recorded_only && !r->res->replayed)
        return cs_err_set(err, CS_ENOTFOUND, "no run of the job is recorded");
    return CS_OK;
}

static enum cs_rc
stage_previous(struct run *r, struct cs_err *err)
{
    return previous_load(r->conn, r->rules, r->req->environment, &r->prev, err);
}

static void
tell_step(void *arg, size_t done, size_t total)
{
    struct run *r = arg;
    if (total)
        progress(r, done < total ? (double)done / (double)total : 1);
}

static enum cs_rc
stage_snapshot(struct run *r, struct cs_err *err)
{
    struct snapshot_opts opts = {.as_of = r->req->as_of,
                                 .compute = computes(r),
                                 .with_members_of = r->req->mode == CS_MODE_IPOS ? r->req->environment : NULL,
                                 .expected = (size_t)r->expected,
                                 .step = {tell_step, r}};
    return snapshot_load(r->conn, &opts, &r->snap, &r->caps, err);
}

static const uint32_t *
members_before(const char *universe, size_t *count, void *arg)
{
    struct run *r = arg;
    return previous_ids(&r->prev, r->snap, universe, &r->scratch, count);
}

static enum cs_rc
stage_select(struct run *r, struct cs_err *err)
{
    bool listings = r->req->mode == CS_MODE_IPOS;
    uint32_t mask = modes[r->req->mode].families | (listings ? LISTING_FAMILIES : 0);
    enum cs_rc rc = select_run(r->snap, r->rules, mask, members_before, r, &r->sel, err);
    return rc == CS_OK && listings ? listing_place(r->snap, &r->prev, r->sel, err) : rc;
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

static enum cs_rc
stage_ipos(struct run *r, struct cs_err *err)
{
    return listing_first(r->conn, r->snap, &r->diff, r->req->environment, &r->announce, err);
}

static enum cs_rc
stage_warn(struct run *r, struct cs_err *err)
{
    struct warn_input in = {.conn = r->conn,
                            .req = r->req,
                            .limits = &r->rules->limits,
                            .snap = r->snap,
                            .caps = &r->caps,
                            .diff = &r->diff,
                            .guard = &r->guard,
                            .computed = modes[r->req->mode].caps && !r->req->as_of};
    return warn_collect(&in, &r->warnings, err);
}

static struct apply
apply_of(struct run *r)
{
    return (struct apply){.conn = r->conn,
                          .req = r->req,
                          .snap = r->snap,
                          .rules = r->rules,
                          .prev = &r->prev,
                          .sel = r->sel,
                          .diff = &r->diff,
                          .mask = modes[r->req->mode].families,
                          .now = r->now,
                          .step = {tell_step, r}};
}

static enum cs_rc
stage_caps(struct run *r, struct cs_err *err)
{
    struct apply a = apply_of(r);
    if (!modes[r->req->mode].caps || r->req->as_of)
        return CS_OK;
    return apply_caps(&a, &r->caps_changed, err);
}

static enum cs_rc
stage_apply(struct run *r, struct cs_err *err)
{
    struct write_stats stats = stats_of(r->snap);
    struct apply a = apply_of(r);
    enum cs_rc rc = apply_rows(&a, &stats, &r->rows, err);
    return rc == CS_OK ? apply_log(&a, err) : rc;
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
                              stats_significant(r->snap, r->rules->limits.significant_cap_move),
                              modes[r->req->mode].families,
                              r->announce,
                              r->warnings,
                              r->timings,
                              r->started_at,
                              r->now};
    json_t *doc = report_build(&in);
    char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    enum cs_rc rc;
    if (!text) {
        rc = cs_err_set(err, CS_ENOMEM, "no memory to record the result");
    } else if (r->req->dry_run) {
        rc = pg_exec(r->conn, "ROLLBACK", "ROLLBACK", err);
    } else {
        const char *params[] = {r->req->job_id,
                                cs_mode_name(r->req->mode),
                                r->req->environment,
                                json_string_value(json_object_get(doc, "market_date")),
                                r->started_at,
                                r->now,
                                text,
                                r->commit_within_ms};
        rc = pg_query(
            r->conn, "recording the run",
            "INSERT INTO cache_sync_runs (job_id, mode, environment, market_date, started_at, committed_at, "
            "total_changes, result) SELECT $1, $2, $3, $4::date, $5::timestamptz, $6::timestamptz, "
            "(d->>'total_changes')::int, d FROM (SELECT $7::jsonb AS d, "
            "set_config('idle_in_transaction_session_timeout', $8, true)) x",
            8, params, NULL, err);
        if (rc == CS_OK && CS_FAILPOINT("sync.before_commit"))
            rc = cs_err_set(err, CS_EDOWN, "fail point before COMMIT");
        if (rc == CS_OK && r->req->may_commit && !r->req->may_commit(r->req->arg))
            rc = cs_err_code(err, CS_ECANCELED, "lease_lost", "the job's lease had run out before COMMIT");
        if (rc == CS_OK)
            rc = pg_exec(r->conn, "COMMIT", "COMMIT", err);
        if (rc == CS_OK && CS_FAILPOINT("sync.after_commit"))
            rc = cs_err_set(err, CS_EDOWN, "fail point after COMMIT");
    }
    free(text);
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
    {"begin", 0, stage_begin},
    {"previous", 2, stage_previous},
    {"snapshot", 5, stage_snapshot},
    {"select", 50, stage_select},
    {"diff", 54, stage_diff},
    {"validation", 58, stage_guard},
    {"ipo_assignment", 60, stage_ipos},
    {"warnings", 61, stage_warn},
    {"market_cap_update", 63, stage_caps},
    {"apply", 70, stage_apply},
    {"commit", 95, stage_commit},
};

#define STAGES (sizeof stages / sizeof *stages)

/* Say that a share of the stage that runs is done. What was said is never taken back. */
static void
progress(struct run *r, double share)
{
    int64_t total = r->snap ? (int64_t)r->snap->count : r->expected;
    int begin = r->stage < STAGES ? stages[r->stage].percent : 100;
    int end = r->stage + 1 < STAGES ? stages[r->stage + 1].percent : 100;
    int percent = begin + (int)((end - begin) * share);
    if (percent > r->percent)
        r->percent = percent;
    if (total * r->percent / 100 > r->processed)
        r->processed = total * r->percent / 100;
    if (total < r->processed)
        total = r->processed;
    if (r->req->on_progress)
        r->req->on_progress(&(struct sync_progress){r->stage < STAGES ? stages[r->stage].task : "done",
                                                    r->percent, total, r->processed},
                            r->req->arg);
}

static enum cs_rc
run_stages(struct run *r, struct cs_err *err)
{
    enum cs_rc rc = CS_OK;
    for (r->stage = 0; rc == CS_OK && !r->res->replayed && r->stage < STAGES; r->stage++) {
        const char *task = stages[r->stage].task;
        if (r->req->stopped && r->req->stopped(r->req->arg))
            return cs_err_code(err, CS_ECANCELED, "cancelled", "the sync was cancelled before stage %s",
                               task);
        progress(r, 0);
        int64_t begin_us = cs_clock_mono_us();
        rc = stages[r->stage].run(r, err);
        json_object_set_new(r->timings, task,
                            json_real((double)((cs_clock_mono_us() - begin_us) / 100) / 10.0));
    }
    if (rc == CS_OK) {
        r->stage = STAGES;
        progress(r, 1);
    }
    return rc;
}

/* Leave no transaction open; a connection in doubt is dropped. */
static void
settle(struct sync_session *s, PGconn *conn, enum cs_rc rc)
{
    struct cs_err ignored;
    if (!conn || PQtransactionStatus(conn) == PQTRANS_IDLE)
        return;
    if (rc == CS_ECANCELED || rc == CS_EDOWN || PQtransactionStatus(conn) == PQTRANS_UNKNOWN ||
        pg_exec(conn, "ROLLBACK", "ROLLBACK", &ignored) != CS_OK)
        sync_session_drop(s);
}

static enum cs_rc
as_cancelled(enum cs_rc rc, struct cs_err *err)
{
    if (rc == CS_EDB && strcmp(err->sqlstate, "57014") == 0)
        return cs_err_code(err, CS_ECANCELED, "cancelled", "the running statement was cancelled");
    return rc;
}

enum cs_rc
sync_run(struct sync_session *s, const struct sync_rules *rules, const struct sync_request *req,
         struct sync_result *res, struct cs_err *err)
{
    struct cs_err own = {0};
    struct run r = {.opts = &s->opts, .rules = rules, .req = req, .res = res, .timings = json_object()};
    err = err ? err : &own;
    *res = (struct sync_result){0};
    cs_time_format(req->now_ms, r.started_at);
    /* Whoever was allowed to commit must do so within a third of a lease: the server ends the session otherwise. */
    snprintf(r.commit_within_ms, sizeof r.commit_within_ms, "%u", s->opts.lease_ms / 3);
    r.conn = session_connect(s, err);
    enum cs_rc rc = r.conn ? run_stages(&r, err) : err->rc;
    rc = as_cancelled(rc, err);
    settle(s, r.conn, rc);
    diff_fini(&r.diff);
    previous_fini(&r.prev);
    selection_free(r.sel);
    snapshot_free(r.snap);
    json_decref(r.rows.fresh);
    json_decref(r.warnings);
    json_decref(r.timings);
    free(r.announce);
    free(r.scratch.ids);
    return rc;
}

void
sync_result_fini(struct sync_result *res)
{
    json_decref(res->doc);
    json_decref(res->details);
    *res = (struct sync_result){0};
}
