/* SPDX-License-Identifier: MIT */
/*
 * http - what the files of the adapter share: the program, one call, questions to Redis, replies.
 *
 * A call lives from the request until its answer is sent and no reply of Redis is outstanding. Loop thread
 * only.
 */
#ifndef CS_HTTP_HTTP_H
#define CS_HTTP_HTTP_H

#include <event2/event.h>
#include <event2/http.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/command.h"
#include "common/config.h"
#include "common/keys.h"
#include "common/redis.h"

#define HTTP_BODY_MAX_BYTES 65536
#define HTTP_QUESTIONS_MAX 104 /* a page of history has 100 jobs */

struct http_auth;

struct http_app {
    struct cs_config cfg;
    struct cs_keys keys;
    struct event_base *base;
    struct evhttp *server;
    struct evhttp_bound_socket *listener;
    struct cs_redis *redis;
    struct http_auth *auth;
    size_t calls; /* in flight */
    bool stopping;
};

struct http_call;
typedef void http_handler(struct http_call *call);

struct http_question {
    struct http_call *call;
    size_t index;
};

struct http_call {
    struct http_app *app;
    struct evhttp_request *req; /* NULL once answered, or when the client has left */
    bool head;
    bool unavailable; /* a question got no usable reply */
    size_t outstanding;
    char job_id[CS_UUID_LEN + 1];
    void (*on_reply)(struct http_call *call, size_t index, const struct cs_reply *reply);
    http_handler *on_all;  /* every reply is in */
    http_handler *on_down; /* instead of the 503 when Redis is away; may be NULL */
    /* What a handler collects between its replies. */
    http_handler *on_job;
    json_t *result; /* owned */
    struct cs_command cmd;
    int64_t number[4];
    size_t asked;
    struct http_question questions[HTTP_QUESTIONS_MAX];
};

/* routes.c: the request callback of evhttp. */
void http_route(struct evhttp_request *req, void *app);

/* call.c. ask sends one command; its reply comes to on_reply with index, numbered from 0 in the order of
 * asking. Error replies and lost ones end the call with 503 once all are in, instead of on_all. */
struct http_call *http_call_new(struct http_app *app, struct evhttp_request *req);
void http_call_begin(struct http_call *call,
                     http_handler *handler); /* runs handler; frees call when it is done */
void http_expect(struct http_call *call,
                 void (*on_reply)(struct http_call *, size_t, const struct cs_reply *), http_handler *on_all);
void http_ask(struct http_call *call, int argc, const char **argv);
void http_eval(struct http_call *call, const char *script, int nkeys, int argc, const char **argv);
/* Names and values of a flat array. Gives an array to free(), its bytes borrowed from reply. */
struct cs_field *http_fields(const struct cs_reply *reply, size_t *count);

/* reply.c. One of these answers the call. json takes the reference. */
void http_reply_json(struct http_call *call, int status, json_t *body);
void http_reply_error(struct http_call *call, int status, const char *code, const char *message);
void http_reply_retry(struct http_call *call, int status, const char *code,
                      const char *message); /* with Retry-After */
void http_reply_header(struct http_call *call, const char *name, const char *value);

/* auth.c. Keys are never logged. */
enum cs_rc http_auth_load(struct http_auth **out, const struct cs_config *cfg,
                          struct cs_err *err) CS_MUSTCHECK;
void http_auth_free(struct http_auth *auth);
bool http_auth_accepts(const struct http_auth *auth, struct evhttp_request *req);

/* status.c: look call->job_id up in one MULTI; then on_job with call->result; an unknown one is answered 404.
 */
void http_job_find(struct http_call *call, http_handler *on_job);

http_handler http_trigger, http_status, http_history, http_stats, http_cancel, http_health;

#endif
