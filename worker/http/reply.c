/* SPDX-License-Identifier: MIT */
/*
 * reply - answers: the head of each, JSON, errors; each is counted and logged here. Loop thread.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "worker/http/http.h"

static const struct {
    int status;
    const char *line;
} statuses[] = {
    {200, "HTTP/1.1 200 OK\r\n"},
    {202, "HTTP/1.1 202 Accepted\r\n"},
    {204, "HTTP/1.1 204 No Content\r\n"},
    {400, "HTTP/1.1 400 Bad Request\r\n"},
    {401, "HTTP/1.1 401 Unauthorized\r\n"},
    {404, "HTTP/1.1 404 Not Found\r\n"},
    {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
    {408, "HTTP/1.1 408 Request Timeout\r\n"},
    {409, "HTTP/1.1 409 Conflict\r\n"},
    {413, "HTTP/1.1 413 Content Too Large\r\n"},
    {414, "HTTP/1.1 414 URI Too Long\r\n"},
    {415, "HTTP/1.1 415 Unsupported Media Type\r\n"},
    {417, "HTTP/1.1 417 Expectation Failed\r\n"},
    {429, "HTTP/1.1 429 Too Many Requests\r\n"},
    {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
    {503, "HTTP/1.1 503 Service Unavailable\r\n"},
    {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
    {500, "HTTP/1.1 500 Internal Server Error\r\n"}, /* the last one: what is not in the table */
};
#define STATUSES (sizeof statuses / sizeof statuses[0])
_Static_assert(STATUSES <= HTTP_STATUSES_MAX, "HTTP_STATUSES_MAX is too small");

int
http_status_at(size_t i)
{
    return i < STATUSES ? statuses[i].status : 0;
}

static size_t
status_index(int status)
{
    size_t i = 0;

    while (i + 1 < STATUSES && statuses[i].status != status)
        i++;
    return i;
}

void
http_reply_header(struct http_call *call, const char *name, const char *value)
{
    int len = snprintf(call->extra + call->extra_len, sizeof call->extra - call->extra_len, "%s: %s\r\n",
                       name, value);

    if (len > 0 && (size_t)len < sizeof call->extra - call->extra_len)
        call->extra_len += (size_t)len;
}

static void
add_date(struct http_app *app)
{
    int64_t now_s = cs_clock_wall_ms() / 1000;

    if (now_s != app->date_s) {
        time_t when = (time_t)now_s;
        struct tm tm;

        gmtime_r(&when, &tm);
        strftime(app->date, sizeof app->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        app->date_s = now_s;
    }
    text_add(&app->head, "Date: ", 6);
    text_puts(&app->head, app->date);
}

static void
add_origin(struct http_call *call)
{
    struct text *head = &call->app->head;

    if (call->foreign) {
        text_puts(head, "\r\nAccess-Control-Allow-Origin: ");
        text_puts(head, call->app->cfg.cors_origin);
        text_puts(head, "\r\nAccess-Control-Expose-Headers: Allow, Location, Retry-After, X-Request-Id");
    }
    if (call->app->cfg.cors_origin)
        text_puts(head, "\r\nVary: Origin");
}

static void
make_head(struct http_call *call, size_t status, const char *type, size_t body_len)
{
    static const char fixed[] =
        "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: ";
    struct text *head = &call->app->head;

    head->len = 0;
    text_puts(head, statuses[status].line);
    add_date(call->app);
    if (type) {
        text_add(head, "\r\nContent-Type: ", 16);
        text_puts(head, type);
        text_add(head, "\r\nContent-Length: ", 18);
        text_int(head, (int64_t)body_len);
    }
    text_add(head, fixed, sizeof fixed - 1);
    text_puts(head, call->request_id);
    add_origin(call);
    text_add(head, "\r\n", 2);
    text_add(head, call->extra, call->extra_len);
    if (!http_conn_keeps(call->conn))
        text_puts(head, "Connection: close\r\n");
    else if (call->old)
        text_puts(head, "Connection: keep-alive\r\n");
    text_add(head, "\r\n", 2);
}

static void
note(const struct http_call *call, size_t status, size_t body_len)
{
    struct http_count *count = &call->app->count;
    int64_t took_us = cs_clock_mono_us() - call->since_us;
    char address[HTTP_ADDRESS_MAX];

    count->requests[call->route][status]++;
    count->served_us[call->route] += (uint64_t)took_us;
    if (cs_log_threshold > CS_LOG_DEBUG)
        return;
    http_address_format(http_conn_address(call->conn), address);
    CS_LOG(CS_LOG_DEBUG, "request", call->job_id[0] ? call->job_id : NULL,
           cs_kv_s("request_id", call->request_id), cs_kv_s("from", address), cs_kv_s("request", call->path),
           cs_kv_i("status", statuses[status].status), cs_kv_i("bytes", (int64_t)body_len),
           cs_kv_f("ms", (double)took_us / 1000.0));
}

void
http_reply(struct http_call *call, int status, const char *type, const char *body, size_t len)
{
    struct http_conn *conn = call->conn;
    size_t index = status_index(status);

    if (!conn)
        return;
    if (call->app->stopping)
        http_conn_end(conn);
    make_head(call, index, type, len);
    note(call, index, len);
    call->conn = NULL;
    http_conn_send(conn, call->app->head.at, call->app->head.len, body, call->head ? 0 : len);
}

static int
on_json(const char *bytes, size_t len, void *text)
{
    text_add(text, bytes, len);
    return 0;
}

bool
http_text_dump(struct text *out, const json_t *value)
{
    return json_dump_callback(value, on_json, out, JSON_COMPACT | JSON_REAL_PRECISION(15)) == 0;
}

void
http_reply_json(struct http_call *call, int status, json_t *body)
{
    struct text *text = &call->app->body;

    text_clear(text);
    if (!http_text_dump(text, body)) {
        json_decref(body);
        http_reply_error(call, 500, "internal", "The answer could not be written; see the adapter's log.");
        return;
    }
    json_decref(body);
    http_reply(call, status, "application/json", text->at, text->len);
}

void
http_reply_error(struct http_call *call, int status, const char *code, const char *message)
{
    struct text *text = &call->app->body;

    text_clear(text);
    text_puts(text, "{\"success\":false,\"error\":\"");
    text_puts(text, code);
    text_puts(text, "\",\"message\":");
    text_json(text, message, strlen(message));
    text_puts(text, "}");
    http_reply(call, status, "application/json", text->at, text->len);
}

void
http_reply_retry(struct http_call *call, int status, const char *code, const char *message, int64_t after_s)
{
    char seconds[24];

    snprintf(seconds, sizeof seconds, "%lld", (long long)after_s);
    http_reply_header(call, "Retry-After", seconds);
    http_reply_error(call, status, code, message);
}
