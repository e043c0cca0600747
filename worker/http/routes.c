/* SPDX-License-Identifier: MIT */
/*
 * routes - one table of what the adapter serves, and the checks before a handler runs. Loop thread.
 */
#include <string.h>

#include "worker/http/http.h"

#define BASE "/api/processing/cache-sync/"
#define READS "GET, HEAD"

static const struct route {
    const char *method;
    const char *path; /* one that ends in / is followed by a job id */
    const char *name; /* as documented */
    bool open;        /* needs no key and has no rate */
    const char *allow;
    http_handler *handler;
} routes[] = {
    {"POST", BASE "trigger", BASE "trigger", false, "POST", http_trigger},
    {"GET", BASE "status/", BASE "status/{job_id}", false, READS, http_status},
    {"GET", BASE "history", BASE "history", false, READS, http_history},
    {"GET", BASE "stats", BASE "stats", false, READS, http_stats},
    {"POST", BASE "cancel/", BASE "cancel/{job_id}", false, "POST", http_cancel},
    {"GET", "/health", "/health", true, READS, http_health},
    {"GET", "/metrics", "/metrics", false, READS, http_metrics},
    {"GET", "/openapi.json", "/openapi.json", false, READS, http_openapi},
};
#define ROUTES ((int)(sizeof routes / sizeof routes[0]))
_Static_assert(sizeof routes / sizeof routes[0] <= HTTP_NO_ROUTE, "HTTP_ROUTES_MAX is too small");

const char *
http_route_name(int route)
{
    return route < ROUTES ? routes[route].name : route == HTTP_NO_ROUTE ? "none" : NULL;
}

static int
find(struct http_slice path, struct http_slice *tail)
{
    *tail = (struct http_slice){NULL, 0};
    for (int i = 0; i < ROUTES; i++) {
        size_t len = strlen(routes[i].path);

        if (path.len < len || memcmp(path.at, routes[i].path, len) != 0)
            continue;
        if (routes[i].path[len - 1] == '/')
            *tail = (struct http_slice){path.at + len, path.len - len};
        if (tail->at || path.len == len)
            return i;
    }
    return HTTP_NO_ROUTE;
}

static void
refuse_path(struct http_call *call)
{
    http_reply_error(call, 404, "not_found",
                     "There is no such path; /openapi.json describes those there are.");
}

static void
refuse_key(struct http_call *call)
{
    http_reply_header(call, "WWW-Authenticate", "Bearer");
    http_reply_error(call, 401, "unauthorized", "Send a valid key in the header X-API-Key.");
}

static void
refuse_method(struct http_call *call)
{
    http_reply_header(call, "Allow", routes[call->route].allow);
    http_reply_error(call, 405, "method_not_allowed",
                     "This path does not take that method; see the header Allow.");
}

void
http_refuse_job_id(struct http_call *call)
{
    http_reply_error(call, 404, "not_found", "No job has this id; the history lists the known ones.");
}

static void
refuse_rate(struct http_call *call)
{
    http_reply_retry(call, 429, "rate_limited",
                     "Too many requests with this key from this address; slow down.", call->number[0]);
}

static void
reply_fault(struct http_call *call)
{
    http_reply_error(call, call->fault->status, call->fault->code, call->fault->message);
}

/* What a browser asks before it lets a page of the configured origin call us. */
static void
reply_options(struct http_call *call)
{
    http_reply_header(call, "Allow", routes[call->route].allow);
    if (call->foreign) {
        http_reply_header(call, "Access-Control-Allow-Methods", routes[call->route].allow);
        http_reply_header(call, "Access-Control-Allow-Headers",
                          "Authorization, Content-Type, Idempotency-Key, X-API-Key, X-Request-Id");
        http_reply_header(call, "Access-Control-Max-Age", "600");
    }
    http_reply(call, 204, NULL, NULL, 0);
}

static bool
is(struct http_slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static bool
takes(const struct route *route, struct http_slice method)
{
    return is(method, route->method) || (strcmp(route->method, "GET") == 0 && is(method, "HEAD"));
}

/* The handler of the request, or what refuses it. *accepted: the former, for whoever holds this key. */
static http_handler *
choose(struct http_call *call, bool *accepted, int *key)
{
    const struct http_request *request = call->request;
    struct http_slice tail;
    const struct route *route = NULL;

    *accepted = false;
    call->route = find(request->path, &tail);
    if (call->route != HTTP_NO_ROUTE)
        route = &routes[call->route];
    if (route && call->app->cfg.cors_origin && is(request->method, "OPTIONS"))
        return reply_options;
    *key = route && route->open ? 0 : http_auth_accepts(call->app->auth, request);
    if (*key < 0)
        return refuse_key;
    if (!route)
        return refuse_path;
    if (!takes(route, request->method))
        return refuse_method;
    if (tail.at && cs_uuid_normalize(tail.at, tail.len, call->job_id) != CS_OK)
        return http_refuse_job_id;
    *accepted = true;
    return route->handler;
}

static http_handler *
choose_in_time(struct http_call *call)
{
    bool accepted, open;
    int key = -1;
    http_handler *handler = choose(call, &accepted, &key);

    open = call->route != HTTP_NO_ROUTE && routes[call->route].open;
    if (!call->app->rate || open || handler == reply_options)
        return handler;
    call->number[0] = http_rate_wait(call->app->rate, key, http_conn_address(call->conn), call->since_us);
    if (call->number[0] > 0)
        return refuse_rate;
    return handler;
}

void
http_serve(struct http_app *app, struct http_conn *conn, const struct http_request *request)
{
    struct http_call *call = http_call_new(app, conn, request);

    http_call_begin(call, choose_in_time(call));
}

bool
http_admit(struct http_app *app, struct http_conn *conn, const struct http_request *request)
{
    struct http_call *call = http_call_new(app, conn, request);
    bool accepted;
    int key;
    http_handler *handler = choose(call, &accepted, &key);

    if (accepted)
        http_call_drop(call);
    else
        http_call_begin(call, handler);
    return accepted;
}

void
http_refuse(struct http_app *app, struct http_conn *conn, const struct http_request *request,
            const struct http_fault *fault)
{
    struct http_call *call = http_call_new(app, conn, request);

    call->fault = fault;
    http_call_begin(call, reply_fault);
}
