/* SPDX-License-Identifier: MIT */
/*
 * jobs - the list of jobs that this daemon holds, and when each takes its next step.
 *
 * A step is a script; it is sent again, with backoff, until it has an answer that can be acted on. Decides nothing
 * about an answer.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "worker/daemon/daemon.h"

#define REFUSED_FIRST_US INT64_C(200000)
#define REFUSED_MAX_US INT64_C(10000000)
#define REFUSED_SAID_EVERY_US INT64_C(10000000)
#define NEVER_US INT64_MAX

/* ---- the list ---- */

static struct job_bucket *
bucket_of(const struct daemon *d, const char *entry_id)
{
    uint32_t hash = 2166136261U;

    for (const char *c = entry_id; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619U;
    return (struct job_bucket *)(uintptr_t)&d->buckets[hash % DAEMON_BUCKETS];
}

struct job *
jobs_add(struct daemon *d, const char *entry_id)
{
    struct job *job = cs_xcalloc(1, sizeof(*job));

    job->d = d;
    job->listed = true;
    snprintf(job->entry_id, sizeof(job->entry_id), "%s", entry_id);
    TAILQ_INSERT_TAIL(&d->jobs, job, next);
    LIST_INSERT_HEAD(bucket_of(d, entry_id), job, same_bucket);
    d->held++;
    return job;
}

struct job *
jobs_find(struct daemon *d, const char *job_id)
{
    struct job *job;

    TAILQ_FOREACH (job, &d->jobs, next)
        if (strcmp(job->job_id, job_id) == 0)
            break;
    return job;
}

bool
jobs_hold_entry(const struct daemon *d, const char *entry_id)
{
    const struct job *job;

    LIST_FOREACH (job, bucket_of(d, entry_id), same_bucket)
        if (strcmp(job->entry_id, entry_id) == 0)
            return true;
    return false;
}

void
jobs_drop(struct job *job)
{
    if (job->listed) {
        TAILQ_REMOVE(&job->d->jobs, job, next);
        LIST_REMOVE(job, same_bucket);
        job->d->held--;
    }
    args_fini(&job->fields);
    args_fini(&job->end);
    free(job->work);
    free(job);
}

/* ---- what the scripts have in common ---- */

void
job_fields(struct args *out, const struct job *job)
{
    const struct cs_command *cmd = &job->cmd;
    char when[CS_TIME_LEN + 1];

    cs_time_format(job->created_ms, when);
    args_pair(out, "job_id", job->job_id);
    args_pair(out, "entry_id", job->entry_id);
    args_pair(out, "command", cs_verb_name(cmd->verb));
    args_pair(out, "mode", cs_mode_name(cmd->mode));
    args_pair(out, "force", cmd->force ? "1" : "0");
    args_pair(out, "dry_run", cmd->dry_run ? "1" : "0");
    args_pair(out, "environment", cmd->environment);
    args_pair(out, "as_of", cmd->as_of);
    args_pair(out, "triggered_by", cmd->triggered_by);
    args_pair(out, "created_at", when);
}

void
job_slot(char out[64], const struct job *job)
{
    snprintf(out, 64, "%s|%d|%d|%s", cs_mode_name(job->cmd.mode), job->cmd.force, job->cmd.dry_run,
             job->cmd.as_of);
}

void
job_add_head(struct args *a, const struct job *job)
{
    char key[CS_KEY_MAX];

    args_add(a, job->d->keys.commands);
    args_add(a, cs_key_job(&job->d->keys, job->job_id, key));
}

void
job_add_owner(struct args *a, const struct job *job)
{
    args_add(a, CS_GROUP);
    args_add(a, job->d->name);
    args_add(a, job->entry_id);
}

void
job_eval(struct job *job, const char *script, cs_redis_cb *cb, int nkeys, struct args *a)
{
    bool sent = cs_redis_eval(job->d->redis, script, cb, cb ? job : NULL, nkeys, (int)a->count, a->v,
                              a->len) == CS_OK;

    if (cb)
        job->sent = sent;
    args_fini(a);
}

static void
refused(struct job *job, const struct cs_reply *r, const char *script)
{
    int64_t now_us = cs_clock_mono_us(), wait_us = REFUSED_FIRST_US;

    for (int i = 0; i < job->refusals && wait_us < REFUSED_MAX_US; i++)
        wait_us *= 2;
    job->refusals++;
    job->due_us = now_us + wait_us / 2 + random() % (wait_us / 2);
    if (cs_reply_is_error(r, "READONLY")) /* a failover: the name may lead to the new master */
        cs_redis_drop(job->d->redis, "the server takes no writes: it is a replica");
    if (now_us < job->d->refusal_said_us + REFUSED_SAID_EVERY_US && job->d->refusal_said_us)
        return;
    job->d->refusal_said_us = now_us;
    CS_LOG(CS_LOG_ERROR, "redis_refused", job->job_id, cs_kv_s("script", script),
           cs_kv_s("error", cs_reply_str(r, NULL)), cs_kv_s("remedy", "kept, and tried again"));
}

bool
job_answered(struct job *job, const struct cs_reply *r, const char *script)
{
    job->sent = false;
    if (!r)
        return false; /* sent again once Redis is back */
    if (cs_reply_is_error(r, "NOGROUP")) {
        CS_LOG(CS_LOG_WARN, "job_withdrawn", job->job_id, cs_kv_s("reason", "its stream is gone"));
        jobs_drop(job);
        return false;
    }
    if (cs_reply_is_error(r, NULL)) {
        refused(job, r, script);
        return false;
    }
    job->refusals = 0;
    return true;
}

bool
job_told(const struct cs_reply *r, size_t i)
{
    const char *text = cs_reply_str(cs_reply_at(r, i), NULL);

    return text && *text;
}

void
job_later(struct job *job, enum job_state state, int64_t delay_us)
{
    job->state = state;
    job->due_us = cs_clock_mono_us() + delay_us;
}

/* ---- the next step of each ---- */

static bool
environment_taken(const struct daemon *d, const struct job *job)
{
    const struct job *other;

    TAILQ_FOREACH (other, &d->jobs, next)
        if (other != job &&
            (other->state == JOB_RUNNING || other->state == JOB_RELEASING ||
             (other->state == JOB_WAITING && other->sent)) &&
            strcmp(other->cmd.environment, job->cmd.environment) == 0)
            return true;
    return false;
}

size_t
jobs_busy(const struct daemon *d)
{
    int64_t now_us = cs_clock_mono_us();
    const struct job *job;
    size_t n = 0;

    TAILQ_FOREACH (job, &d->jobs, next)
        n += job->state == JOB_RUNNING ||
             (job->state == JOB_WAITING && job->due_us <= now_us && !environment_taken(d, job));
    return n;
}

void
jobs_count(const struct daemon *d, size_t *waiting, size_t *refused)
{
    const struct job *job;

    *waiting = *refused = 0;
    TAILQ_FOREACH (job, &d->jobs, next) {
        *waiting += job->state == JOB_WAITING && environment_taken(d, job);
        *refused += job->state == JOB_ADMITTING && job->refusals > 0;
    }
}

void
jobs_redis_down(struct daemon *d)
{
    struct job *job;

    TAILQ_FOREACH (job, &d->jobs, next)
        job->sent = false;
    d->admitting = 0;
}

/* The step of a state. NULL: it waits for the pool. */
static void (*const steps[])(struct job *job) = {
    [JOB_ADMITTING] = admit_send,   [JOB_REPEATING] = admit_repeat, [JOB_WAITING] = run_start,
    [JOB_RUNNING] = NULL,           [JOB_RELEASING] = run_release,  [JOB_ENDING] = finish_send,
    [JOB_SETTLING] = finish_settle,
};

static void
wake_at(struct daemon *d, int64_t next_us, int64_t now_us)
{
    int64_t wait_us = next_us - now_us;
    struct timeval tv = {.tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000};

    if (next_us == NEVER_US)
        event_del(d->due);
    else
        event_add(d->due, &tv);
}

void
jobs_run(struct daemon *d)
{
    int64_t now_us = cs_clock_mono_us(), next_us = NEVER_US;
    size_t idle = pool_idle(d->pool), starting = 0;
    struct job *job, *following;

    if (!cs_redis_is_up(d->redis))
        return;
    TAILQ_FOREACH (job, &d->jobs, next)
        starting += job->state == JOB_WAITING && job->sent;
    for (job = TAILQ_FIRST(&d->jobs); job; job = following) {
        following = TAILQ_NEXT(job, next);
        if (job->sent || !steps[job->state])
            continue;
        if (job->due_us > now_us) {
            next_us = job->due_us < next_us ? job->due_us : next_us;
            continue;
        }
        if (job->state == JOB_WAITING) {
            if (d->stopping || starting >= idle || environment_taken(d, job))
                continue;
            starting++;
        }
        steps[job->state](job);
    }
    wake_at(d, next_us, now_us);
}
