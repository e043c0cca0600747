/* SPDX-License-Identifier: MIT */
/*
 * stress_pool - the thread pool as hard as it goes: work of every kind handed over, cancelled and reported, pools made and
 * freed with work still running. For ThreadSanitizer, which Criterion's processes do not survive; plain main.
 *
 *   stress_pool [ROUNDS [SEED]]
 *
 * Without a database (DATABASE_URI unset) syncs and probes end in CS_EDOWN, which is the busiest way for the queues; with
 * one they run.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "worker/daemon/pool.h"

#define WORKERS 4
#define WORK 64
#define PER_ROUND 2000

struct stress {
    struct event_base *base;
    struct pool *pool;
    struct sync_rules *rules;
    struct cs_command cmd;
    struct pool_work work[WORK];
    bool out[WORK];
    unsigned seed;
    size_t submitted, done, progress, full, cancelled;
    size_t rc[CS_EREFUSED + 1];
};

static unsigned
draw(struct stress *s, unsigned below)
{
    return (unsigned)rand_r(&s->seed) % below;
}

static void
on_report(struct pool_report *report, void *arg)
{
    struct stress *s = arg;
    size_t i = (size_t)(report->work - s->work);

    if (report->what == POOL_PROGRESS) {
        s->progress++;
        return;
    }
    if (!s->out[i] || report->rc > CS_EREFUSED) {
        fprintf(stderr, "a report for work that is not out\n");
        abort();
    }
    s->out[i] = false;
    s->done++;
    s->rc[report->rc]++;
}

static void
submit_one(struct stress *s)
{
    static const enum pool_kind kinds[] = {POOL_PING, POOL_PING, POOL_PING, POOL_SYNC, POOL_PROBE};
    size_t i = draw(s, WORK);
    struct pool_work *work = &s->work[i];

    if (s->out[i]) {
        pool_cancel(s->pool, work);
        s->cancelled++;
        return;
    }
    *work = (struct pool_work){.kind = kinds[draw(s, sizeof kinds / sizeof kinds[0])],
                               .job_id = "018f5e3a-0000-7000-8000-000000000000",
                               .cmd = &s->cmd,
                               .rules = s->rules,
                               .now_ms = cs_clock_wall_ms()};
    s->out[i] = true;
    if (pool_submit(s->pool, work) != CS_OK) {
        s->out[i] = false;
        s->full++;
        return;
    }
    s->submitted++;
    if (pool_idle(s->pool) >= WORKERS) {
        fprintf(stderr, "%zu of %d threads are idle after work was handed over\n", pool_idle(s->pool),
                WORKERS);
        abort();
    }
}

/* A pool from its start to its end; odd rounds free it while it works. */
static void
run_round(struct stress *s, const struct cs_config *cfg, unsigned round)
{
    const struct pool_opts opts = {.base = s->base, .cfg = cfg, .on_report = on_report, .arg = s};
    struct cs_err err = {0};
    size_t lost = 0;

    s->pool = pool_new(&opts, &err);
    if (s->pool == NULL) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    for (unsigned n = 0; n < PER_ROUND; n++) {
        submit_one(s);
        if (pool_idle(s->pool) == 0 || draw(s, 4) == 0)
            event_base_loop(s->base, pool_idle(s->pool) == 0 ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
    }
    if (round % 2 == 0)
        while (pool_idle(s->pool) < WORKERS)
            event_base_loop(s->base, EVLOOP_ONCE);
    pool_free(s->pool);
    for (size_t i = 0; i < WORK; i++) {
        lost += s->out[i];
        s->out[i] = false;
    }
    if (s->done + lost != s->submitted || (round % 2 == 0 && lost != 0)) {
        fprintf(stderr, "%zu of %zu reports came, %zu dropped\n", s->done, s->submitted, lost);
        exit(1);
    }
    s->submitted = s->done;
}

int
main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 6;
    const char *uri = getenv("DATABASE_URI");
    struct cs_config cfg = {
        .workers = WORKERS,
        .lease_ms = 15000,
        .database_uri = cs_xstrdup(uri != NULL ? uri : "postgresql://nobody@/none?host=/nonexistent")};
    struct stress s = {.seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1};
    struct cs_err err = {0};
    size_t total = 0;

    cs_log_set_level(CS_LOG_ERROR);
    s.base = event_base_new();
    cs_command_init(&s.cmd, "DEFAULT", "stress");
    if (s.base == NULL || rules_load(NULL, &s.rules, &err) != CS_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    for (unsigned r = 0; r < rounds; r++)
        run_round(&s, &cfg, r);
    for (size_t i = 0; i <= CS_EREFUSED; i++)
        total += s.rc[i];
    printf("# %zu reports (%zu ok, %zu down, %zu cancelled), %zu cancels, %zu refused as full, %zu of "
           "progress\n",
           total, s.rc[CS_OK], s.rc[CS_EDOWN], s.rc[CS_ECANCELED], s.cancelled, s.full, s.progress);
    rules_free(s.rules);
    event_base_free(s.base);
    free(cfg.database_uri);
    printf("%d passed, %d failed\n", total > rounds * 100 && s.rc[CS_OK] > 0,
           !(total > rounds * 100 && s.rc[CS_OK] > 0));
    return total > rounds * 100 ? 0 : 1;
}
