/* SPDX-License-Identifier: MIT */
/*
 * finish - sends lua/finish, the one atomic step that ends a job, and sees it through.
 *
 * The arguments are kept with the job until Redis answered, and are sent again after a lost connection.
 */
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "worker/daemon/daemon.h"

#define SETTLED_AT_ONCE 100 /* jobs that end in one call of lua/settle: some 2 ms */

static void
ended(struct job *job)
{
    struct daemon *d = job->d;

    jobs_drop(job);
    jobs_run(d);
    intake_read(d);
    daemon_maybe_stop(d);
}

static void
on_finish_reply(const struct cs_reply *reply, void *arg)
{
    struct job *job = arg;
    const char *word = cs_reply_str(cs_reply_at(reply, 0), NULL);
    const char *warning = cs_reply_str(cs_reply_at(reply, 1), NULL);

    if (!job->listed && (!reply || cs_reply_is_error(reply, NULL))) {
        cancel_unanswered(job, reply);
        return;
    }
    if (!job_answered(job, reply, "finish"))
        return;
    if (warning)
        CS_LOG(CS_LOG_ERROR, "finish_incomplete", job->job_id, cs_kv_s("error", warning),
               cs_kv_s("remedy", "give the user of Redis the rights of deploy/redis/users.acl"));
    CS_LOG(CS_LOG_DEBUG, "job_acknowledged", job->job_id, cs_kv_s("answer", word));
    if (word && strcmp(word, "lost") == 0 && job->held == HELD_UNREAD)
        cancel_read(job->d, job->job_id);
    if (word && strcmp(word, "settle") == 0 && job->held == HELD_OWNER) {
        job_later(job, JOB_SETTLING, 0);
        jobs_run(job->d);
    } else {
        ended(job);
    }
}

void
finish_send(struct job *job)
{
    struct args *a = &job->end;

    job->state = JOB_ENDING;
    job->sent = cs_redis_eval(job->d->redis, "worker/lua/finish.lua", on_finish_reply, job, job->end_nkeys,
                              (int)a->count, a->v, a->len) == CS_OK;
    if (!job->sent && !job->listed)
        cancel_unanswered(job, NULL);
}

static void
on_settle_reply(const struct cs_reply *reply, void *arg)
{
    struct job *job = arg;

    if (!job_answered(job, reply, "settle"))
        return;
    if (cs_reply_int(reply) > 0)
        jobs_run(job->d);
    else
        ended(job);
}

void
finish_settle(struct job *job)
{
    const struct cs_keys *keys = &job->d->keys;
    char key[CS_KEY_MAX], when[CS_TIME_LEN + 1];
    struct args a = {0};

    cs_time_format(cs_clock_wall_ms(), when);
    when[CS_DATE_LEN] = '\0';
    job_add_head(&a, job);
    args_add(&a, keys->events);
    args_add(&a, cs_key_daily(keys, when, key));
    args_add(&a, keys->metrics);
    args_add(&a, keys->entries);
    args_add(&a, cs_key_waiters(keys, job->job_id, key));
    args_add(&a, cs_key_duplicates(keys, job->job_id, key));
    job_add_owner(&a, job);
    args_int(&a, SETTLED_AT_ONCE);
    args_int(&a, job->d->cfg.retention_days * DAEMON_DAY_MS);
    args_int(&a, job->d->cfg.events_maxlen);
    args_add(&a, CS_CH_COMPLETE);
    job_eval(job, "worker/lua/settle.lua", on_settle_reply, 8, &a);
}

static void
say_finished(const struct job *job, const struct finish *how, int64_t now_ms)
{
    const char *code = json_string_value(json_object_get(how->error_details, "code"));
    const char *message = json_string_value(json_object_get(how->error_details, "message"));

    CS_LOG(how->status == CS_STATUS_COMPLETED ? CS_LOG_INFO : CS_LOG_WARN, "job_finished", job->job_id,
           cs_kv_s("status", cs_status_name(how->status)), cs_kv_s("code", code ? code : ""),
           cs_kv_s("message", message ? message : ""), cs_kv_i("attempts", job->attempts),
           cs_kv_i("changes", json_integer_value(json_object_get(how->doc, "total_changes"))),
           cs_kv_i("duration_ms", how->ran ? now_ms - job->start_ms : 0));
}

void
finish_job(struct job *job, const struct finish *how)
{
    int64_t now_ms = cs_clock_wall_ms();

    args_fini(&job->end);
    finish_args(job, &job->end, how, now_ms);
    if (how->status == CS_STATUS_COMPLETED)
        job->d->completed++;
    else
        job->d->failed++;
    if (job->held == HELD_OWNER)
        say_finished(job, how, now_ms);
    finish_send(job);
}

void
finish_failed(struct job *job, const char *code, const char *message, const json_t *figures, bool rejected)
{
    json_t *details = figures ? json_deep_copy(figures) : json_object();
    struct finish how = {.status = CS_STATUS_FAILED, .error_details = details, .rejected = rejected};

    json_object_set_new(details, "code", json_string(code));
    json_object_set_new(details, "message", cs_json_text(message, strlen(message)));
    how.ran = job->start_ms != 0;
    how.dead = strcmp(code, "cancelled") != 0;
    finish_job(job, &how);
    json_decref(details);
}
