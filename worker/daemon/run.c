/* SPDX-License-Identifier: MIT */
/*
 * run - a pending job gets a thread, which reports or is written off; or goes back to wait, here or for any worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "worker/daemon/daemon.h"
#include "worker/daemon/events.h"
#include "worker/daemon/pings.h"

#define BUSY_US INT64_C(200000) /* another worker syncs the environment */
#define STUCK_MAX 8 /* threads written off, each with its stack and connection, before the daemon ends */
#define MARK_AFTER_MS INT64_C(60000)

/* ---- start ---- */

void
run_cancelled(struct job *job)
{
    if (job->in_doubt)
        job_later(job, JOB_WAITING, 0);
    else
        finish_failed(job, "cancelled", "cancelled before it ran", NULL, false);
}

static void
run(struct job *job)
{
    struct daemon *d = job->d;

    struct job_work *w = cs_xcalloc(1, sizeof(*w));

    w->cmd = job->cmd;
    memcpy(w->job_id, job->job_id, sizeof(w->job_id));
    w->work.kind = POOL_SYNC;
    w->work.job_id = w->job_id;
    w->work.cmd = &w->cmd;
    w->work.rules = d->rules;
    w->work.now_ms = job->start_ms;
    w->work.recorded_only = job->recorded_only;
    w->work.owner = job;
    atomic_store(&w->work.lease_until_us, job->sent_us + d->cfg.lease_ms * 1000);
    job->work = w;
    job->told_us = 0;
    job->timed_out = false;
    job->deadline_us = cs_clock_mono_us() + d->cfg.job_timeout_s * 1000000;
    if (pool_submit(d->pool, &w->work) != CS_OK) {
        free(w);
        job->work = NULL;
        job->release.back = false;
        job->release.refund = 1;
        job->release.due_ms = 0;
        job_later(job, JOB_RELEASING, 0);
        run_release(job);
        return;
    }
    job->state = JOB_RUNNING;
    CS_LOG(CS_LOG_INFO, "job_started", job->job_id, cs_kv_s("mode", cs_mode_name(job->cmd.mode)),
           cs_kv_s("environment", job->cmd.environment), cs_kv_i("attempt", job->attempts));
}

static void
started(struct job *job, const struct cs_reply *r)
{
    job->attempts = (int)cs_reply_int(cs_reply_at(r, 1));
    job->in_doubt = job_told(r, 2);
    job->cancelled = job->cancelled || job_told(r, 3);
    job->recorded_only = job->attempts > job->d->cfg.max_attempts || (job->cancelled && job->in_doubt);
    if (job->cancelled && !job->in_doubt)
        run_cancelled(job);
    else
        run(job);
}

static void
not_started(struct job *job, const struct cs_reply *r)
{
    CS_LOG(CS_LOG_WARN, "job_not_started", job->job_id,
           cs_kv_s("answer", cs_reply_str(cs_reply_at(r, 0), NULL)));
    jobs_drop(job);
}

static void
busy(struct job *job, const struct cs_reply *r)
{
    (void)r;
    job_later(job, JOB_WAITING, BUSY_US / 2 + random() % BUSY_US);
    if (job->cancelled && !job->in_doubt)
        run_cancelled(job);
}

static void
told_to_stop(struct job *job, const struct cs_reply *r)
{
    (void)r;
    job->in_doubt = false;
    run_cancelled(job);
}

static void
gone(struct job *job, const struct cs_reply *r)
{
    (void)r;
    job_later(job, JOB_ADMITTING, 0);
}

static void
on_start_reply(const struct cs_reply *r, void *arg)
{
    static const struct {
        const char *word;
        void (*act)(struct job *job, const struct cs_reply *r);
    } answers[] = {{"started", started}, {"busy", busy},         {"cancelled", told_to_stop},
                   {"gone", gone},       {"ended", not_started}, {"lost", not_started}};
    struct job *job = arg;
    struct daemon *d = job->d;
    const char *word = cs_reply_str(cs_reply_at(r, 0), NULL);
    size_t i = 0;

    if (!job_answered(job, r, "start"))
        return;
    while (i + 1 < sizeof(answers) / sizeof(*answers) && (!word || strcmp(word, answers[i].word) != 0))
        i++;
    answers[i].act(job, r);
    jobs_run(d);
    intake_read(d);
    daemon_maybe_stop(d);
}

static void
add_places(struct args *a, const struct job *job)
{
    char key[CS_KEY_MAX];

    job_add_head(a, job);
    args_add(a, cs_key_pending(&job->d->keys, job->cmd.environment, key));
    args_add(a, cs_key_running(&job->d->keys, job->cmd.environment, key));
}

void
run_start(struct job *job)
{
    struct args a = {0};
    char when[CS_TIME_LEN + 1], slot[64];

    job->start_ms = cs_clock_wall_ms();
    job->sent_us = cs_clock_mono_us();
    cs_time_format(job->start_ms, when);
    job_slot(slot, job);
    add_places(&a, job);
    job_add_owner(&a, job);
    args_add(&a, job->job_id);
    args_add(&a, when);
    args_add(&a, slot);
    args_int(&a, job->d->cfg.job_timeout_s * 1000 + MARK_AFTER_MS);
    job_eval(job, "worker/lua/start.lua", on_start_reply, 4, &a);
}

/* ---- release ---- */

static void
on_release_reply(const struct cs_reply *r, void *arg)
{
    struct job *job = arg;
    struct daemon *d = job->d;
    const char *word = cs_reply_str(r, NULL);
    int64_t wait_ms;

    if (!job_answered(job, r, "release"))
        return;
    wait_ms = job->release.due_ms - cs_clock_wall_ms();
    if (strcmp(word ? word : "", "trimmed") == 0) {
        finish_failed(job, "entry_trimmed", "its entry was trimmed from the stream: send the command again",
                      NULL, false);
    } else if (job->release.back || strcmp(word ? word : "", "ok") != 0) {
        CS_LOG(CS_LOG_INFO, "job_handed_back", job->job_id, cs_kv_s("answer", word));
        jobs_drop(job);
    } else {
        job->start_ms = 0;
        job_later(job, JOB_WAITING, wait_ms > 0 ? wait_ms * 1000 : 0);
        if (job->cancelled && !job->in_doubt)
            run_cancelled(job);
        else if (d->stopping)
            run_hand_back(job, 0);
    }
    jobs_run(d);
    intake_read(d);
    daemon_maybe_stop(d);
}

void
run_release(struct job *job)
{
    struct args a = {0};
    char slot[64];

    job_slot(slot, job);
    add_places(&a, job);
    args_add(&a, job->d->keys.metrics);
    job_add_owner(&a, job);
    args_add(&a, job->job_id);
    args_add(&a, slot);
    args_add(&a, job->release.back ? "back" : "retry");
    args_int(&a, job->release.refund);
    args_int(&a, job->release.due_ms);
    args_add(&a, job->in_doubt ? "1" : "");
    job_eval(job, "worker/lua/release.lua", on_release_reply, 5, &a);
}

void
run_hand_back(struct job *job, int refund)
{
    job->release.back = true;
    job->release.refund = refund;
    if (job->state != JOB_WAITING)
        job->release.due_ms = 0;
    job_later(job, JOB_RELEASING, 0);
    run_release(job);
}

void
run_stop(struct daemon *d)
{
    struct job *job, *following;

    for (job = TAILQ_FIRST(&d->jobs); job; job = following) {
        following = TAILQ_NEXT(job, next);
        if (job->state == JOB_WAITING && !job->sent)
            run_hand_back(job, 0);
    }
}

/* ---- while it runs ---- */

static void
on_progress(struct job *job, const struct sync_progress *p)
{
    int64_t now_ms = cs_clock_wall_ms();
    struct args a = {0}, event = {0};

    events_progress(&event, job->job_id, p, job->start_ms, now_ms);
    job_add_head(&a, job);
    args_add(&a, job->d->keys.events);
    job_add_owner(&a, job);
    args_give(&a, events_progress_field(p));
    args_int(&a, job->d->cfg.events_maxlen);
    args_add(&a, event.v[0]);
    args_add(&a, event.v[1]);
    args_fini(&event);
    job_eval(job, "worker/lua/progress.lua", NULL, 3, &a);
}

void
run_tell(struct job *job)
{
    if (job->told_us)
        return;
    job->told_us = cs_clock_mono_us();
    if (!pool_cancel(job->d->pool, &job->work->work))
        CS_LOG(CS_LOG_INFO, "cancel_late", job->job_id);
}

/* One event on tickstock:errors, by the means that leave the job's state alone. */
static void
say_stuck(struct job *job)
{
    struct daemon *d = job->d;
    struct args event = {0};
    char maxlen[24];
    const char *argv[] = {"XADD", d->keys.events, "MAXLEN", "~", maxlen, "*", "channel", NULL, "event", NULL};

    snprintf(maxlen, sizeof(maxlen), "%lld", (long long)d->cfg.events_maxlen);

    events_error(&event, job->job_id, "critical", "thread_stuck",
                 "a thread of the worker does not come back from PostgreSQL; it was written off", NULL,
                 cs_clock_wall_ms());
    argv[7] = event.v[0];
    argv[9] = event.v[1];
    if (cs_redis_call(d->redis, NULL, NULL, 0, 10, argv, NULL) != CS_OK ||
        cs_redis_call(d->redis, NULL, NULL, 0, 3, (const char *[]){"PUBLISH", event.v[0], event.v[1]},
                      NULL) != CS_OK)
        CS_LOG(CS_LOG_DEBUG, "heartbeat_missed", NULL);
    args_fini(&event);
}

void
run_stuck(struct job *job)
{
    struct daemon *d = job->d;
    bool committing = atomic_load(&job->work->work.phase) == WORK_COMMITTING;
    struct cs_err err = {0};

    if (pool_abandon(d->pool, &job->work->work, &err) != CS_OK)
        return; /* asked again at the next tick */
    job->in_doubt = job->in_doubt || committing;
    job->work = NULL;
    CS_LOG(CS_LOG_ERROR, "thread_stuck", job->job_id, cs_kv_i("stuck", (int64_t)pool_abandoned(d->pool)));
    say_stuck(job);
    if (pool_abandoned(d->pool) >= STUCK_MAX) {
        CS_LOG(CS_LOG_ERROR, "threads_stuck", NULL, cs_kv_i("stuck", (int64_t)pool_abandoned(d->pool)),
               cs_kv_s("remedy", "ends with code 1, so that it is started anew; look at PostgreSQL"));
        daemon_stop(d, 1);
    }
    (void)cs_err_code(&err, CS_ECANCELED, "timeout", "its thread did not come back from PostgreSQL");
    if (job->lost)
        jobs_drop(job);
    else
        outcome_failed(job, CS_ECANCELED, &err, NULL);
    jobs_run(d);
    intake_read(d);
}

/* What changes is told at once: who saw a job end may ask for the health next. */
static void
note_database(struct daemon *d, const struct pool_report *report)
{
    bool down = report->rc == CS_EDOWN || (report->rc == CS_EDB && !report->err.sqlstate[0]);
    const char *now = down ? "down" : "up";
    bool news = strcmp(d->database, now) != 0;

    d->database = now;
    if (news && cs_redis_is_up(d->redis))
        upkeep_heartbeat(d);
}

void
run_on_report(struct pool_report *report, void *arg)
{
    struct daemon *d = arg;

    if (report->what == POOL_PROGRESS) {
        on_progress(report->work->owner, &report->progress);
        return;
    }
    if (report->work->kind != POOL_PING)
        note_database(d, report);
    if (report->work->kind == POOL_PROBE)
        d->probing = false;
    else if (report->work->kind == POOL_PING)
        pings_on_report(report);
    else
        outcome_done(report->work->owner, report);
    pings_run(d);
    jobs_run(d);
    intake_read(d);
    daemon_maybe_stop(d);
}
