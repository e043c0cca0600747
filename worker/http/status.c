/* SPDX-License-Identifier: MIT */
/*
 * status - one job by its id: its hash, or the entry that no worker has read yet. Loop thread.
 */
#include <stdlib.h>
#include <string.h>

#include "common/job.h"
#include "worker/http/http.h"
#include "worker/http/job_text.h"

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
    call->found = call->cmd.verb != CS_VERB_CANCEL && call->cmd.job_id[0] == '\0';
    if (!call->found)
        return;
    call->job_status = CS_STATUS_PENDING;
    call->job_mode = call->cmd.mode;
    call->result = cs_job_pending_json(call->job_id, &id, &call->cmd);
    http_text_dump(&call->text, call->result);
}

static void
take_hash(struct http_call *call, const struct cs_reply *hash)
{
    size_t count;
    struct cs_field *fields = http_fields(hash, &count);

    call->found = count > 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, "status") == 0)
            (void)cs_status_parse(fields[i].value, &call->job_status);
        else if (strcmp(fields[i].name, "mode") == 0)
            (void)cs_mode_parse(fields[i].value, &call->job_mode);
    }
    if (call->found)
        http_job_text(&call->text, fields, count);
    free(fields);
}

static void
on_redis_both(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    if (index + 1 != call->asked)
        return; /* OK, QUEUED */
    take_hash(call, cs_reply_at(reply, 0));
    if (!call->found)
        take_entry(call, cs_reply_at(reply, 1));
}

static void
found_or_not(struct http_call *call)
{
    if (call->found)
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

    if (call->found || cs_uuid_to_entry(call->job_id, &id) != CS_OK) {
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
    http_reply(call, 200, "application/json", call->text.at, call->text.len);
}

void
http_status(struct http_call *call)
{
    http_job_find(call, reply_job);
}
