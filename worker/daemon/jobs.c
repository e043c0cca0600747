/* SPDX-License-Identifier: MIT */
/*
 * jobs - the life of an entry that this daemon holds: admitted, started, run, tried again, ended.
 *
 * Every transition in Redis is a script that checks the owner; an answer lost with the connection is asked
 * for again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "worker/daemon/daemon.h"
#include "worker/daemon/events.h"

#define BACKOFF_US INT64_C(1000000)
#define BACKOFF_MAX_US INT64_C(30000000)
#define WATCH_US INT64_C(200000) /* a duplicate looks at its first job */

struct job *
jobs_find(struct daemon *d, const char *job_id)
{
    struct job *job = d->jobs;

    while (job && strcmp(job->job_id, job_id) != 0)
        job = job->next;
    return job;
}

static bool
holds_entry(const struct daemon *d, const char *entry_id)
{
    for (const struct job *job = d->jobs; job; job = job->next)
        if (strcmp(job->entry_id, entry_id) == 0)
            return true;
    return false;
}

void
jobs_drop(struct job *job)
{
    struct daemon *d = job->d;
    struct job **at = &d->jobs;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    if (job->state == JOB_BEHIND)
        d->behind--;
    else
        d->held--;
    args_fini(&job->fields);
    args_fini(&job->end);
    free(job);
}

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

static void
add_head(struct args *a, const struct job *job)
{
    char key[CS_KEY_MAX];

    args_add(a, job->d->keys.commands);
    args_add(a, cs_key_job(&job->d->keys, job->job_id, key));
}

static void
add_owner(struct args *a, const struct job *job)
{
    args_add(a, CS_GROUP);
    args_add(a, job->d->name);
    args_add(a, job->entry_id);
}

/* False when not up; whoever is waiting asks again in jobs_redis_up. */
static bool
eval(struct job *job, const char *script, cs_redis_cb *cb, int nkeys, struct args *a)
{
    bool sent = cs_redis_eval(job->d->redis, script, cb, cb ? job : NULL, nkeys, (int)a->count, a->v,
                              a->len) == CS_OK;

    args_fini(a);
    return sent;
}

/* ---- behind another job ---- */

static double
number(const char *s)
{
    return s ? strtod(s, NULL) : 0;
}

static json_t *
first_doc(const struct cs_reply *r)
{
    json_t *doc = json_object(), *names;
    size_t len;
    const char *s = cs_reply_str(cs_reply_at(r, 2), &len);

    json_object_set_new(doc, "total_changes",
                        json_integer((json_int_t)number(cs_reply_str(cs_reply_at(r, 1), NULL))));
    names = s ? cs_json_parse(s, len, 1 << 20, NULL) : NULL;
    json_object_set_new(doc, "universes_updated", names ? names : json_array());
    return doc;
}

static void
on_first_reply(const struct cs_reply *r, void *arg)
{
    struct job *job = arg;
    const char *s = cs_reply_str(cs_reply_at(r, 0), NULL);
    struct finish how = {.coalesced_into = job->first_id};
    json_t *doc, *details = NULL;
    size_t len;

    if (!r || !s || !cs_status_parse(s, &how.status) || !cs_status_final(how.status)) {
        if (r && !s && cs_reply_type(r) == CS_REPLY_ARRAY)
            CS_LOG(CS_LOG_DEBUG, "first_job_unknown", job->job_id, cs_kv_s("first", job->first_id));
        job->due_us = cs_clock_mono_us() + WATCH_US;
        if (job->cancelled)
            jobs_cancel(job->d, job->job_id);
        return;
    }
    doc = first_doc(r);
    s = cs_reply_str(cs_reply_at(r, 3), &len);
    if (s)
        details = cs_json_parse(s, len, 1 << 20, NULL);
    how.doc = doc;
    how.error_details = details;
    job->d->behind--;
    job->d->held++;
    finish_job(job, &how);
    json_decref(doc);
    json_decref(details);
}

static void
look_at_first(struct job *job)
{
    char key[CS_KEY_MAX];
    const char *argv[] = {"HMGET",
                          cs_key_job(&job->d->keys, job->first_id, key),
                          "status",
                          "total_changes",
                          "universes_updated",
                          "error_details"};

    job->due_us = INT64_MAX;
    if (cs_redis_call(job->d->redis, on_first_reply, job, 0, 6, argv, NULL) != CS_OK)
        job->due_us = cs_clock_mono_us() + WATCH_US;
}

static void
go_behind(struct job *job, const char *first_id)
{
    snprintf(job->first_id, sizeof(job->first_id), "%s", first_id);
    job->state = JOB_BEHIND;
    job->d->held--;
    job->d->behind++;
    look_at_first(job);
    intake_read(job->d);
}

/* ---- admit ---- */

static void
job_due(struct job *job, int64_t delay_us)
{
    job->state = JOB_WAITING;
    job->due_us = cs_clock_mono_us() + delay_us;
    jobs_run(job->d);
}

static void
on_admit_reply(const struct cs_reply *r, void *arg)
{
    struct job *job = arg;
    struct daemon *d = job->d;
    const char *word = cs_reply_str(cs_reply_at(r, 0), NULL);
    const char *first = cs_reply_str(cs_reply_at(r, 1), NULL);

    if (!r)
        return;
    if (job->cancelled && word && (strcmp(word, "new") == 0 || strcmp(word, "again") == 0)) {
        finish_failed(job, "cancelled", "cancelled before it ran", NULL, false);
    } else if (word && (strcmp(word, "new") == 0 || strcmp(word, "again") == 0)) {
        job_due(job, 0);
    } else if (word && first && strcmp(word, "first") == 0) {
        go_behind(job, first);
    } else {
        CS_LOG(word ? CS_LOG_INFO : CS_LOG_ERROR, "job_not_admitted", job->job_id,
               cs_kv_s("answer", word ? word : cs_reply_str(r, NULL)));
        jobs_drop(job);
        intake_read(d);
        daemon_maybe_stop(d);
    }
}

static void
admit(struct job *job)
{
    struct daemon *d = job->d;
    bool ping = job->cmd.verb == CS_VERB_PING;
    struct args a = {0}, event = {0};
    char key[CS_KEY_MAX];

    job->state = JOB_ADMITTING;
    events_triggered(&event, job->job_id, &job->cmd, cs_clock_wall_ms());
    add_head(&a, job);
    args_add(&a, d->keys.jobs);
    args_add(&a, d->keys.events);
    args_add(&a, job->cmd.idempotency_key[0] && !ping ? cs_key_idem(&d->keys, job->cmd.idempotency_key, key)
                                                      : "");
    add_owner(&a, job);
    args_add(&a, job->job_id);
    args_add(&a, ping ? "ping" : "job");
    args_int(&a, job->created_ms);
    args_int(&a, d->cfg.events_maxlen);
    args_add(&a, event.v[1]);
    args_add(&a, event.v[0]);
    job_fields(&a, job);
    args_fini(&event);
    eval(job, "worker/lua/admit.lua", on_admit_reply, 5, &a);
}

/* ---- take ---- */

static void
acknowledge(struct job *job)
{
    const char *ack[] = {"XACK", job->d->keys.commands, CS_GROUP, job->entry_id};
    const char *del[] = {"XDEL", job->d->keys.commands, job->entry_id};

    if (cs_redis_call(job->d->redis, NULL, NULL, 0, 4, ack, NULL) != CS_OK ||
        cs_redis_call(job->d->redis, NULL, NULL, 0, 3, del, NULL) != CS_OK)
        CS_LOG(CS_LOG_DEBUG, "acknowledge_later", NULL,
               cs_kv_s("entry", job->entry_id)); /* with the own pending entries */
    jobs_drop(job);
}

static void
decode(struct job *job)
{
    struct daemon *d = job->d;
    size_t count = job->fields.count / 2;
    struct cs_field *fields = cs_xcalloc(count + 1, sizeof(*fields));
    struct cs_entry_id id = {0};
    struct cs_err err = {0};
    enum cs_rc rc;

    for (size_t i = 0; i < count; i++)
        fields[i] = (struct cs_field){job->fields.v[2 * i], job->fields.len[2 * i], job->fields.v[2 * i + 1],
                                      job->fields.len[2 * i + 1]};
    cs_command_init(&job->cmd, d->cfg.environment, "stream");
    rc = cs_command_decode(&job->cmd, fields, count, &err);
    free(fields);
    if (cs_entry_id_parse(job->entry_id, &id) != CS_OK || cs_uuid_from_entry(&id, job->job_id) != CS_OK) {
        job->created_ms = cs_clock_wall_ms();
        finish_failed(job, "invalid_command",
                      "the entry id fits no job id: let Redis choose it (XADD with *)", NULL, true);
        return;
    }
    job->created_ms = (int64_t)id.ms;
    if (rc == CS_OK && job->cmd.verb == CS_VERB_CANCEL) {
        char target[CS_UUID_LEN + 1];

        memcpy(target, job->cmd.job_id, sizeof(target));
        job->job_id[0] = '\0';
        acknowledge(job);
        jobs_cancel(d, target);
        return;
    }
    if (job->cmd.job_id[0])
        memcpy(job->job_id, job->cmd.job_id, sizeof(job->job_id));
    if (rc != CS_OK)
        finish_failed(job, "invalid_command", err.msg, NULL, true);
    else
        admit(job);
}

static void
take(struct daemon *d, const struct cs_reply *entry)
{
    const char *id = cs_reply_str(cs_reply_at(entry, 0), NULL), *s;
    const struct cs_reply *fields = cs_reply_at(entry, 1);
    struct job *job;
    size_t len;

    if (!id || strlen(id) > CS_ENTRY_ID_LEN || holds_entry(d, id))
        return;
    job = cs_xcalloc(1, sizeof(*job));
    job->d = d;
    job->work.owner = job;
    snprintf(job->entry_id, sizeof(job->entry_id), "%s", id);
    for (size_t i = 0; i < cs_reply_len(fields); i++) {
        s = cs_reply_str(cs_reply_at(fields, i), &len);
        args_bytes(&job->fields, s ? s : "", s ? len : 0);
    }
    job->next = d->jobs;
    d->jobs = job;
    d->held++;
    if (cs_reply_type(fields) != CS_REPLY_ARRAY)
        acknowledge(job); /* deleted from the stream by somebody: nothing is left to do */
    else
        decode(job);
}

void
jobs_take(struct daemon *d, const struct cs_reply *entries)
{
    for (size_t i = 0; i < cs_reply_len(entries); i++)
        take(d, cs_reply_at(entries, i));
}

/* ---- run ---- */

static void
release(struct job *job, const char *how, int refund)
{
    struct args a = {0};

    add_head(&a, job);
    add_owner(&a, job);
    args_add(&a, how);
    args_int(&a, refund);
    eval(job, "worker/lua/release.lua", NULL, 2, &a);
}

static void
on_start_reply(const struct cs_reply *r, void *arg)
{
    struct job *job = arg;
    struct daemon *d = job->d;
    int64_t attempt = cs_reply_int(r);

    if (!r)
        return;
    if (cs_reply_is_error(r, NULL) || attempt <= 0) {
        CS_LOG(CS_LOG_WARN, "job_not_started", job->job_id, cs_kv_i("answer", attempt));
        jobs_drop(job);
        intake_read(d);
        return;
    }
    job->attempts = (int)attempt;
    if (attempt > d->cfg.max_attempts) {
        job->attempts--;
        finish_failed(job, "attempts_exhausted",
                      "its workers died or failed too often: see the log of the workers", NULL, false);
        return;
    }
    if (job->cancelled) {
        finish_failed(job, "cancelled", "cancelled before it ran", NULL, false);
        return;
    }
    job->work.kind = job->cmd.verb == CS_VERB_PING ? POOL_PING : POOL_SYNC;
    job->work.job_id = job->job_id;
    job->work.cmd = &job->cmd;
    job->work.rules = d->rules;
    job->work.now_ms = job->start_ms;
    atomic_store(&job->work.stop, false);
    job->timed_out = false;
    job->deadline_us = cs_clock_mono_us() + d->cfg.job_timeout_s * 1000000;
    if (pool_submit(d->pool, &job->work) != CS_OK) {
        release(job, "retry", 1);
        job->state = JOB_WAITING;
        job->due_us = cs_clock_mono_us() + WATCH_US;
        return;
    }
    job->state = JOB_RUNNING;
    CS_LOG(CS_LOG_INFO, "job_started", job->job_id, cs_kv_s("mode", cs_mode_name(job->cmd.mode)),
           cs_kv_s("environment", job->cmd.environment), cs_kv_i("attempt", attempt));
}

static void
start(struct job *job)
{
    struct args a = {0};
    char when[CS_TIME_LEN + 1];

    job->state = JOB_STARTING;
    job->start_ms = cs_clock_wall_ms();
    cs_time_format(job->start_ms, when);
    add_head(&a, job);
    add_owner(&a, job);
    args_add(&a, when);
    eval(job, "worker/lua/start.lua", on_start_reply, 2, &a);
}

void
jobs_run(struct daemon *d)
{
    int64_t now_us = cs_clock_mono_us();
    size_t idle = pool_idle(d->pool), starting = 0;

    if (!cs_redis_is_up(d->redis))
        return;
    for (struct job *job = d->jobs; job; job = job->next)
        starting += job->state == JOB_STARTING;
    for (struct job *job = d->jobs; job; job = job->next) {
        if (job->due_us > now_us)
            continue;
        if (job->state == JOB_BEHIND)
            look_at_first(job);
        else if (job->state == JOB_WAITING && !d->stopping && starting < idle) {
            starting++;
            start(job);
        }
    }
}

void
jobs_redis_up(struct daemon *d)
{
    for (struct job *job = d->jobs, *next; job; job = next) {
        next = job->next;
        switch (job->state) {
        case JOB_ADMITTING:
            admit(job);
            break;
        case JOB_STARTING:
            start(job);
            break;
        case JOB_ENDING:
            finish_send(job);
            break;
        case JOB_WAITING:
        case JOB_BEHIND:
        case JOB_RUNNING:
            break;
        }
    }
    jobs_run(d);
}

/* ---- outcome ---- */

/* The one decision: is a failure worth another attempt? */
static bool
is_transient(enum cs_rc rc, const struct cs_err *err)
{
    static const char *const states[] = {"08", "40001", "40P01", "57P0"};

    if (rc == CS_EDOWN || (rc == CS_EDB && !err->sqlstate[0])) /* libpq gives no state to a lost connection */
        return true;
    for (size_t i = 0; rc == CS_EDB && i < sizeof(states) / sizeof(*states); i++)
        if (strncmp(err->sqlstate, states[i], strlen(states[i])) == 0)
            return true;
    return false;
}

static void
retry(struct job *job, const struct cs_err *err)
{
    int64_t wait_us = BACKOFF_US;

    for (int i = 1; i < job->attempts && wait_us < BACKOFF_MAX_US; i++)
        wait_us *= 3;
    if (wait_us > BACKOFF_MAX_US)
        wait_us = BACKOFF_MAX_US;
    wait_us = wait_us / 2 + random() % (wait_us / 2);
    job->d->retried++;
    CS_LOG(CS_LOG_WARN, "job_retry", job->job_id, cs_kv_s("error", err->msg),
           cs_kv_i("attempt", job->attempts), cs_kv_i("wait_ms", wait_us / 1000));
    release(job, "retry", 0);
    job_due(job, wait_us);
}

static const char *
failure_code(enum cs_rc rc, const struct cs_err *err)
{
    if (err->code[0])
        return err->code;
    return rc == CS_EDOWN ? "database_unavailable" : rc == CS_EDB ? "database_error" : cs_rc_name(rc);
}

static void
sync_failed(struct job *job, const struct pool_report *report)
{
    const struct cs_err *err = &report->err;
    enum cs_rc rc = report->rc;
    json_t *figures = report->result.details ? json_incref(report->result.details) : json_object();

    if (job->cancelled) {
        finish_failed(job, "cancelled", "cancelled while it ran; nothing was written", NULL, false);
    } else if (job->d->stopping && rc == CS_ECANCELED) {
        release(job, "back", 1);
        CS_LOG(CS_LOG_INFO, "job_handed_back", job->job_id);
        jobs_drop(job);
    } else if ((is_transient(rc, err) || job->timed_out) && job->attempts < job->d->cfg.max_attempts) {
        retry(job, err);
    } else {
        if (err->sqlstate[0])
            json_object_set_new(figures, "sqlstate", json_string(err->sqlstate));
        json_object_set_new(figures, "attempts", json_integer(job->attempts));
        finish_failed(job, job->timed_out ? "timeout" : failure_code(rc, err), err->msg, figures, false);
    }
    json_decref(figures);
}

static void
on_progress(struct job *job, const struct sync_progress *p)
{
    int64_t now_ms = cs_clock_wall_ms();
    struct args a = {0}, event = {0};

    events_progress(&event, job->job_id, p, job->start_ms, now_ms);
    add_head(&a, job);
    args_add(&a, job->d->keys.events);
    add_owner(&a, job);
    args_give(&a, events_progress_field(p));
    args_int(&a, job->d->cfg.events_maxlen);
    args_add(&a, event.v[0]);
    args_add(&a, event.v[1]);
    args_fini(&event);
    eval(job, "worker/lua/progress.lua", NULL, 3, &a);
}

void
jobs_on_report(struct pool_report *report, void *arg)
{
    struct daemon *d = arg;
    struct job *job = report->work->owner;

    if (report->what == POOL_PROGRESS) {
        on_progress(job, &report->progress);
        return;
    }
    if (report->work->kind != POOL_PING)
        d->database =
            report->rc == CS_EDOWN || (report->rc == CS_EDB && !report->err.sqlstate[0]) ? "down" : "up";
    if (report->work->kind == POOL_PROBE) {
        d->probing = false;
    } else if (job->lost) {
        jobs_drop(job);
    } else if (report->rc == CS_OK) {
        finish_job(job,
                   &(struct finish){.status = CS_STATUS_COMPLETED, .doc = report->result.doc, .ran = true});
    } else {
        sync_failed(job, report);
    }
    jobs_run(d);
    intake_read(d);
    daemon_maybe_stop(d);
}

/* ---- cancel, stop ---- */

void
jobs_cancel(struct daemon *d, const char *job_id)
{
    struct job *job = jobs_find(d, job_id);

    CS_LOG(CS_LOG_INFO, "cancel", job_id, cs_kv_b("held", job != NULL));
    if (!job) {
        finish_unread(d, job_id);
        return;
    }
    job->cancelled = true;
    if (job->state == JOB_RUNNING) {
        pool_cancel(d->pool, &job->work);
    } else if (job->state == JOB_WAITING || job->state == JOB_BEHIND) {
        if (job->state == JOB_BEHIND && job->due_us == INT64_MAX)
            return; /* its first job is being looked at */
        if (job->state == JOB_BEHIND) {
            d->behind--;
            d->held++;
        }
        finish_failed(job, "cancelled", "cancelled before it ran", NULL, false);
    }
}

void
jobs_stop(struct daemon *d)
{
    for (struct job *job = d->jobs, *next; job; job = next) {
        next = job->next;
        if (job->state == JOB_WAITING || (job->state == JOB_BEHIND && job->due_us != INT64_MAX)) {
            release(job, "back", 0);
            jobs_drop(job);
        }
    }
}
