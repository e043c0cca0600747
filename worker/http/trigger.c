/* SPDX-License-Identifier: MIT */
/*
 * trigger - POST trigger: a JSON body becomes one entry of P:commands. Loop thread.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "worker/http/http.h"

#define STATUS_PATH "/api/processing/cache-sync/status/"

static const struct member {
    const char *name;
    bool boolean;
    const char *code;
} members[] = {
    {"mode", false, "invalid_mode"},           {"force", true, "invalid_request"},
    {"dry_run", true, "invalid_request"},      {"as_of", false, "invalid_request"},
    {"environment", false, "invalid_request"}, {"triggered_by", false, "invalid_request"},
};

static bool
set_member(struct http_call *call, const struct member *m, const json_t *value)
{
    struct cs_err err = {0};
    char message[128];
    enum cs_rc rc;

    if (!value || json_is_null(value))
        return true;
    if (json_is_boolean(value) && m->boolean) {
        rc = cs_command_set(&call->cmd, m->name, json_is_true(value) ? "1" : "0", 1, &err);
    } else if (json_is_string(value)) {
        rc = cs_command_set(&call->cmd, m->name, json_string_value(value), json_string_length(value), &err);
    } else {
        snprintf(message, sizeof message, "%s must be a %s.", m->name, m->boolean ? "boolean" : "string");
        http_reply_error(call, 400, m->code, message);
        return false;
    }
    if (rc != CS_OK)
        http_reply_error(call, 400, m->code, err.msg);
    return rc == CS_OK;
}

static bool
is_json(struct http_slice type)
{
    static const char wanted[] = "application/json";
    size_t len = sizeof wanted - 1;

    return type.len >= len && strncasecmp(type.at, wanted, len) == 0 &&
           (type.len == len || strchr("; \t", type.at[len]));
}

/* Read the body into call->cmd; false when the call has been answered. */
static bool
read_body(struct http_call *call)
{
    struct http_slice in = call->request->body;
    struct cs_err err = {0};
    bool good = true;
    json_t *body;

    if (in.len == 0)
        return true;
    if (!is_json(http_request_header(call->request, "content-type"))) {
        http_reply_error(call, 415, "unsupported_media_type",
                         "Send the body as Content-Type: application/json.");
        return false;
    }
    body = cs_json_parse(in.at, in.len, HTTP_BODY_MAX_BYTES, &err);
    if (!json_is_object(body)) {
        http_reply_error(call, 400, "invalid_request", body ? "The body must be a JSON object." : err.msg);
        good = false;
    }
    for (size_t i = 0; good && i < sizeof members / sizeof members[0]; i++)
        good = set_member(call, &members[i], json_object_get(body, members[i].name));
    json_decref(body);
    return good;
}

static bool
read_idempotency_key(struct http_call *call)
{
    struct http_slice key = http_request_header(call->request, "idempotency-key");
    struct cs_err err = {0};

    if (!key.at || cs_command_set(&call->cmd, "idempotency_key", key.at, key.len, &err) == CS_OK)
        return true;
    http_reply_error(call, 400, "invalid_request", err.msg);
    return false;
}

static void
reply_accepted(struct http_call *call, const char *job_id)
{
    const char *mode = cs_mode_name(call->cmd.mode);
    char location[sizeof STATUS_PATH + CS_UUID_LEN], message[80];

    snprintf(location, sizeof location, STATUS_PATH "%.36s", job_id);
    snprintf(message, sizeof message, "Cache synchronization (%s) started", mode);
    http_reply_header(call, "Location", location);
    http_reply_json(
        call, 202,
        json_pack("{s:b,s:s,s:s,s:s}", "success", 1, "job_id", job_id, "mode", mode, "message", message));
}

static void
on_redis_enqueued(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    const char *what = cs_reply_str(cs_reply_at(reply, 0), NULL);
    const char *value = cs_reply_str(cs_reply_at(reply, 1), NULL);
    struct cs_entry_id entry;
    char job_id[CS_UUID_LEN + 1];

    (void)index;
    if (!what || !value)
        return;
    if (strcmp(what, "full") == 0)
        http_reply_retry(call, 429, "backlog_full", "Too many commands wait already; try again later.", 5);
    else if (strcmp(what, "known") == 0)
        reply_accepted(call, value);
    else if (cs_entry_id_parse(value, &entry) == CS_OK && cs_uuid_from_entry(&entry, job_id) == CS_OK)
        reply_accepted(call, job_id);
}

void
http_trigger(struct http_call *call)
{
    const struct http_app *app = call->app;
    const char *argv[4 + CS_COMMAND_ARGV_MAX];
    char idem[CS_KEY_MAX], most[24];
    int argc = 0, nkeys;

    cs_command_init(&call->cmd, app->cfg.environment, "api");
    if (!read_body(call) || !read_idempotency_key(call))
        return;
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
