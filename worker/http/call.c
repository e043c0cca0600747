/* SPDX-License-Identifier: MIT */
/*
 * call - the life of one request: its questions to Redis, the client that leaves, the end. Loop thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "worker/http/http.h"

/* Calls whose client has left still wait for Redis: more of them than this and new ones are turned away. */
#define CALLS_MAX(app) (2 * (app)->conns.most)

/* An id that the caller gave, if it is one that can stand in a header and a log; else one of ours. */
static void
set_request_id(struct http_call *call)
{
    struct http_slice given = {NULL, 0};
    bool good;

    if (call->request)
        given = http_request_header(call->request, "x-request-id");
    good = given.len > 0 && given.len <= HTTP_REQUEST_ID_MAX;
    for (size_t i = 0; good && i < given.len; i++)
        good = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:+/=-", given.at[i]) !=
               NULL;
    if (good) {
        memcpy(call->request_id, given.at, given.len);
        call->request_id[given.len] = '\0';
        return;
    }
    uint64_t id = call->app->id_base + call->app->id_next++;
    for (int i = 15; i >= 0; i--, id >>= 4)
        call->request_id[i] = "0123456789abcdef"[id & 15];
    call->request_id[16] = '\0';
}

static void
set_origin(struct http_call *call)
{
    const char *allowed = call->app->cfg.cors_origin;
    struct http_slice origin;

    if (!allowed || !call->request)
        return;
    origin = http_request_header(call->request, "origin");
    call->foreign = origin.at && (strcmp(allowed, "*") == 0 || (origin.len == strlen(allowed) &&
                                                                memcmp(origin.at, allowed, origin.len) == 0));
}

struct http_call *
http_call_new(struct http_app *app, struct http_conn *conn, const struct http_request *request)
{
    struct http_call *call = cs_xmalloc(sizeof *call);

    memset(call, 0, offsetof(struct http_call, path));
    call->path[0] = '\0';
    call->extra_len = 0;
    call->app = app;
    call->conn = conn;
    call->request = request;
    call->route = HTTP_NO_ROUTE;
    call->since_us = cs_clock_mono_us();
    app->calls++;
    http_conn_attach(conn, call);
    set_request_id(call);
    set_origin(call);
    if (!request)
        return call;
    call->old = request->minor == 0;
    call->head = request->method.len == 4 && memcmp(request->method.at, "HEAD", 4) == 0;
    if (request->path.at && cs_log_threshold <= CS_LOG_DEBUG)
        snprintf(call->path, sizeof call->path, "%.*s %.*s",
                 request->method.len < 16 ? (int)request->method.len : 16, request->method.at,
                 request->path.len < 76 ? (int)request->path.len : 76, request->path.at);
    return call;
}

void
http_call_drop(struct http_call *call)
{
    struct http_app *app = call->app;

    if (call->conn)
        http_conn_attach(call->conn, NULL);
    json_decref(call->result);
    http_metrics_free(call->metrics);
    text_fini(&call->text);
    free(call);
    app->calls--;
}

static void
call_end(struct http_call *call)
{
    struct http_app *app = call->app;

    if (call->conn)
        http_reply_error(call, 500, "internal", "The request could not be answered; see the adapter's log.");
    http_call_drop(call);
    if (app->calls == 0 && app->stopping && app->conns.count == 0)
        event_base_loopexit(app->base, NULL);
}

/* One reply less to wait for; the last one moves the call on. */
static void
call_settle(struct http_call *call)
{
    http_handler *next = call->on_all;

    if (--call->outstanding > 0)
        return;
    call->on_all = NULL;
    if (call->unavailable && call->on_down) {
        call->on_down(call);
    } else if (call->unavailable) {
        http_reply_retry(call, 503, "redis_unavailable", "Redis cannot be reached; try again in a moment.",
                         1);
    } else if (next) {
        call->outstanding = 1;
        next(call);
        call_settle(call);
        return;
    }
    call_end(call);
}

void
http_call_begin(struct http_call *call, http_handler *handler)
{
    call->outstanding = 1;
    handler(call);
    call->request = NULL;
    call_settle(call);
}

void
http_expect(struct http_call *call, void (*on_reply)(struct http_call *, size_t, const struct cs_reply *),
            http_handler *on_all)
{
    call->on_reply = on_reply;
    call->on_all = on_all;
    call->asked = call->answered = 0;
}

/* At most one line a second: while Redis loads or is busy, every question gets one. */
static void
log_error(struct http_call *call, const struct cs_reply *reply)
{
    struct http_app *app = call->app;
    int64_t now_us = cs_clock_mono_us();

    if (app->errors_logged_us > 0 && now_us - app->errors_logged_us < 1000000) {
        app->errors_unlogged++;
        return;
    }
    CS_LOG(CS_LOG_ERROR, "redis_error", call->job_id[0] ? call->job_id : NULL,
           cs_kv_s("message", cs_reply_str(reply, NULL)), cs_kv_s("request_id", call->request_id),
           cs_kv_i("unlogged", (int64_t)app->errors_unlogged));
    app->errors_logged_us = now_us;
    app->errors_unlogged = 0;
}

/* Replies come in the order of the questions. */
static void
on_redis_reply(const struct cs_reply *reply, void *arg)
{
    struct http_call *call = arg;
    size_t index = call->answered++;

    if (reply && (call->tolerant || !cs_reply_is_error(reply, NULL))) {
        call->on_reply(call, index, reply);
    } else {
        call->unavailable = true;
        if (reply)
            log_error(call, reply);
    }
    call_settle(call);
}

static void
asked(struct http_call *call, enum cs_rc rc)
{
    call->asked++;
    if (rc == CS_OK)
        call->outstanding++;
    else
        call->unavailable = true;
}

static bool
too_many(const struct http_call *call)
{
    return call->app->calls > CALLS_MAX(call->app);
}

void
http_ask(struct http_call *call, int argc, const char **argv)
{
    asked(call, too_many(call) ? CS_EFULL
                               : cs_redis_call(call->app->redis, on_redis_reply, call, 0, argc, argv, NULL));
}

void
http_eval(struct http_call *call, const char *script, int nkeys, int argc, const char **argv)
{
    asked(call, too_many(call)
                    ? CS_EFULL
                    : cs_redis_eval(call->app->redis, script, on_redis_reply, call, nkeys, argc, argv, NULL));
}

struct cs_field *
http_fields(const struct cs_reply *reply, size_t *count)
{
    size_t n = cs_reply_len(reply) / 2;
    struct cs_field *fields = cs_xcalloc(n + 1, sizeof *fields);

    *count = 0;
    for (size_t i = 0; i < n; i++) {
        struct cs_field *f = &fields[*count];

        f->name = cs_reply_str(cs_reply_at(reply, 2 * i), &f->name_len);
        f->value = cs_reply_str(cs_reply_at(reply, 2 * i + 1), &f->value_len);
        if (f->name && f->value)
            (*count)++;
    }
    return fields;
}
