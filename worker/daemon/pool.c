/* SPDX-License-Identifier: MIT */
/*
 * pool - threads with a sync session each, one thread that sends cancel requests, and the queue of reports.
 *
 * One mutex guards the slots and the reports; nobody blocks on a server while holding it.
 */
#include "worker/daemon/pool.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/failpoint.h"
#include "common/log.h"
#include "common/mem.h"

#define PROGRESS_APART_US 100000
#define BEYOND_DEADLINE_S 5 /* the server's own time-outs come after the orderly cancel */

struct slot {
    LIST_ENTRY(slot) next;
    struct pool *pool;
    pthread_t thread;
    struct sync_session *session;
    char *name;
    struct pool_work *work; /* set by the loop, cleared by the thread */
    bool cancel_wanted;
    bool sever_wanted;
    bool abandoned;  /* written off: frees itself */
    bool cancelling; /* a cancel request for this slot is on its way */
    struct sync_progress held;
    bool has_held;
    int64_t sent_us;
};

struct pool {
    struct pool_opts opts;
    pthread_mutex_t mutex;
    pthread_cond_t work_ready;
    pthread_cond_t cancel_ready;
    pthread_cond_t cancel_sent;
    bool stopping;
    size_t slot_count;
    size_t started;
    size_t busy; /* loop thread only: handed over and not reported */
    struct slot **slots;
    LIST_HEAD(, slot) all; /* the slots, and those written off */
    size_t written_off;    /* loop thread only */
    size_t made;           /* slots, for their names */
    pthread_t canceller;
    bool has_canceller;
    struct pool_report *first, **last;
    int wake_fd;
    struct event *wake;
};

static void
post(struct pool *pool, struct pool_report *report)
{
    pthread_mutex_lock(&pool->mutex);
    *pool->last = report;
    pool->last = &report->next;
    pthread_mutex_unlock(&pool->mutex);
    eventfd_write(pool->wake_fd, 1);
}

static void
post_progress(struct slot *slot, struct pool_work *work)
{
    struct pool_report *report = cs_xcalloc(1, sizeof(*report));

    report->what = POOL_PROGRESS;
    report->work = work;
    report->progress = slot->held;
    slot->has_held = false;
    slot->sent_us = cs_clock_mono_us();
    post(slot->pool, report);
}

static void
on_sync_progress(const struct sync_progress *p, void *arg)
{
    struct slot *slot = arg;

    slot->held = *p;
    slot->has_held = true;
    if (cs_clock_mono_us() - slot->sent_us >= PROGRESS_APART_US)
        post_progress(slot, slot->work);
}

static bool
on_sync_stopped(void *arg)
{
    struct slot *slot = arg;

    return atomic_load(&slot->work->phase) == WORK_STOPPED;
}

/* The fence: nobody commits who was stopped, or whose lease may end before COMMIT arrives. */
static bool
on_sync_may_commit(void *arg)
{
    struct slot *slot = arg;
    struct pool_work *work = slot->work;
    int64_t until_us = atomic_load(&work->lease_until_us);
    int running = WORK_RUNNING;

    if (until_us && cs_clock_mono_us() + slot->pool->opts.cfg->lease_ms * 1000 / 3 > until_us)
        return false;
    return atomic_compare_exchange_strong(&work->phase, &running, WORK_COMMITTING);
}

static enum cs_rc
run_sync(struct slot *slot, struct pool_work *work, struct pool_report *done)
{
    const struct cs_command *cmd = work->cmd;
    struct sync_request req = {
        .job_id = work->job_id,
        .mode = cmd->mode,
        .force = cmd->force,
        .dry_run = cmd->dry_run,
        .as_of = cmd->as_of[0] ? cmd->as_of : NULL,
        .environment = cmd->environment,
        .now_ms = work->now_ms,
        .on_progress = on_sync_progress,
        .stopped = on_sync_stopped,
        .may_commit = on_sync_may_commit,
        .recorded_only = work->recorded_only,
        .arg = slot,
    };
    enum cs_rc rc;

    slot->sent_us = 0;
    slot->has_held = false;
    rc = sync_run(slot->session, work->rules, &req, &done->result, &done->err);
    if (slot->has_held)
        post_progress(slot, work);
    return rc;
}

/* False: the thread was written off meanwhile. */
static bool
run_work(struct slot *slot, struct pool_work *work)
{
    struct pool_report *done = cs_xcalloc(1, sizeof(*done));
    struct pool *pool = slot->pool;
    bool kept;

    done->what = POOL_DONE;
    done->work = work;
    if (work->kind != POOL_PROBE)
        CS_FAILPOINT("pool.take");
    switch (work->kind) {
    case POOL_SYNC:
        done->rc = run_sync(slot, work, done);
        break;
    case POOL_PROBE:
        done->rc = sync_session_ping(slot->session, &done->err);
        break;
    case POOL_PING:
        done->rc = CS_OK;
        break;
    }
    if (work->kind != POOL_PROBE)
        CS_FAILPOINT("pool.report");
    pthread_mutex_lock(&slot->pool->mutex);
    while (slot->cancelling) /* or the request would hit the next job */
        pthread_cond_wait(&slot->pool->cancel_sent, &slot->pool->mutex);
    slot->work = NULL;
    slot->cancel_wanted = false;
    kept = !slot->abandoned;
    if (!kept)
        LIST_REMOVE(slot, next);
    pthread_mutex_unlock(&pool->mutex);
    post(pool, done);
    return kept;
}

static void
slot_free(struct slot *slot)
{
    sync_session_free(slot->session);
    free(slot->name);
    free(slot);
}

static void *
slot_main(void *arg)
{
    struct slot *slot = arg;
    struct pool *pool = slot->pool;
    struct pool_work *work;
    bool gone;

    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        while (!slot->work && !pool->stopping && !slot->abandoned)
            pthread_cond_wait(&pool->work_ready, &pool->mutex);
        work = slot->work;
        gone = !work && slot->abandoned;
        if (gone)
            LIST_REMOVE(slot, next);
        pthread_mutex_unlock(&pool->mutex);
        if (gone)
            slot_free(slot);
        if (!work)
            return NULL;
        if (!run_work(slot, work)) {
            slot_free(slot);
            return NULL;
        }
    }
}

static struct slot *
next_cancel(struct pool *pool)
{
    struct slot *slot;

    LIST_FOREACH (slot, &pool->all, next)
        if (slot->cancel_wanted || slot->sever_wanted)
            break;
    return slot;
}

static void *
canceller_main(void *arg)
{
    struct pool *pool = arg;
    struct slot *slot;
    bool sever;

    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!(slot = next_cancel(pool)) && !pool->stopping)
            pthread_cond_wait(&pool->cancel_ready, &pool->mutex);
        if (!slot)
            break;
        sever = slot->sever_wanted;
        slot->cancel_wanted = slot->sever_wanted = false;
        slot->cancelling = true;
        pthread_mutex_unlock(&pool->mutex);
        if (sever)
            sync_session_sever(slot->session);
        else
            sync_session_cancel(slot->session);
        pthread_mutex_lock(&pool->mutex);
        slot->cancelling = false;
        pthread_cond_broadcast(&pool->cancel_sent);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static void
on_wake_readable(evutil_socket_t fd, short what, void *arg)
{
    struct pool *pool = arg;
    struct pool_report *report, *next;
    eventfd_t n;

    (void)what;
    if (eventfd_read(fd, &n) < 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    report = pool->first;
    pool->first = NULL;
    pool->last = &pool->first;
    pthread_mutex_unlock(&pool->mutex);
    for (; report; report = next) {
        next = report->next;
        if (report->what == POOL_DONE && !report->work->owner_gone)
            pool->busy--;
        if (!report->work->owner_gone) {
            pool->opts.on_report(report, pool->opts.arg);
        } else if (report->what == POOL_DONE) {
            pool->written_off--;
            free(report->work);
        }
        sync_result_fini(&report->result);
        free(report);
    }
}

/* A slot and its thread, which has no place yet. NULL with err. */
static struct slot *
start_slot(struct pool *pool, struct cs_err *err)
{
    const struct cs_config *cfg = pool->opts.cfg;
    struct slot *slot = cs_xcalloc(1, sizeof(*slot));
    struct sync_opts opts = {.database_uri = cfg->database_uri,
                             .lease_ms = (uint32_t)cfg->lease_ms,
                             .statement_timeout_ms =
                                 (uint32_t)(cfg->job_timeout_s + BEYOND_DEADLINE_S) * 1000,
                             .lock_timeout_ms = (uint32_t)(cfg->job_timeout_s + BEYOND_DEADLINE_S) * 1000};
    int rc;

    slot->pool = pool;
    slot->name = cs_xasprintf("cachesyncd/worker-%zu", ++pool->made);
    opts.application_name = slot->name;
    slot->session = sync_session_new(&opts);
    rc = pthread_create(&slot->thread, NULL, slot_main, slot);
    if (rc) {
        slot_free(slot);
        (void)cs_err_errno(err, rc, "cannot start a sync thread; lower CACHESYNC_WORKERS");
        return NULL;
    }
    return slot;
}

/* With the mutex held. */
static void
place(struct pool *pool, size_t i, struct slot *slot)
{
    pool->slots[i] = slot;
    LIST_INSERT_HEAD(&pool->all, slot, next);
}

static enum cs_rc
start_threads(struct pool *pool, struct cs_err *err)
{
    struct slot *slot;
    int rc;

    for (; pool->started < pool->slot_count; pool->started++) {
        slot = start_slot(pool, err);
        if (!slot)
            return CS_EIO;
        pthread_mutex_lock(&pool->mutex);
        place(pool, pool->started, slot);
        pthread_mutex_unlock(&pool->mutex);
    }
    rc = pthread_create(&pool->canceller, NULL, canceller_main, pool);
    if (rc)
        return cs_err_errno(err, rc, "cannot start the cancel thread; lower CACHESYNC_WORKERS");
    pool->has_canceller = true;
    return CS_OK;
}

struct pool *
pool_new(const struct pool_opts *opts, struct cs_err *err)
{
    struct pool *pool = cs_xcalloc(1, sizeof(*pool));

    pool->opts = *opts;
    pool->last = &pool->first;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work_ready, NULL);
    pthread_cond_init(&pool->cancel_ready, NULL);
    pthread_cond_init(&pool->cancel_sent, NULL);
    pool->slot_count = (size_t)opts->cfg->workers;
    pool->slots = cs_xcalloc(pool->slot_count, sizeof(*pool->slots));
    pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->wake_fd >= 0)
        pool->wake = event_new(opts->base, pool->wake_fd, EV_READ | EV_PERSIST, on_wake_readable, pool);
    if (!pool->wake || event_add(pool->wake, NULL) < 0 || start_threads(pool, err) != CS_OK) {
        if (err && err->rc == CS_OK)
            (void)cs_err_set(err, CS_EIO, "cannot make the eventfd of the thread pool");
        pool_free(pool);
        return NULL;
    }
    return pool;
}

static void
stop_all(struct pool *pool)
{
    int running;

    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    for (size_t i = 0; i < pool->started; i++)
        if (pool->slots[i]->work) {
            running = WORK_RUNNING;
            if (atomic_compare_exchange_strong(&pool->slots[i]->work->phase, &running, WORK_STOPPED))
                pool->slots[i]->cancel_wanted = true;
        }
    pthread_cond_broadcast(&pool->work_ready);
    pthread_cond_broadcast(&pool->cancel_ready);
    pthread_mutex_unlock(&pool->mutex);
}

void
pool_free(struct pool *pool)
{
    struct pool_report *report;

    if (!pool)
        return;
    stop_all(pool);
    for (size_t i = 0; i < pool->started; i++)
        pthread_join(pool->slots[i]->thread, NULL);
    if (pool->has_canceller)
        pthread_join(pool->canceller, NULL);
    for (size_t i = 0; i < pool->started; i++)
        slot_free(pool->slots[i]);
    while ((report = pool->first)) {
        pool->first = report->next;
        sync_result_fini(&report->result);
        free(report);
    }
    if (pool->wake)
        event_free(pool->wake);
    if (pool->written_off)
        return; /* a thread may come back to it still */
    if (pool->wake_fd >= 0)
        close(pool->wake_fd);
    pthread_cond_destroy(&pool->cancel_sent);
    pthread_cond_destroy(&pool->cancel_ready);
    pthread_cond_destroy(&pool->work_ready);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->slots);
    free(pool);
}

size_t
pool_idle(const struct pool *pool)
{
    return pool->slot_count - pool->busy;
}

enum cs_rc
pool_submit(struct pool *pool, struct pool_work *work)
{
    enum cs_rc rc = CS_EFULL;

    if (pool->busy == pool->slot_count) /* a thread is free before its report has been read */
        return CS_EFULL;
    pthread_mutex_lock(&pool->mutex);
    for (size_t i = 0; i < pool->slot_count && rc != CS_OK; i++)
        if (!pool->slots[i]->work) {
            pool->slots[i]->work = work;
            rc = CS_OK;
        }
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->mutex);
    if (rc == CS_OK)
        pool->busy++;
    return rc;
}

/* The place of a thread that works on it; slot_count when its report is on its way. With the mutex held. */
static size_t
place_of(const struct pool *pool, const struct pool_work *work)
{
    size_t i = 0;

    while (i < pool->slot_count && pool->slots[i]->work != work)
        i++;
    return i;
}

bool
pool_cancel(struct pool *pool, struct pool_work *work)
{
    int running = WORK_RUNNING;
    size_t i;

    if (!atomic_compare_exchange_strong(&work->phase, &running, WORK_STOPPED) && running == WORK_COMMITTING)
        return false;
    pthread_mutex_lock(&pool->mutex);
    i = place_of(pool, work);
    if (i < pool->slot_count)
        pool->slots[i]->cancel_wanted = true;
    pthread_cond_signal(&pool->cancel_ready);
    pthread_mutex_unlock(&pool->mutex);
    return true;
}

enum cs_rc
pool_abandon(struct pool *pool, struct pool_work *work, struct cs_err *err)
{
    struct slot *fresh = start_slot(pool, err), *lost = NULL;
    size_t i;

    if (!fresh)
        return CS_EIO;
    pthread_mutex_lock(&pool->mutex);
    i = place_of(pool, work);
    if (i < pool->slot_count) {
        lost = pool->slots[i];
        place(pool, i, fresh);
        lost->sever_wanted = work->owner_gone = true;
    } else {
        LIST_INSERT_HEAD(&pool->all, fresh, next);
    }
    fresh = lost ? lost : fresh; /* the one that goes */
    fresh->abandoned = true;
    pthread_detach(fresh->thread);
    pthread_cond_broadcast(&pool->work_ready);
    pthread_cond_signal(&pool->cancel_ready);
    pthread_mutex_unlock(&pool->mutex);
    if (!lost)
        return cs_err_set(err, CS_EIO, "the thread comes back at this moment");
    pool->busy--;
    pool->written_off++;
    return CS_OK;
}

size_t
pool_abandoned(const struct pool *pool)
{
    return pool->written_off;
}
