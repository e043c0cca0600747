/* SPDX-License-Identifier: MIT */
/*
 * status - one job by its id: the hash, or the entry that no worker has read yet. Loop thread.
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
on_redis_job(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    struct cs_field *fields;
    size_t count;

    if (index + 1 != call->asked)
        return; /* OK, QUEUED */
    fields = http_fields(cs_reply_at(reply, 0), &count);
    call->result = cs_job_to_json(fields, count);
    free(fields);
    if (!call->result)
        take_entry(call, cs_reply_at(reply, 1));
}

static void
on_all_job(struct http_call *call)
{
    if (call->result)
        call->on_job(call);
    else
        http_reply_error(call, 404, "not_found", "No job has this id; the history lists the known ones.");
}

void
http_job_find(struct http_call *call, http_handler *on_job)
{
    const struct http_app *app = call->app;
    struct cs_entry_id id;
    char key[CS_KEY_MAX], entry[CS_ENTRY_ID_LEN + 1];

    call->on_job = on_job;
    http_expect(call, on_redis_job, on_all_job);
    http_ask(call, 1, (const char *[]){"MULTI"});
    http_ask(call, 2, (const char *[]){"HGETALL", cs_key_job(&app->keys, call->job_id, key)});
    if (cs_uuid_to_entry(call->job_id, &id) == CS_OK) {
        cs_entry_id_format(&id, entry);
        http_ask(call, 4, (const char *[]){"XRANGE", app->keys.commands, entry, entry});
    }
    http_ask(call, 1, (const char *[]){"EXEC"});
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
