/* SPDX-License-Identifier: MIT */
/*
 * upkeep - once a second: heartbeat, deadlines; every third of a lease: renewal and takeover; a probe of
 * PostgreSQL.
 */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "worker/daemon/daemon.h"
#include "worker/daemon/pings.h"

#define HEARTBEAT_TTL_MS "10000"
#define TICKS_A_SECOND 4
#define TICK_US INT64_C(250000)
#define PATIENCE_US INT64_C(5000000) /* from the cancel request to the end of a thread that is given up */
#define CANCEL_PATIENCE_US INT64_C(1500000) /* somebody waits for it */
#define LET_GO_US INT64_C(1500000)          /* after the grace time */
#define LEAVE_US INT64_C(3000000)
#define TAKEN_AT_ONCE 50
#define PROBE_TICKS (5 * TICKS_A_SECOND)

static void
pair_int(struct args *a, const char *name, int64_t n)
{
    args_add(a, name);
    args_int(a, n);
}

/* Resident memory; 0 where /proc does not tell. */
static int64_t
rss_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long size = 0, resident = 0;

    if (!f)
        return 0;
    if (fscanf(f, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    fclose(f);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

void
upkeep_heartbeat(struct daemon *d)
{
    char key[CS_KEY_MAX], when[CS_TIME_LEN + 1], score[24];
    struct args a = {0};
    json_t *ids = json_array();
    const struct job *job;
    int64_t busy = 0, oldest_ms = 0, now_ms = cs_clock_wall_ms();

    TAILQ_FOREACH (job, &d->jobs, next)
        if (job->state == JOB_RUNNING) {
            busy++;
            if (now_ms - job->start_ms > oldest_ms)
                oldest_ms = now_ms - job->start_ms;
            json_array_append_new(ids, json_string(job->job_id));
        }
    args_add(&a, "HSET");
    args_add(&a, cs_key_worker(&d->keys, d->name, key));
    args_pair(&a, "host", d->host);
    pair_int(&a, "pid", getpid());
    args_pair(&a, "version", CS_VERSION);
    args_pair(&a, "started_at", d->started_at);
    pair_int(&a, "threads", d->cfg.workers);
    pair_int(&a, "busy", busy);
    args_add(&a, "jobs");
    args_give(&a, cs_json_dump(ids));
    pair_int(&a, "completed", d->completed);
    pair_int(&a, "failed", d->failed);
    pair_int(&a, "retried", d->retried);
    pair_int(&a, "reconnects", d->reconnects);
    pair_int(&a, "stuck", (int64_t)pool_abandoned(d->pool));
    pair_int(&a, "loop_lag_ms", d->loop_lag_us / 1000);
    pair_int(&a, "oldest_running_ms", oldest_ms);
    pair_int(&a, "rss_bytes", rss_bytes());
    d->loop_lag_us = 0;
    args_pair(&a, "database", d->database);
    if (d->last_read_ms) {
        cs_time_format(d->last_read_ms, when);
        args_pair(&a, "last_read", when);
        pair_int(&a, "last_read_ms", d->last_read_ms);
    }
    if (cs_redis_call(d->redis, NULL, NULL, 0, (int)a.count, a.v, a.len) != CS_OK ||
        cs_redis_call(d->redis, NULL, NULL, 0, 3, (const char *[]){"PEXPIRE", key, HEARTBEAT_TTL_MS}, NULL) !=
            CS_OK)
        CS_LOG(CS_LOG_DEBUG, "heartbeat_missed", NULL);
    args_fini(&a);
    json_decref(ids);
    /* The index by which readers find the hashes without a scan; the dead fall off its end. */
    snprintf(score, sizeof(score), "%" PRId64, d->last_read_ms);
    if (cs_redis_call(d->redis, NULL, NULL, 0, 4, (const char *[]){"ZADD", d->keys.workers, score, d->name},
                      NULL) != CS_OK ||
        cs_redis_call(d->redis, NULL, NULL, 0, 4,
                      (const char *[]){"ZREMRANGEBYRANK", d->keys.workers, "0", "-1001"}, NULL) != CS_OK)
        CS_LOG(CS_LOG_DEBUG, "heartbeat_missed", NULL);
}

static void
lose(struct daemon *d, const char *entry_id)
{
    struct job *job;

    TAILQ_FOREACH (job, &d->jobs, next)
        if (job->state == JOB_RUNNING && strcmp(job->entry_id, entry_id) == 0) {
            CS_LOG(CS_LOG_WARN, "lease_lost", job->job_id);
            job->lost = true;
            run_tell(job);
        }
}

static void
on_renew_reply(const struct cs_reply *reply, void *arg)
{
    struct daemon *d = arg;
    struct job *job;

    if (cs_reply_type(reply) != CS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i < cs_reply_len(reply); i++)
        lose(d, cs_reply_str(cs_reply_at(reply, i), NULL));
    TAILQ_FOREACH (job, &d->jobs, next)
        if (job->state == JOB_RUNNING && !job->lost && job->sent_us < d->renew_sent_us)
            atomic_store(&job->work->work.lease_until_us, d->renew_sent_us + d->cfg.lease_ms * 1000);
}

static void
renew(struct daemon *d)
{
    struct args a = {0};
    const struct job *job;

    args_add(&a, d->keys.commands);
    args_add(&a, CS_GROUP);
    args_add(&a, d->name);
    TAILQ_FOREACH (job, &d->jobs, next)
        args_add(&a, job->entry_id);
    d->renew_sent_us = cs_clock_mono_us();
    if (a.count > 3 && cs_redis_eval(d->redis, "worker/lua/renew.lua", on_renew_reply, d, 1, (int)a.count,
                                     a.v, a.len) != CS_OK)
        CS_LOG(CS_LOG_DEBUG, "renewal_missed", NULL);
    args_fini(&a);
}

static void
on_takeover_reply(const struct cs_reply *reply, void *arg)
{
    struct daemon *d = arg;
    const struct cs_reply *one;
    const char *entry, *verdict, *job_id;

    if (cs_reply_is_error(reply, NULL)) {
        if (!cs_reply_is_error(reply, "NOGROUP"))
            CS_LOG(CS_LOG_WARN, "takeover_refused", NULL, cs_kv_s("error", cs_reply_str(reply, NULL)));
        return;
    }
    if (cs_reply_len(reply))
        CS_LOG(CS_LOG_INFO, "takeover", NULL, cs_kv_i("entries", (int64_t)cs_reply_len(reply)));
    for (size_t i = 0; i < cs_reply_len(reply); i++) {
        one = cs_reply_at(reply, i);
        entry = cs_reply_str(cs_reply_at(one, 0), NULL);
        verdict = cs_reply_str(cs_reply_at(one, 2), NULL);
        job_id = cs_reply_str(cs_reply_at(one, 3), NULL);
        if (!entry || !verdict || !job_id || strlen(job_id) > CS_UUID_LEN)
            job_id = "";
        if (entry && pings_hold_entry(d, entry))
            continue;
        if (entry && verdict && strcmp(verdict, "trimmed") == 0)
            cancel_trimmed(d, entry, job_id);
        else if (entry && verdict && strcmp(verdict, "poison") == 0)
            admit_poisoned(d, one, job_id);
        else
            admit_one(d, one);
    }
    pings_run(d);
    if (cs_reply_len(reply) >= TAKEN_AT_ONCE)
        d->next_sweep = d->ticks + 1; /* there is more */
}

static void
takeover(struct daemon *d)
{
    struct args a = {0};
    size_t threads = (size_t)d->cfg.workers, busy = jobs_busy(d);

    args_add(&a, d->keys.commands);
    args_add(&a, d->keys.entries);
    args_add(&a, d->keys.metrics);
    args_add(&a, CS_GROUP);
    args_add(&a, d->name);
    args_int(&a, d->cfg.lease_ms);
    args_int(&a, busy < threads ? TAKEN_AT_ONCE : 0);
    args_int(&a, d->cfg.max_attempts);
    if (cs_redis_call(d->redis, NULL, NULL, 0, 4,
                      (const char *[]){"XTRIM", d->keys.control, "MAXLEN", CS_CONTROL_MAXLEN}, NULL) != CS_OK)
        CS_LOG(CS_LOG_DEBUG, "trim_missed", NULL);
    if (cs_redis_eval(d->redis, "worker/lua/takeover.lua", on_takeover_reply, d, 3, (int)a.count, a.v,
                      a.len) != CS_OK)
        CS_LOG(CS_LOG_DEBUG, "takeover_missed", NULL);
    args_fini(&a);
}

static void
deadlines(struct daemon *d)
{
    int64_t now_us = cs_clock_mono_us(), patience_us;
    struct job *job, *following;

    for (job = TAILQ_FIRST(&d->jobs); job; job = following) {
        following = TAILQ_NEXT(job, next);
        if (job->state != JOB_RUNNING)
            continue;
        if (!job->timed_out && now_us > job->deadline_us) {
            CS_LOG(CS_LOG_WARN, "job_timeout", job->job_id, cs_kv_i("timeout_s", d->cfg.job_timeout_s));
            job->timed_out = true;
            run_tell(job);
        }
        patience_us = job->cancelled ? CANCEL_PATIENCE_US : PATIENCE_US;
        if (job->told_us && now_us > job->told_us + patience_us) {
            run_stuck(job);
            return; /* the list has changed; the rest at the next tick */
        }
    }
}

/* When the grace time is over: cancel, then let go, then leave, whatever a thread does. */
static void
grace(struct daemon *d)
{
    int64_t over_us = cs_clock_mono_us() - d->stop_us;
    struct job *job;

    run_stop(d);
    if (over_us > 0)
        TAILQ_FOREACH (job, &d->jobs, next)
            if (job->state == JOB_RUNNING)
                run_tell(job);
    if (over_us > LET_GO_US)
        TAILQ_FOREACH (job, &d->jobs, next)
            if (job->state == JOB_RUNNING && atomic_load(&job->work->work.phase) == WORK_STOPPED) {
                run_stuck(job);
                break;
            }
    if (over_us > LEAVE_US) {
        d->forced = d->stopped = true;
        event_base_loopexit(d->base, NULL);
        return;
    }
    daemon_maybe_stop(d);
}

/* How late the loop comes to this: somebody held it. */
static void
measure_lag(struct daemon *d)
{
    int64_t now_us = cs_clock_mono_us(), late_us = now_us - d->tick_us - TICK_US;

    if (d->tick_us && late_us > d->loop_lag_us)
        d->loop_lag_us = late_us;
    d->tick_us = now_us;
}

void
on_upkeep_tick(int fd, short what, void *arg)
{
    struct daemon *d = arg;
    unsigned lease_ticks = (unsigned)(d->cfg.lease_ms * TICKS_A_SECOND / 3000);

    (void)fd;
    (void)what;
    if (lease_ticks == 0)
        lease_ticks = 1;
    d->ticks++;
    measure_lag(d);
    notify_beat(&d->notify, cs_clock_mono_us());
    deadlines(d);
    jobs_run(d);
    pings_run(d);
    intake_look_ahead(d);
    if (cs_redis_is_up(d->redis)) {
        cancel_again(d);
        if (d->ticks % TICKS_A_SECOND == 0)
            upkeep_heartbeat(d);
        if (d->ticks % lease_ticks == 0)
            renew(d);
        if (d->ticks >= d->next_sweep && !d->stopping && d->group_ready) {
            d->next_sweep = d->ticks + lease_ticks / 2 + 1 + (unsigned)random() % lease_ticks;
            takeover(d);
        }
    }
    if (d->held == 0 && !d->probing && !d->stopping && d->ticks % PROBE_TICKS == 1) {
        d->probe.kind = POOL_PROBE;
        d->probing = pool_submit(d->pool, &d->probe) == CS_OK;
    }
    if (d->stopping)
        grace(d);
}
