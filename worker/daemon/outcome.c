/* SPDX-License-Identifier: MIT */
/*
 * outcome - what becomes of a job when its attempt is over: completed, tried again, looked up, handed back, or failed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "worker/daemon/daemon.h"

#define BACKOFF_MS INT64_C(1000)
#define BACKOFF_MAX_MS INT64_C(30000)
#define BACKOFF_LEAST_MS INT64_C(100)

/* The one decision: is a failure worth another attempt? */
static bool
is_transient(enum cs_rc rc, const struct cs_err *err)
{
    static const char *const states[] = {"08", "40001", "40P01", "57P0", "53", "25P03", "55P03"};

    if (strcmp(err->code, "lease_lost") == 0)
        return true;
    if (rc == CS_EDOWN || (rc == CS_EDB && !err->sqlstate[0])) /* libpq gives no state to a lost connection */
        return true;
    for (size_t i = 0; rc == CS_EDB && i < sizeof(states) / sizeof(*states); i++)
        if (strncmp(err->sqlstate, states[i], strlen(states[i])) == 0)
            return true;
    return false;
}

static void
retry(struct job *job, const char *why, int refund)
{
    int64_t most_ms = BACKOFF_MS, wait_ms;

    for (int i = 1; i < job->attempts && most_ms < BACKOFF_MAX_MS; i++)
        most_ms *= 3;
    if (most_ms > BACKOFF_MAX_MS)
        most_ms = BACKOFF_MAX_MS;
    wait_ms = BACKOFF_LEAST_MS + random() % most_ms; /* full jitter: a fleet must not come back in one beat */
    job->d->retried++;
    CS_LOG(CS_LOG_WARN, "job_retry", job->job_id, cs_kv_s("error", why), cs_kv_i("attempt", job->attempts),
           cs_kv_i("wait_ms", wait_ms));
    job->release.back = false;
    job->release.refund = refund;
    job->release.due_ms = cs_clock_wall_ms() + wait_ms;
    job_later(job, JOB_RELEASING, 0);
    run_release(job);
}

static const char *
failure_code(enum cs_rc rc, const struct cs_err *err)
{
    static const struct {
        enum cs_rc rc;
        const char *code;
    } codes[] = {{CS_EDOWN, "database_unavailable"},
                 {CS_EDB, "database_error"},
                 {CS_ENOMEM, "out_of_memory"},
                 {CS_ECANCELED, "cancelled"}};

    for (size_t i = 0; !err->code[0] && i < sizeof(codes) / sizeof(*codes); i++)
        if (codes[i].rc == rc)
            return codes[i].code;
    return err->code[0] ? err->code : "internal_error";
}

/* The question whether an attempt had committed has its answer, or none yet. */
static void
looked_up(struct job *job, enum cs_rc rc, const struct cs_err *err)
{
    if (rc == CS_ENOTFOUND && job->cancelled) {
        finish_failed(job, "cancelled", "cancelled while it ran; nothing was written", NULL, false);
    } else if (rc == CS_ENOTFOUND) {
        job->attempts--;
        finish_failed(job, "attempts_exhausted",
                      "its workers died or failed too often: see the log of the workers", NULL, false);
    } else if (job->in_doubt || is_transient(rc, err) || rc == CS_ECANCELED || job->timed_out) {
        retry(job, err->msg, 1); /* until PostgreSQL tells: it may have committed */
    } else {
        finish_failed(job, failure_code(rc, err), err->msg, NULL, false);
    }
}

static void
failed(struct job *job, enum cs_rc rc, const struct cs_err *err, const json_t *details)
{
    json_t *figures;
    char *message;

    figures = details ? json_deep_copy(details) : json_object();
    if (err->sqlstate[0])
        json_object_set_new(figures, "sqlstate", json_string(err->sqlstate));
    json_object_set_new(figures, "attempts", json_integer(job->attempts));
    message = job->timed_out ? cs_xasprintf("it took longer than CACHESYNC_JOB_TIMEOUT_S=%" PRId64
                                            ": %s; see what PostgreSQL waits for, or raise the time",
                                            job->d->cfg.job_timeout_s, err->msg)
                             : cs_xstrdup(err->msg);
    finish_failed(job, job->timed_out ? "timeout" : failure_code(rc, err), message, figures, false);
    free(message);
    json_decref(figures);
}

void
outcome_failed(struct job *job, enum cs_rc rc, const struct cs_err *err, const json_t *details)
{
    bool again = is_transient(rc, err) || job->timed_out;

    if (job->d->stopping && rc == CS_ECANCELED && !job->cancelled)
        run_hand_back(job, 1);
    else if (job->recorded_only)
        looked_up(job, rc, err);
    else if (job->cancelled && !job->in_doubt)
        finish_failed(job, "cancelled", "cancelled while it ran; nothing was written", NULL, false);
    else if (job->cancelled || strcmp(err->code, "lease_lost") == 0)
        retry(job, err->msg, 1);
    else if (job->in_doubt || (again && job->attempts < job->d->cfg.max_attempts))
        retry(job, err->msg, 0);
    else
        failed(job, rc, err, details);
}

/* COMMIT was sent, and nobody said what became of it. */
static bool
unanswered(const struct pool_report *report)
{
    bool refused = report->err.sqlstate[0] && report->rc != CS_EDOWN;

    return atomic_load(&report->work->phase) == WORK_COMMITTING && !refused;
}

void
outcome_done(struct job *job, struct pool_report *report)
{
    job->in_doubt = unanswered(report) || (job->in_doubt && !report->result.looked);
    if (report->result.ended)
        CS_LOG(CS_LOG_WARN, "frozen_session_ended", job->job_id, cs_kv_s("environment", job->cmd.environment),
               cs_kv_i("sessions", report->result.ended));
    free(job->work);
    job->work = NULL;
    if (job->lost)
        jobs_drop(job);
    else if (report->rc == CS_OK)
        finish_job(job,
                   &(struct finish){.status = CS_STATUS_COMPLETED, .doc = report->result.doc, .ran = true});
    else
        outcome_failed(job, report->rc, &report->err, report->result.details);
}
