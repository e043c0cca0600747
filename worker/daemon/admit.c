/* SPDX-License-Identifier: MIT */
/*
 * admit - turns a stream entry into a pending job, once, or attaches it to a job that does its work.
 *
 * What cannot be understood ends here. A job that joined another is in nobody's hands: it ends with that one.
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

#define WAITERS_MAX 500 /* one call that moves them all stays under some 10 ms */
#define LOOK_AGAIN_US INT64_C(200000)

/* ---- its idempotency key is another's, which has ended ---- */

static json_t *
first_doc(const struct cs_reply *r)
{
    json_t *doc = json_object(), *names;
    size_t len;
    const char *s = cs_reply_str(cs_reply_at(r, 2), &len);

    json_object_set_new(doc, "total_changes", json_integer(cs_reply_int(cs_reply_at(r, 1))));
    names = s ? cs_json_parse(s, len, 1 << 20, NULL) : NULL;
    json_object_set_new(doc, "universes_updated", names ? names : json_array());
    return doc;
}

static void
on_first_reply(const struct cs_reply *r, void *arg)
{
    struct job *job = arg;
    const char *status, *text;
    struct finish how = {.coalesced_into = job->first_id};
    json_t *doc, *details = NULL;
    size_t len;

    if (!job_answered(job, r, "hmget"))
        return;
    status = cs_reply_str(cs_reply_at(r, 0), NULL);
    if (!status) { /* forgotten since: admitted anew, it runs itself */
        job_later(job, JOB_ADMITTING, LOOK_AGAIN_US);
        jobs_run(job->d);
        return;
    }
    if (!cs_status_parse(status, &how.status) || !cs_status_final(how.status)) {
        CS_LOG(CS_LOG_DEBUG, "first_job_unknown", job->job_id, cs_kv_s("first", job->first_id));
        job_later(job, JOB_REPEATING, LOOK_AGAIN_US);
        jobs_run(job->d);
        return;
    }
    doc = first_doc(r);
    text = cs_reply_str(cs_reply_at(r, 3), &len);
    if (text)
        details = cs_json_parse(text, len, 1 << 20, NULL);
    how.doc = doc;
    how.error_details = details;
    finish_job(job, &how);
    json_decref(doc);
    json_decref(details);
}

void
admit_repeat(struct job *job)
{
    char key[CS_KEY_MAX];
    const char *argv[] = {"HMGET",
                          cs_key_job(&job->d->keys, job->first_id, key),
                          "status",
                          "total_changes",
                          "universes_updated",
                          "error_details"};

    job->sent = cs_redis_call(job->d->redis, on_first_reply, job, 0, 6, argv, NULL) == CS_OK;
}

/* ---- the answers of lua/admit ---- */

static void
admitted(struct job *job, const struct cs_reply *r)
{
    int64_t due_ms = cs_reply_int(cs_reply_at(r, 1)), now_ms = cs_clock_wall_ms();

    job->cancelled = job->cancelled || job_told(r, 2);
    job->in_doubt = job_told(r, 3);
    if (job->cancelled)
        run_cancelled(job);
    else
        job_later(job, JOB_WAITING, due_ms > now_ms ? (due_ms - now_ms) * 1000 : 0);
}

static void
attached(struct job *job, const struct cs_reply *r)
{
    struct daemon *d = job->d;
    bool cancelled = job->cancelled;
    char job_id[CS_UUID_LEN + 1];

    CS_LOG(CS_LOG_DEBUG, "job_coalesced", job->job_id,
           cs_kv_s("into", cs_reply_str(cs_reply_at(r, 1), NULL)));
    memcpy(job_id, job->job_id, sizeof(job_id));
    jobs_drop(job);
    if (cancelled)
        cancel_job(d, job_id);
}

static void
repeats(struct job *job, const struct cs_reply *r)
{
    const char *first = cs_reply_str(cs_reply_at(r, 1), NULL);

    snprintf(job->first_id, sizeof(job->first_id), "%s", first ? first : "");
    job_later(job, JOB_REPEATING, 0);
}

static void
ended(struct job *job, const struct cs_reply *r)
{
    (void)r;
    job_later(job, JOB_SETTLING, 0);
}

static void
not_ours(struct job *job, const struct cs_reply *r)
{
    CS_LOG(CS_LOG_INFO, "job_not_admitted", job->job_id,
           cs_kv_s("answer", cs_reply_str(cs_reply_at(r, 0), NULL)));
    jobs_drop(job);
}

static void
foreign(struct job *job, const struct cs_reply *r)
{
    (void)r;
    job->job_id[0] = '\0'; /* there is no hash to end */
    finish_failed(job, "foreign_key",
                  "the key of the job's hash holds something else: move it away and send the command again",
                  NULL, true);
}

static void
on_admit_reply(const struct cs_reply *r, void *arg)
{
    static const struct {
        const char *word;
        void (*act)(struct job *job, const struct cs_reply *r);
    } answers[] = {{"new", admitted}, {"again", admitted}, {"attached", attached}, {"first", repeats},
                   {"settle", ended}, {"known", not_ours}, {"lost", not_ours},     {"foreign", foreign}};
    struct job *job = arg;
    struct daemon *d = job->d;
    const char *word = cs_reply_str(cs_reply_at(r, 0), NULL);
    size_t i = 0;

    if (job_answered(job, r, "admit")) {
        while (i + 1 < sizeof(answers) / sizeof(*answers) && (!word || strcmp(word, answers[i].word) != 0))
            i++;
        answers[i].act(job, r);
    }
    if (!r)
        return;
    if (--d->admitting == 0) {
        jobs_run(d);
        intake_read(d);
        daemon_maybe_stop(d);
    }
}

void
admit_send(struct job *job)
{
    struct daemon *d = job->d;
    bool keyed = job->cmd.idempotency_key[0];
    struct args a = {0}, event = {0};
    char key[CS_KEY_MAX], implied[CS_UUID_LEN + 1] = "", slot[64];
    struct cs_entry_id id;

    if (cs_entry_id_parse(job->entry_id, &id) == CS_OK && cs_uuid_from_entry(&id, implied) != CS_OK)
        implied[0] = '\0';
    job_slot(slot, job);
    events_triggered(&event, job->job_id, &job->cmd, cs_clock_wall_ms());
    job_add_head(&a, job);
    args_add(&a, d->keys.jobs);
    args_add(&a, d->keys.events);
    args_add(&a, d->keys.metrics);
    args_add(&a, cs_key_pending(&d->keys, job->cmd.environment, key));
    args_add(&a, d->keys.entries);
    if (keyed)
        args_add(&a, cs_key_idem(&d->keys, job->cmd.idempotency_key, key));
    job_add_owner(&a, job);
    args_add(&a, job->job_id);
    args_int(&a, job->created_ms);
    args_int(&a, d->cfg.events_maxlen);
    args_int(&a, WAITERS_MAX);
    args_add(&a, cs_mode_name(job->cmd.mode));
    args_add(&a, strchr(slot, '|') + 1);
    args_add(&a, strcmp(implied, job->job_id) == 0 ? "" : "1");
    args_add(&a, event.v[0]);
    args_add(&a, event.v[1]);
    job_fields(&a, job);
    args_fini(&event);
    job_eval(job, "worker/lua/admit.lua", on_admit_reply, keyed ? 8 : 7, &a);
    d->admitting += job->sent;
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
obey_cancel(struct job *job)
{
    struct daemon *d = job->d;
    char target[CS_UUID_LEN + 1];

    memcpy(target, job->cmd.job_id, sizeof(target));
    job->job_id[0] = '\0';
    acknowledge(job);
    cancel_job(d, target);
}

/* The id that the entry implies, and when it was made. False: it fits none. */
static bool
name_job(struct job *job)
{
    struct cs_entry_id id = {0};

    if (cs_entry_id_parse(job->entry_id, &id) != CS_OK || cs_uuid_from_entry(&id, job->job_id) != CS_OK) {
        job->job_id[0] = '\0';
        job->created_ms = cs_clock_wall_ms();
        return false;
    }
    job->created_ms = (int64_t)id.ms;
    return true;
}

static enum cs_rc
decode(struct job *job, struct cs_err *err)
{
    size_t count = job->fields.count / 2;
    struct cs_field *fields = cs_xcalloc(count + 1, sizeof(*fields));
    enum cs_rc rc;

    for (size_t i = 0; i < count; i++)
        fields[i] = (struct cs_field){job->fields.v[2 * i], job->fields.len[2 * i], job->fields.v[2 * i + 1],
                                      job->fields.len[2 * i + 1]};
    cs_command_init(&job->cmd, job->d->cfg.environment, "stream");
    rc = cs_command_decode(&job->cmd, fields, count, err);
    free(fields);
    return rc;
}

static void
consider(struct job *job)
{
    struct cs_err err = {0};
    bool named = name_job(job);
    enum cs_rc rc = decode(job, &err);

    if (!named) {
        finish_failed(job, "invalid_command",
                      "the entry id fits no job id: let Redis choose it (XADD with *)", NULL, true);
        return;
    }
    if (rc == CS_OK && job->cmd.verb == CS_VERB_CANCEL) {
        obey_cancel(job);
        return;
    }
    if (job->cmd.job_id[0])
        memcpy(job->job_id, job->cmd.job_id, sizeof(job->job_id));
    if (rc != CS_OK)
        finish_failed(job, "invalid_command", err.msg, NULL, true);
    else if (job->cmd.verb == CS_VERB_PING)
        pings_add(job);
    else
        admit_send(job);
}

static void
take_fields(struct job *job, const struct cs_reply *fields)
{
    const char *s;
    size_t len;

    for (size_t i = 0; i < cs_reply_len(fields); i++) {
        s = cs_reply_str(cs_reply_at(fields, i), &len);
        args_bytes(&job->fields, s ? s : "", s ? len : 0);
    }
}

static struct job *
hold(struct daemon *d, const struct cs_reply *entry)
{
    const char *id = cs_reply_str(cs_reply_at(entry, 0), NULL);
    struct job *job;

    if (!id || strlen(id) > CS_ENTRY_ID_LEN || jobs_hold_entry(d, id))
        return NULL;
    job = jobs_add(d, id);
    take_fields(job, cs_reply_at(entry, 1));
    return job;
}

void
admit_one(struct daemon *d, const struct cs_reply *entry)
{
    const char *id = cs_reply_str(cs_reply_at(entry, 0), NULL);
    struct job *job;

    if (cs_reply_type(cs_reply_at(entry, 1)) != CS_REPLY_ARRAY) {
        if (id && !jobs_hold_entry(d, id))
            cancel_trimmed(d, id, "");
    } else if ((job = hold(d, entry))) {
        consider(job);
    }
}

void
admit_take(struct daemon *d, const struct cs_reply *entries)
{
    for (size_t i = 0; i < cs_reply_len(entries); i++)
        admit_one(d, cs_reply_at(entries, i));
    pings_run(d);
}

void
admit_poisoned(struct daemon *d, const struct cs_reply *entry, const char *job_id)
{
    struct job *job = hold(d, entry);

    if (!job)
        return;
    cs_command_init(&job->cmd, d->cfg.environment, "stream");
    if (name_job(job) && *job_id && cs_uuid_normalize(job_id, strlen(job_id), job->job_id) != CS_OK)
        (void)name_job(job);
    finish_failed(job, "attempts_exhausted", "every worker that received it died before it could begin", NULL,
                  true);
}
