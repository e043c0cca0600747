/* SPDX-License-Identifier: MIT */
/*
 * pings - gathers pings, hands the batch to a thread and ends all of it with one script.
 */
#include "worker/daemon/pings.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

#define BATCH_MAX 1024
#define AGAIN_US INT64_C(500000)

struct ping_batch {
    TAILQ_ENTRY(ping_batch) next;
    struct daemon *d;
    struct args pings; /* entry, job id, created_at, mode, environment, triggered_by of each */
    size_t count;
    enum { BATCH_GATHERED, BATCH_IN_POOL, BATCH_DONE, BATCH_SENT } state;
    int64_t start_ms, due_us;
    struct pool_work work;
};

/* A batch is in the order of the stream, so that its first and last entry bound it. */
static bool
follows(const struct ping_batch *batch, const struct job *job)
{
    struct cs_entry_id last, id;

    return cs_entry_id_parse(batch->pings.v[batch->pings.count - 6], &last) == CS_OK &&
           cs_entry_id_parse(job->entry_id, &id) == CS_OK &&
           (id.ms > last.ms || (id.ms == last.ms && id.seq > last.seq));
}

void
pings_add(struct job *job)
{
    struct daemon *d = job->d;
    struct ping_batch *batch = TAILQ_LAST(&d->pings, ping_list);
    char when[CS_TIME_LEN + 1];

    if (!batch || batch->state != BATCH_GATHERED || batch->count == BATCH_MAX || !follows(batch, job)) {
        batch = cs_xcalloc(1, sizeof(*batch));
        batch->d = d;
        batch->work.kind = POOL_PING;
        batch->work.owner = batch;
        TAILQ_INSERT_TAIL(&d->pings, batch, next);
    }
    cs_time_format(job->created_ms, when);
    args_add(&batch->pings, job->entry_id);
    args_add(&batch->pings, job->job_id);
    args_add(&batch->pings, when);
    args_add(&batch->pings, cs_mode_name(job->cmd.mode));
    args_add(&batch->pings, job->cmd.environment);
    args_add(&batch->pings, job->cmd.triggered_by);
    batch->count++;
    jobs_drop(job);
}

static void
drop(struct ping_batch *batch)
{
    TAILQ_REMOVE(&batch->d->pings, batch, next);
    args_fini(&batch->pings);
    free(batch);
}

static void
on_pings_reply(const struct cs_reply *r, void *arg)
{
    struct ping_batch *batch = arg;
    struct daemon *d = batch->d;

    if (!r || (cs_reply_is_error(r, NULL) && !cs_reply_is_error(r, "NOGROUP"))) {
        if (r)
            CS_LOG(CS_LOG_ERROR, "redis_refused", NULL, cs_kv_s("script", "pings"),
                   cs_kv_s("error", cs_reply_str(r, NULL)), cs_kv_s("remedy", "kept, and tried again"));
        batch->state = BATCH_DONE;
        batch->due_us = cs_clock_mono_us() + AGAIN_US;
        return;
    }
    d->completed += cs_reply_int(r);
    drop(batch);
    pings_run(d);
    intake_read(d);
    daemon_maybe_stop(d);
}

static void
send_batch(struct ping_batch *batch)
{
    struct daemon *d = batch->d;
    int64_t now_ms = cs_clock_wall_ms();
    char when[CS_TIME_LEN + 1];
    struct args a = {0};

    args_add(&a, d->keys.commands);
    args_add(&a, CS_GROUP);
    args_add(&a, d->name);
    cs_time_format(batch->start_ms, when);
    args_add(&a, when);
    cs_time_format(now_ms, when);
    args_add(&a, when);
    args_give(&a, cs_xasprintf("%.3f", (double)(now_ms - batch->start_ms) / 1000));
    for (size_t i = 0; i < batch->pings.count; i++)
        args_bytes(&a, batch->pings.v[i], batch->pings.len[i]);
    if (cs_redis_eval(d->redis, "worker/lua/pings.lua", on_pings_reply, batch, 1, (int)a.count, a.v, a.len) ==
        CS_OK)
        batch->state = BATCH_SENT;
    args_fini(&a);
}

void
pings_run(struct daemon *d)
{
    int64_t now_us = cs_clock_mono_us();
    struct ping_batch *batch, *following;

    for (batch = TAILQ_FIRST(&d->pings); batch; batch = following) {
        following = TAILQ_NEXT(batch, next);
        if (batch->state == BATCH_GATHERED && pool_idle(d->pool)) {
            batch->start_ms = cs_clock_wall_ms();
            if (pool_submit(d->pool, &batch->work) == CS_OK)
                batch->state = BATCH_IN_POOL;
        } else if (batch->state == BATCH_DONE && batch->due_us <= now_us) {
            send_batch(batch);
        }
    }
}

bool
pings_hold_entry(const struct daemon *d, const char *entry_id)
{
    const struct ping_batch *batch;

    TAILQ_FOREACH (batch, &d->pings, next)
        for (size_t i = 0; i < batch->pings.count; i += 6)
            if (strcmp(batch->pings.v[i], entry_id) == 0)
                return true;
    return false;
}

size_t
pings_waiting(const struct daemon *d)
{
    const struct ping_batch *batch;
    size_t n = 0;

    TAILQ_FOREACH (batch, &d->pings, next)
        n++;
    return n;
}

void
pings_on_report(struct pool_report *report)
{
    struct ping_batch *batch = report->work->owner;

    batch->state = BATCH_DONE;
    pings_run(batch->d);
}

void
pings_free(struct daemon *d)
{
    while (!TAILQ_EMPTY(&d->pings))
        /* drop takes it out of the list first. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        drop(TAILQ_FIRST(&d->pings));
}
