/* SPDX-License-Identifier: MIT */
/*
 * routes - one table of what the adapter serves, and the checks before a handler runs. Loop thread.
 */
#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "worker/http/http.h"

#define BASE "/api/processing/cache-sync/"

static const struct route {
    enum evhttp_cmd_type method;
    const char *path; /* one that ends in / is followed by a job id */
    bool open;        /* needs no key */
    const char *allow;
    http_handler *handler;
} routes[] = {
    {EVHTTP_REQ_POST, BASE "trigger", false, "POST", http_trigger},
    {EVHTTP_REQ_GET, BASE "status/", false, "GET, HEAD", http_status},
    {EVHTTP_REQ_GET, BASE "history", false, "GET, HEAD", http_history},
    {EVHTTP_REQ_GET, BASE "stats", false, "GET, HEAD", http_stats},
    {EVHTTP_REQ_POST, BASE "cancel/", false, "POST", http_cancel},
    {EVHTTP_REQ_GET, "/health", true, "GET, HEAD", http_health},
};

static const struct route *
find(const char *path, const char **tail)
{
    for (size_t i = 0; path && i < sizeof routes / sizeof routes[0]; i++) {
        size_t len = strlen(routes[i].path);

        if (routes[i].path[len - 1] != '/' && strcmp(path, routes[i].path) == 0)
            return *tail = NULL, &routes[i];
        if (routes[i].path[len - 1] == '/' && strncmp(path, routes[i].path, len) == 0)
            return *tail = path + len, &routes[i];
    }
    return NULL;
}

/* What evhttp lets through although two readers could understand it differently. */
static bool
well_framed(struct evhttp_request *req)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
    size_t lengths = 0, hosts = 0;
    const struct evkeyval *h;

    for (h = headers->tqh_first; h; h = h->next.tqe_next) {
        if (strpbrk(h->key, " \t"))
            return false;
        hosts += strcasecmp(h->key, "Host") == 0;
        if (strcasecmp(h->key, "Content-Length") != 0)
            continue;
        if (++lengths > 1 || h->value[0] == '\0' || h->value[strspn(h->value, "0123456789")] != '\0')
            return false;
    }
    return hosts == 1;
}

static void
refuse_path(struct http_call *call)
{
    http_reply_error(call, 404, "not_found", "There is no such path; docs/rest.md lists them.");
}

static void
refuse_framing(struct http_call *call)
{
    http_reply_error(call, 400, "invalid_request",
                     "The request needs one Host and at most one, decimal Content-Length.");
}

static void
refuse_size(struct http_call *call)
{
    http_reply_error(call, 413, "body_too_large",
                     "The body is longer than 65536 bytes; send only the fields of a command.");
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
    http_reply_error(call, 405, "method_not_allowed",
                     "This path does not take that method; see the header Allow.");
}

static void
refuse_job_id(struct http_call *call)
{
    http_reply_error(call, 404, "not_found", "No job has this id; the history lists the known ones.");
}

static http_handler *
choose(struct http_call *call)
{
    struct evhttp_request *req = call->req;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    enum evhttp_cmd_type method = evhttp_request_get_command(req);
    const char *tail;
    const struct route *route;

    if (!well_framed(req))
        return refuse_framing;
    if (evbuffer_get_length(evhttp_request_get_input_buffer(req)) > HTTP_BODY_MAX_BYTES)
        return refuse_size;
    route = uri ? find(evhttp_uri_get_path(uri), &tail) : NULL;
    if (!(route && route->open) && !http_auth_accepts(call->app->auth, req))
        return refuse_key;
    if (!route)
        return refuse_path;
    if (method != route->method && !(route->method == EVHTTP_REQ_GET && method == EVHTTP_REQ_HEAD)) {
        http_reply_header(call, "Allow", route->allow);
        return refuse_method;
    }
    if (tail && cs_uuid_normalize(tail, strlen(tail), call->job_id) != CS_OK)
        return refuse_job_id;
    return route->handler;
}

void
http_route(struct evhttp_request *req, void *app)
{
    struct http_call *call = http_call_new(app, req);

    http_call_begin(call, choose(call));
}
