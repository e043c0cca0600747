/* SPDX-License-Identifier: MIT */
/*
 * reply - answers as JSON. evhttp sends a body for HEAD too, so HEAD is handled here. Loop thread.
 */
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/http/http.h"

#define RETRY_AFTER_S "1"

void
http_reply_header(struct http_call *call, const char *name, const char *value)
{
    if (call->req)
        evhttp_add_header(evhttp_request_get_output_headers(call->req), name, value);
}

void
http_reply_json(struct http_call *call, int status, json_t *body)
{
    struct evhttp_request *req = call->req;
    struct evbuffer *out = evbuffer_new();
    char *text = cs_json_dump(body);
    char length[24];

    json_decref(body);
    if (req && out) {
        call->req = NULL;
        evhttp_connection_set_closecb(evhttp_request_get_connection(req), NULL, NULL);
        struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

        snprintf(length, sizeof length, "%zu", strlen(text));
        evhttp_add_header(headers, "Content-Type", "application/json");
        evhttp_add_header(headers, "Content-Length", length);
        evhttp_add_header(headers, "Cache-Control", "no-store");
        if (call->app->stopping || status == 400 || status == 413)
            evhttp_add_header(headers, "Connection", "close");
        if (!call->head)
            evbuffer_add(out, text, strlen(text));
        evhttp_send_reply(req, status, NULL, call->head ? NULL : out);
    }
    free(text);
    if (out)
        evbuffer_free(out);
}

void
http_reply_error(struct http_call *call, int status, const char *code, const char *message)
{
    http_reply_json(call, status,
                    json_pack("{s:b,s:s,s:s}", "success", 0, "error", code, "message", message));
}

void
http_reply_retry(struct http_call *call, int status, const char *code, const char *message)
{
    http_reply_header(call, "Retry-After", RETRY_AFTER_S);
    http_reply_error(call, status, code, message);
}
