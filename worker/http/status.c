/* SPDX-License-Identifier: MIT */
/*
 * status - one job by its id: its hash, or the entry that no worker has read yet. Loop thread.
 */
#include <stdlib.h>

#include "common/job.h"
#include "worker/http/http.h"

static void
take_entry(struct http_call *call, const struct cs_reply *entries)
{
    const struct cs_reply *entry = cs_reply_at(entries, 0);
    struct cs_entry_id id;
    struct cs_err ignored; /* what was good is shown; the worker reports the rest */
    struct cs_field *fields;
    size_t count;
    enum cs_rc rc;

    if (!entry || cs_uuid_to_entry(call->job_id, &id) != CS_OK)
        return;
    fields = http_fields(cs_reply_at(entry, 1), &count);
    cs_command_init(&call->cmd, call->app->cfg.environment, "stream");
    rc = cs_command_decode(&call->cmd, fields, count, &ignored);
    (void)rc;
    free(fields);
    /* With a job id of its own the entry is another job; a cancel is none. */
    if (call->cmd.verb != CS_VERB_CANCEL && call->cmd.job_id[0] == '\0')
        call->result = cs_job_pending_json(call->job_id, &id, &call->cmd);
}

static void
take_hash(struct http_call *call, const struct cs_reply *hash)
{
    size_t count;
    struct cs_field *fields = http_fields(hash, &count);

    call->result = cs_job_to_json(fields, count);
    free(fields);
}

static void
on_redis_both(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    if (index + 1 != call->asked)
        return; /* OK, QUEUED */
    take_hash(call, cs_reply_at(reply, 0));
    if (!call->result)
        take_entry(call, cs_reply_at(reply, 1));
}

static void
found_or_not(struct http_call *call)
{
    if (call->result)
        call->on_job(call);
    else if (call->on_unknown)
        call->on_unknown(call);
    else
        http_refuse_job_id(call);
}

/* Without a hash the entry may be unread. Both are read in one step: a job that a worker takes up in between would
 * look lost. */
static void
ask_both(struct http_call *call)
{
    const struct http_app *app = call->app;
    struct cs_entry_id id;
    char key[CS_KEY_MAX], entry[CS_ENTRY_ID_LEN + 1];

    if (call->result || cs_uuid_to_entry(call->job_id, &id) != CS_OK) {
        found_or_not(call);
        return;
    }
    cs_entry_id_format(&id, entry);
    http_expect(call, on_redis_both, found_or_not);
    http_ask(call, 1, (const char *[]){"MULTI"});
    http_ask(call, 2, (const char *[]){"HGETALL", cs_key_job(&app->keys, call->job_id, key)});
    http_ask(call, 4, (const char *[]){"XRANGE", app->keys.commands, entry, entry});
    http_ask(call, 1, (const char *[]){"EXEC"});
}

static void
on_redis_hash(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    (void)index;
    take_hash(call, reply);
}

void
http_job_find(struct http_call *call, http_handler *on_job)
{
    char key[CS_KEY_MAX];

    call->on_job = on_job;
    http_expect(call, on_redis_hash, ask_both);
    http_ask(call, 2, (const char *[]){"HGETALL", cs_key_job(&call->app->keys, call->job_id, key)});
}

static void
reply_job(struct http_call *call)
{
    http_reply_json(call, 200, json_incref(call->result));
}

void
http_status(struct http_call *call)
{
    http_job_find(call, reply_job);
}
