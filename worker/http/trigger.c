/* SPDX-License-Identifier: MIT */
/*
 * trigger - POST trigger: a JSON body becomes one entry of P:commands. Loop thread.
 */
#include <stdio.h>
#include <string.h>

#include "worker/http/http.h"
#include "worker/http/trigger_read.h"

#define STATUS_PATH "/api/processing/cache-sync/status/"

static void
reply_accepted(struct http_call *call, const char *job_id)
{
    const char *mode = cs_mode_name(call->cmd.mode);
    char location[sizeof STATUS_PATH + CS_UUID_LEN], message[80];

    snprintf(location, sizeof location, STATUS_PATH "%.36s", job_id);
    snprintf(message, sizeof message, "Cache synchronization (%s) started", mode);
    http_reply_header(call, "Location", location);
    text_puts(&call->text, "{\"success\":true,\"job_id\":\"");
    text_puts(&call->text, job_id);
    text_puts(&call->text, "\",\"mode\":\"");
    text_puts(&call->text, mode);
    text_puts(&call->text, "\",\"message\":\"");
    text_puts(&call->text, message);
    text_puts(&call->text, "\"}");
    http_reply(call, 202, "application/json", call->text.at, call->text.len);
}

/* The mode is that of the job which the key has started, if it is still known. */
static void
reply_repeated(struct http_call *call)
{
    text_clear(&call->text);
    if (call->found)
        call->cmd.mode = call->job_mode;
    reply_accepted(call, call->job_id);
}

static void
reply_known(struct http_call *call, const char *job_id)
{
    if (cs_uuid_normalize(job_id, strlen(job_id), call->job_id) != CS_OK)
        return;
    call->on_unknown = reply_repeated;
    http_job_find(call, reply_repeated);
}

static void
on_redis_enqueued(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    const char *what = cs_reply_str(cs_reply_at(reply, 0), NULL);
    const char *value = cs_reply_str(cs_reply_at(reply, 1), NULL);
    struct cs_entry_id entry;

    (void)index;
    if (!what || !value)
        return;
    if (strcmp(what, "full") == 0)
        http_reply_retry(call, 429, "backlog_full", "Too many commands wait already; try again later.", 5);
    else if (strcmp(what, "known") == 0)
        reply_known(call, value);
    else if (cs_entry_id_parse(value, &entry) == CS_OK && cs_uuid_from_entry(&entry, call->job_id) == CS_OK)
        reply_accepted(call, call->job_id);
}

void
http_trigger(struct http_call *call)
{
    const struct http_app *app = call->app;
    const char *argv[4 + CS_COMMAND_ARGV_MAX];
    char idem[CS_KEY_MAX], most[24];
    struct http_refusal why;
    int argc = 0, nkeys;

    cs_command_init(&call->cmd, app->cfg.environment, "api");
    if (!http_trigger_read(&call->cmd, call->request, &why)) {
        http_reply_error(call, why.status, why.code, why.message);
        return;
    }
    argv[argc++] = app->keys.commands;
    if (call->cmd.idempotency_key[0])
        argv[argc++] = cs_key_idem(&app->keys, call->cmd.idempotency_key, idem);
    nkeys = argc;
    snprintf(most, sizeof most, "%lld", (long long)app->cfg.max_backlog);
    argv[argc++] = most;
    argv[argc++] = nkeys == 2 ? "1" : "0";
    argc += (int)cs_command_encode(&call->cmd, argv + argc);
    http_expect(call, on_redis_enqueued, NULL);
    http_eval(call, "worker/lua/enqueue_command.lua", nkeys, argc, argv);
}
