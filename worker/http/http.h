/* SPDX-License-Identifier: MIT */
/*
 * http - what the files of the adapter share: the program, one call, questions to Redis, replies.
 *
 * A connection (conn.h) hands each request to a call; a call lives until its answer is given and no reply of Redis is
 * outstanding, also when its connection has gone. Loop thread only.
 */
#ifndef CS_HTTP_HTTP_H
#define CS_HTTP_HTTP_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/command.h"
#include "common/config.h"
#include "common/keys.h"
#include "common/redis.h"
#include "worker/http/conn.h"
#include "worker/http/count.h"
#include "worker/http/request.h"
#include "worker/http/text.h"

#define HTTP_REQUEST_ID_MAX 64
#define HTTP_EXTRA_MAX 640 /* header lines of one reply beside the usual ones */

struct http_auth;
struct http_rate;
struct http_metrics;

struct http_app {
    struct cs_config cfg;
    struct cs_keys keys;
    struct event_base *base;
    struct http_conns conns;
    struct cs_redis *redis;
    struct http_auth *auth;
    struct http_rate *rate; /* NULL: no limit */
    struct http_count count;
    struct text head, body;    /* of the reply being made */
    uint64_t id_base, id_next; /* request ids of our own */
    char date[32];             /* header Date of date_s */
    int64_t date_s;
    int64_t errors_logged_us; /* when an error of Redis was last logged */
    uint64_t errors_unlogged;
    size_t calls; /* in flight */
    bool stopping;
};

struct http_call;
typedef void http_handler(struct http_call *call);

struct http_call {
    struct http_app *app;
    struct http_conn *conn;             /* NULL once answered, or when the client has left */
    const struct http_request *request; /* while the handler that began the call runs; NULL afterwards */
    const struct http_fault *fault;
    int route; /* row of the table of routes; HTTP_NO_ROUTE */
    bool head;
    bool old;         /* HTTP/1.0 */
    bool foreign;     /* a page of the configured origin asks */
    bool tolerant;    /* errors of Redis are replies like others */
    bool unavailable; /* a question got no usable reply */
    size_t outstanding, answered;
    int64_t since_us;
    char request_id[HTTP_REQUEST_ID_MAX + 1];
    char job_id[CS_UUID_LEN + 1];
    void (*on_reply)(struct http_call *call, size_t index, const struct cs_reply *reply);
    http_handler *on_all;  /* every reply is in */
    http_handler *on_down; /* instead of the 503 when Redis is away; may be NULL */
    /* What a handler collects between its replies. */
    http_handler *on_job, *on_unknown;
    json_t *result;   /* owned */
    struct text text; /* owned */
    /* Of the job that http_job_find has found. */
    bool found;
    enum cs_status job_status;
    enum cs_mode job_mode;
    struct http_metrics *metrics; /* owned */
    int64_t number[4];
    size_t asked;
    char path[96]; /* for the log; cut */
    size_t extra_len;
    char extra[HTTP_EXTRA_MAX];
    struct cs_command cmd;
};

/* routes.c. What a connection hands up; each leads to one answer on it, at once or later. */
void http_serve(struct http_app *app, struct http_conn *conn, const struct http_request *request);
/* A head is complete and its body is not: true when the request may go on; false when it was answered. */
bool http_admit(struct http_app *app, struct http_conn *conn, const struct http_request *request);
void http_refuse(struct http_app *app, struct http_conn *conn, const struct http_request *request,
                 const struct http_fault *fault);
const char *http_route_name(int route); /* the path as documented; NULL past the last */
http_handler http_refuse_job_id;

/* call.c. ask sends one command; its reply comes to on_reply with index, numbered from 0 in the order of
 * asking. Error replies and lost ones end the call with 503 once all are in, instead of on_all. */
struct http_call *http_call_new(struct http_app *app, struct http_conn *conn,
                                const struct http_request *request);
void http_call_begin(struct http_call *call,
                     http_handler *handler); /* runs handler; frees call when it is done */
void http_call_drop(struct http_call *call); /* frees a call that never began */
void http_expect(struct http_call *call,
                 void (*on_reply)(struct http_call *, size_t, const struct cs_reply *), http_handler *on_all);
void http_ask(struct http_call *call, int argc, const char **argv);
void http_eval(struct http_call *call, const char *script, int nkeys, int argc, const char **argv);
/* Names and values of a flat array. Gives an array to free(), its bytes borrowed from reply. */
struct cs_field *http_fields(const struct cs_reply *reply, size_t *count);

/* The i-th status that an answer may have; 0 past the last. Rows of http_count.requests. */
int http_status_at(size_t i);

/* reply.c. One of these answers the call. json takes the reference. */
void http_reply(struct http_call *call, int status, const char *type, const char *body, size_t len);
void http_reply_json(struct http_call *call, int status, json_t *body);
void http_reply_error(struct http_call *call, int status, const char *code, const char *message);
/* The same with Retry-After. */
void http_reply_retry(struct http_call *call, int status, const char *code, const char *message,
                      int64_t after_s);
bool http_text_dump(struct text *out, const json_t *value); /* false: not UTF-8 somewhere */
void http_reply_header(struct http_call *call, const char *name, const char *value);

/* auth.c. Keys are never logged. accepts returns which key it is, or -1. */
enum cs_rc http_auth_load(struct http_auth **out, const struct cs_config *cfg,
                          struct cs_err *err) CS_MUSTCHECK;
void http_auth_free(struct http_auth *auth);
int http_auth_accepts(const struct http_auth *auth, const struct http_request *request);

/* rate.c. At most per_s requests a second for each key and address, with bursts of a second's worth.
 * Returns 0, or the seconds after which it is worth trying again. */
struct http_rate *http_rate_new(int64_t per_s);
void http_rate_free(struct http_rate *rate);
int64_t http_rate_wait(struct http_rate *rate, int key, const struct http_address *address, int64_t now_us);

/* metrics.c: what a call for /metrics has collected; NULL is fine. */
void http_metrics_free(struct http_metrics *metrics);

/* status.c: look call->job_id up; then on_job with its JSON in call->text, its status and its mode. An unknown one goes to call->on_unknown, or is
 * answered 404. */
void http_job_find(struct http_call *call, http_handler *on_job);

http_handler http_trigger, http_status, http_history, http_stats, http_cancel, http_health, http_metrics,
    http_openapi;

#endif
