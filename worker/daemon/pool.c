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
#include <unistd.h>

#include "common/clock.h"
#include "common/failpoint.h"
#include "common/log.h"
#include "common/mem.h"

#define PROGRESS_APART_US 100000

struct slot {
    struct pool *pool;
    pthread_t thread;
    struct sync_session *session;
    char *name;
    struct pool_work *work; /* set by the loop, cleared by the thread */
    bool cancel_wanted;
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
    struct slot *slots;
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

    return atomic_load(&slot->work->stop);
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

static void
run_work(struct slot *slot, struct pool_work *work)
{
    struct pool_report *done = cs_xcalloc(1, sizeof(*done));

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
    pthread_mutex_unlock(&slot->pool->mutex);
    post(slot->pool, done);
}

static void *
slot_main(void *arg)
{
    struct slot *slot = arg;
    struct pool *pool = slot->pool;
    struct pool_work *work;

    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        while (!slot->work && !pool->stopping)
            pthread_cond_wait(&pool->work_ready, &pool->mutex);
        work = slot->work;
        pthread_mutex_unlock(&pool->mutex);
        if (!work)
            return NULL;
        run_work(slot, work);
    }
}

static struct slot *
next_cancel(struct pool *pool)
{
    for (size_t i = 0; i < pool->slot_count; i++)
        if (pool->slots[i].cancel_wanted)
            return &pool->slots[i];
    return NULL;
}

static void *
canceller_main(void *arg)
{
    struct pool *pool = arg;
    struct slot *slot;

    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!(slot = next_cancel(pool)) && !pool->stopping)
            pthread_cond_wait(&pool->cancel_ready, &pool->mutex);
        if (!slot)
            break;
        slot->cancel_wanted = false;
        slot->cancelling = true;
        pthread_mutex_unlock(&pool->mutex);
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
        if (report->what == POOL_DONE)
            pool->busy--;
        pool->opts.on_report(report, pool->opts.arg);
        sync_result_fini(&report->result);
        free(report);
    }
}

static enum cs_rc
start_threads(struct pool *pool, struct cs_err *err)
{
    const struct cs_config *cfg = pool->opts.cfg;
    int rc;

    for (size_t i = 0; i < pool->slot_count; i++) {
        struct slot *slot = &pool->slots[i];
        struct sync_opts opts = {.database_uri = cfg->database_uri, .lease_ms = (uint32_t)cfg->lease_ms};

        slot->pool = pool;
        slot->name = cs_xasprintf("cachesyncd/worker-%zu", i + 1);
        opts.application_name = slot->name;
        slot->session = sync_session_new(&opts);
        rc = pthread_create(&slot->thread, NULL, slot_main, slot);
        if (rc)
            return cs_err_errno(err, rc, "cannot start a sync thread; lower CACHESYNC_WORKERS");
        pool->started++;
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

void
pool_free(struct pool *pool)
{
    struct pool_report *report;

    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    for (size_t i = 0; i < pool->slot_count; i++)
        if (pool->slots[i].work) {
            atomic_store(&pool->slots[i].work->stop, true);
            pool->slots[i].cancel_wanted = true;
        }
    pthread_cond_broadcast(&pool->work_ready);
    pthread_cond_broadcast(&pool->cancel_ready);
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->started; i++)
        pthread_join(pool->slots[i].thread, NULL);
    if (pool->has_canceller)
        pthread_join(pool->canceller, NULL);
    for (size_t i = 0; i < pool->slot_count; i++) {
        sync_session_free(pool->slots[i].session);
        free(pool->slots[i].name);
    }
    while ((report = pool->first)) {
        pool->first = report->next;
        sync_result_fini(&report->result);
        free(report);
    }
    if (pool->wake)
        event_free(pool->wake);
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

    pthread_mutex_lock(&pool->mutex);
    for (size_t i = 0; i < pool->slot_count && rc != CS_OK; i++)
        if (!pool->slots[i].work) {
            pool->slots[i].work = work;
            rc = CS_OK;
        }
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->mutex);
    if (rc == CS_OK)
        pool->busy++;
    return rc;
}

void
pool_cancel(struct pool *pool, struct pool_work *work)
{
    atomic_store(&work->stop, true);
    pthread_mutex_lock(&pool->mutex);
    for (size_t i = 0; i < pool->slot_count; i++)
        if (pool->slots[i].work == work)
            pool->slots[i].cancel_wanted = true;
    pthread_cond_signal(&pool->cancel_ready);
    pthread_mutex_unlock(&pool->mutex);
}
