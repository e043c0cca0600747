/* SPDX-License-Identifier: MIT */
/*
 * call - the life of one request: its questions to Redis, the client that leaves, the end. Loop thread.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "worker/http/http.h"

static void
on_connection_close(struct evhttp_connection *conn, void *arg)
{
    struct http_call *call = arg;

    (void)conn;
    call->req = NULL;
}

struct http_call *
http_call_new(struct http_app *app, struct evhttp_request *req)
{
    struct http_call *call = cs_xcalloc(1, sizeof *call);

    call->app = app;
    call->req = req;
    call->head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;
    app->calls++;
    evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_connection_close, call);
    return call;
}

static void
call_end(struct http_call *call)
{
    struct http_app *app = call->app;

    if (call->req)
        http_reply_error(call, 500, "internal", "The request could not be answered; see the adapter's log.");
    json_decref(call->result);
    free(call);
    if (--app->calls == 0 && app->stopping)
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
        http_reply_retry(call, 503, "redis_unavailable", "Redis cannot be reached; try again in a moment.");
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
    call_settle(call);
}

void
http_expect(struct http_call *call, void (*on_reply)(struct http_call *, size_t, const struct cs_reply *),
            http_handler *on_all)
{
    call->on_reply = on_reply;
    call->on_all = on_all;
    call->asked = 0;
}

static void
on_redis_reply(const struct cs_reply *reply, void *arg)
{
    struct http_question *question = arg;
    struct http_call *call = question->call;

    if (reply && !cs_reply_is_error(reply, NULL)) {
        call->on_reply(call, question->index, reply);
    } else {
        call->unavailable = true;
        if (reply)
            CS_LOG(CS_LOG_ERROR, "redis_error", NULL, cs_kv_s("message", cs_reply_str(reply, NULL)));
    }
    call_settle(call);
}

static struct http_question *
question_next(struct http_call *call)
{
    struct http_question *question = &call->questions[call->asked];

    *question = (struct http_question){call, call->asked};
    call->asked++;
    return question;
}

void
http_ask(struct http_call *call, int argc, const char **argv)
{
    if (cs_redis_call(call->app->redis, on_redis_reply, question_next(call), 0, argc, argv, NULL) == CS_OK)
        call->outstanding++;
    else
        call->unavailable = true;
}

void
http_eval(struct http_call *call, const char *script, int nkeys, int argc, const char **argv)
{
    if (cs_redis_eval(call->app->redis, script, on_redis_reply, question_next(call), nkeys, argc, argv,
                      NULL) == CS_OK)
        call->outstanding++;
    else
        call->unavailable = true;
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
