/* SPDX-License-Identifier: MIT */
/*
 * cancel - ends a job that somebody cancelled, wherever it is: in our hands, waiting for another job, or unread; and a
 * job whose entry was trimmed.
 *
 * A job in another worker's hands is left to it; the mark in its hash ends it should that worker die. Every worker does
 * all of this at once; the scripts let one of them win.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "worker/daemon/daemon.h"

#define PAGE "500"
#define PAGES_MAX 200 /* entries that one cancel looks through: a hundred thousand */

/* ---- a job that is in nobody's hands: lives for one question ---- */

static struct job *
question(struct daemon *d, const char *entry_id, const char *job_id)
{
    struct job *job = cs_xcalloc(1, sizeof(*job));
    struct cs_entry_id id;

    job->d = d;
    snprintf(job->entry_id, sizeof(job->entry_id), "%s", entry_id);
    snprintf(job->job_id, sizeof(job->job_id), "%s", job_id);
    if (cs_entry_id_parse(entry_id, &id) == CS_OK)
        job->created_ms = (int64_t)id.ms;
    cs_command_init(&job->cmd, d->cfg.environment, "stream");
    return job;
}

void
cancel_unanswered(struct job *job, const struct cs_reply *r)
{
    if (r && cs_reply_is_error(r, "WRONGTYPE"))
        CS_LOG(CS_LOG_WARN, "cancel_ignored", job->job_id, cs_kv_s("reason", cs_reply_str(r, NULL)));
    else if (job->held != HELD_TRIMMED) /* the next sweep finds that one */
        cancel_missed(job->d, job->job_id);
    jobs_drop(job);
}

/* Names and values of an entry or a hash into the job's command. */
static enum cs_rc
read_command(struct job *job, const struct cs_reply *fields, size_t from)
{
    size_t count = cs_reply_len(fields) > from ? (cs_reply_len(fields) - from) / 2 : 0;
    struct cs_field *list = cs_xcalloc(count + 1, sizeof(*list));
    struct cs_err err = {0};
    enum cs_rc rc;

    for (size_t i = 0; i < count; i++) {
        list[i].name = cs_reply_str(cs_reply_at(fields, from + 2 * i), &list[i].name_len);
        list[i].value = cs_reply_str(cs_reply_at(fields, from + 2 * i + 1), &list[i].value_len);
    }
    rc = cs_command_decode(&job->cmd, list, count, &err);
    free(list);
    return rc;
}

/* A field of a hash as HGETALL gives it. NULL: absent. */
static const char *
field(const struct cs_reply *fields, size_t from, const char *name)
{
    for (size_t i = from; i + 1 < cs_reply_len(fields); i += 2)
        if (strcmp(cs_reply_str(cs_reply_at(fields, i), NULL), name) == 0)
            return cs_reply_str(cs_reply_at(fields, i + 1), NULL);
    return NULL;
}

/* ---- unread ---- */

static void
end_unread(struct job *job, const struct cs_reply *entry)
{
    const char *id = cs_reply_str(cs_reply_at(entry, 0), NULL);
    struct cs_entry_id made;

    if (!id || read_command(job, cs_reply_at(entry, 1), 0) != CS_OK || job->cmd.verb == CS_VERB_CANCEL) {
        jobs_drop(job); /* the worker that reads it says what is wrong */
        return;
    }
    if (job->cmd.verb == CS_VERB_PING) {
        CS_LOG(CS_LOG_INFO, "cancel_ignored", job->job_id, cs_kv_s("reason", "a ping ends by itself"));
        jobs_drop(job);
        return;
    }
    snprintf(job->entry_id, sizeof(job->entry_id), "%s", id);
    if (cs_entry_id_parse(id, &made) == CS_OK)
        job->created_ms = (int64_t)made.ms;
    job->held = HELD_UNREAD;
    CS_LOG(CS_LOG_INFO, "cancel_unread", job->job_id);
    finish_failed(job, "cancelled", "cancelled before it was read", NULL, true);
}

static void look_through(struct job *job);

static void
on_page_reply(const struct cs_reply *r, void *arg)
{
    struct job *job = arg;
    size_t n = cs_reply_len(r);
    const char *last = n ? cs_reply_str(cs_reply_at(cs_reply_at(r, n - 1), 0), NULL) : NULL;

    if (!r || cs_reply_is_error(r, NULL)) {
        cancel_unanswered(job, r);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct cs_reply *entry = cs_reply_at(r, i);
        struct job *seen = question(job->d, cs_reply_str(cs_reply_at(entry, 0), NULL), "");
        bool same = read_command(seen, cs_reply_at(entry, 1), 0) == CS_OK &&
                    seen->cmd.verb != CS_VERB_CANCEL && strcmp(seen->cmd.job_id, job->job_id) == 0;

        jobs_drop(seen);
        if (same) {
            end_unread(job, entry);
            return;
        }
    }
    if (!last || ++job->attempts > PAGES_MAX) {
        CS_LOG(CS_LOG_INFO, "cancel_ignored", job->job_id, cs_kv_s("reason", "no such job"));
        jobs_drop(job);
        return;
    }
    snprintf(job->first_id, sizeof(job->first_id), "(%.34s", last);
    look_through(job);
}

/* The job brought an id of its own: its entry is found by reading. */
static void
look_through(struct job *job)
{
    const char *argv[] = {"XRANGE", job->d->keys.commands, job->first_id, "+", "COUNT", PAGE};

    if (cs_redis_call(job->d->redis, on_page_reply, job, 0, 6, argv, NULL) != CS_OK)
        cancel_unanswered(job, NULL);
}

static void
look_from_the_first(struct job *job)
{
    snprintf(job->first_id, sizeof(job->first_id), "-");
    look_through(job);
}

static void
on_entry_reply(const struct cs_reply *r, void *arg)
{
    struct job *job = arg;

    if (!r || cs_reply_is_error(r, NULL))
        cancel_unanswered(job, r);
    else if (cs_reply_len(r))
        end_unread(job, cs_reply_at(r, 0));
    else
        look_from_the_first(job);
}

static void
look_in_stream(struct job *job)
{
    struct cs_entry_id id;

    if (cs_uuid_to_entry(job->job_id, &id) != CS_OK) {
        look_from_the_first(job);
        return;
    }
    cs_entry_id_format(&id, job->entry_id);
    job->created_ms = (int64_t)id.ms;
    if (cs_redis_call(job->d->redis, on_entry_reply, job, 0, 4,
                      (const char *[]){"XRANGE", job->d->keys.commands, job->entry_id, job->entry_id},
                      NULL) != CS_OK)
        cancel_unanswered(job, NULL);
}

/* ---- not in our hands ---- */

static void
end_waiter(struct job *job, const struct cs_reply *r)
{
    const char *entry = field(r, 1, "entry_id"), *created = field(r, 1, "created_at");

    (void)read_command(job, r, 1) /* what it wrote, it can read */;
    snprintf(job->entry_id, sizeof(job->entry_id), "%s", entry ? entry : "");
    if (!created || cs_time_parse(created, &job->created_ms) != CS_OK)
        job->created_ms = 0;
    job->held = HELD_WAITER;
    finish_failed(job, "cancelled", "cancelled before it ran", NULL, false);
}

static void
on_mark_reply(const struct cs_reply *r, void *arg)
{
    struct job *job = arg;
    const char *word = cs_reply_str(cs_reply_at(r, 0), NULL);

    if (!r || cs_reply_is_error(r, NULL)) {
        cancel_unanswered(job, r);
    } else if (word && strcmp(word, "waiter") == 0) {
        end_waiter(job, r);
    } else if (word && strcmp(word, "unknown") == 0) {
        look_in_stream(job);
    } else {
        CS_LOG(CS_LOG_DEBUG, "cancel_marked", job->job_id, cs_kv_s("answer", word));
        jobs_drop(job);
    }
}

static void
cancel_elsewhere(struct daemon *d, const char *job_id)
{
    struct job *job = question(d, "", job_id);
    char key[CS_KEY_MAX];
    const char *argv[] = {cs_key_job(&d->keys, job_id, key)};

    if (cs_redis_eval(d->redis, "worker/lua/cancel.lua", on_mark_reply, job, 1, 1, argv, NULL) != CS_OK)
        cancel_unanswered(job, NULL);
}

/* For the next owner, should this worker die or hand the job back. */
static void
mark(struct job *job)
{
    char key[CS_KEY_MAX];
    const char *argv[] = {cs_key_job(&job->d->keys, job->job_id, key)};

    if (cs_redis_eval(job->d->redis, "worker/lua/cancel.lua", NULL, NULL, 1, 1, argv, NULL) != CS_OK)
        cancel_missed(job->d, job->job_id);
}

static void
cancel_where_it_is(struct daemon *d, const char *job_id)
{
    struct job *job = jobs_find(d, job_id);

    if (!job) {
        cancel_elsewhere(d, job_id);
        return;
    }
    job->cancelled = true;
    if (job->state == JOB_RUNNING)
        run_tell(job);
    else if ((job->state == JOB_WAITING || job->state == JOB_REPEATING) && !job->sent)
        run_cancelled(job);
    if (job->state == JOB_RUNNING || job->state == JOB_WAITING || job->state == JOB_RELEASING)
        mark(job);
}

void
cancel_job(struct daemon *d, const char *job_id)
{
    CS_LOG(CS_LOG_INFO, "cancel", job_id, cs_kv_b("held", jobs_find(d, job_id) != NULL));
    cancel_where_it_is(d, job_id);
}

void
cancel_read(struct daemon *d, const char *job_id)
{
    if (jobs_find(d, job_id))
        cancel_where_it_is(d, job_id);
    else
        cancel_missed(d, job_id);
}

void
cancel_missed(struct daemon *d, const char *job_id)
{
    if (d->missed_count == CANCELS_MISSED_MAX)
        CS_LOG(CS_LOG_WARN, "cancel_ignored", job_id, cs_kv_s("reason", "too many cancels at once"));
    else
        snprintf(d->missed[d->missed_count++], sizeof(d->missed[0]), "%s", job_id);
}

void
cancel_again(struct daemon *d)
{
    char job_id[CS_UUID_LEN + 1];

    for (size_t n = d->missed_count; n > 0; n--) {
        snprintf(job_id, sizeof(job_id), "%s", d->missed[0]);
        memmove(d->missed[0], d->missed[1], --d->missed_count * sizeof(d->missed[0]));
        cancel_where_it_is(d, job_id);
    }
}

/* ---- entries that were trimmed ---- */

static void
on_trimmed_hash(const struct cs_reply *r, void *arg)
{
    struct job *job = arg;
    const char *created = field(r, 0, "created_at"), *attempts = field(r, 0, "attempts");
    bool known = cs_reply_len(r) > 0;

    if (!r) {
        jobs_drop(job); /* the next sweep finds it again */
        return;
    }
    (void)read_command(job, r, 0);
    if (created && cs_time_parse(created, &job->created_ms) != CS_OK)
        job->created_ms = 0;
    job->attempts = attempts ? atoi(attempts) : 0;
    job->held = HELD_TRIMMED;
    CS_LOG(CS_LOG_WARN, "entry_trimmed", job->job_id, cs_kv_s("entry", job->entry_id));
    finish_failed(job, "entry_trimmed", "its entry was trimmed from the stream: send the command again", NULL,
                  !known);
}

void
cancel_trimmed(struct daemon *d, const char *entry_id, const char *job_id)
{
    struct job *job = question(d, entry_id, job_id);
    struct cs_entry_id id;
    char key[CS_KEY_MAX];

    if (!*job_id &&
        (cs_entry_id_parse(entry_id, &id) != CS_OK || cs_uuid_from_entry(&id, job->job_id) != CS_OK))
        job->job_id[0] = '\0';
    if (cs_redis_call(d->redis, on_trimmed_hash, job, 0, 2,
                      (const char *[]){"HGETALL", cs_key_job(&d->keys, job->job_id, key)}, NULL) != CS_OK)
        jobs_drop(job);
}
