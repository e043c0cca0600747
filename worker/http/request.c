/* SPDX-License-Identifier: MIT */
/*
 * request - head and body put together, one request after the other; parameters of a query.
 */
#include "worker/http/request.h"

#include <string.h>

/* The head once more, when its slices went with an earlier call. */
static void
read_again(const struct http_reader *reader, const char *bytes, struct http_request *request)
{
    size_t scanned = reader->head_len - 1, head_len;
    const struct http_fault *fault;

    (void)http_head_read(bytes, reader->head_len, &scanned, request, &head_len, &fault);
}

static enum http_read
read_body(struct http_reader *reader, char *bytes, size_t *len, struct http_slice *body, size_t *used,
          const struct http_fault **fault)
{
    enum http_read found;

    if (!reader->chunked) {
        *body = (struct http_slice){bytes + reader->head_len, (size_t)reader->content_length};
        *used = reader->head_len + body->len;
        return *len < *used ? HTTP_READ_MORE : HTTP_READ_DONE;
    }
    found = http_chunks_read(&reader->chunks, bytes, *len, &reader->from, &reader->to, fault);
    if (found == HTTP_READ_MORE)
        *len = reader->from = reader->to; /* all of it was taken; what remains is joined data */
    *body = (struct http_slice){bytes + reader->head_len, reader->to - reader->head_len};
    *used = reader->from;
    return found;
}

static enum http_read
read_head(struct http_reader *reader, const char *bytes, size_t len, struct http_request *request,
          const struct http_fault **fault)
{
    enum http_read found = http_head_read(bytes, len, &reader->scanned, request, &reader->head_len, fault);

    if (found != HTTP_READ_DONE) {
        reader->head_len = 0;
        return found;
    }
    reader->chunked = request->chunked;
    reader->content_length = request->content_length;
    reader->from = reader->to = reader->head_len;
    return HTTP_READ_DONE;
}

static void
request_init(struct http_request *request)
{
    static const struct http_slice absent = {NULL, 0};

    request->method = request->path = request->query = request->body = absent;
    request->header_count = 0;
    request->content_length = 0;
    request->minor = 1;
    request->has_length = request->chunked = request->keep_alive = request->expect_continue = false;
}

enum http_read
http_reader_next(struct http_reader *reader, char *bytes, size_t *len, struct http_request *request,
                 size_t *used, const struct http_fault **fault)
{
    bool fresh = reader->head_len == 0;
    enum http_read found = HTTP_READ_DONE;
    struct http_slice body;

    request_init(request);
    if (fresh)
        found = read_head(reader, bytes, *len, request, fault);
    if (found != HTTP_READ_DONE)
        return found;
    found = read_body(reader, bytes, len, &body, used, fault);
    if (found != HTTP_READ_DONE)
        return found;
    if (!fresh)
        read_again(reader, bytes, request);
    request->body = body;
    *reader = (struct http_reader){0};
    return HTTP_READ_DONE;
}

static int
hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decoded length, or -1. */
static int
decode(struct http_slice s, char *out, size_t out_bytes)
{
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i] == '+' ? ' ' : s.at[i];

        if (c == '%') {
            int high = i + 2 < s.len ? hex(s.at[i + 1]) : -1, low = i + 2 < s.len ? hex(s.at[i + 2]) : -1;

            if (i + 2 >= s.len || high < 0 || low < 0)
                return -1;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0' || len + 1 >= out_bytes)
            return -1;
        out[len++] = c;
    }
    out[len] = '\0';
    return (int)len;
}

int
http_query_find(struct http_slice query, const char *name, char *out, size_t out_bytes)
{
    int found = 0;

    while (query.len > 0) {
        const char *end = memchr(query.at, '&', query.len);
        struct http_slice pair = {query.at, end ? (size_t)(end - query.at) : query.len};
        const char *equals = memchr(pair.at, '=', pair.len);
        struct http_slice key = {pair.at, equals ? (size_t)(equals - pair.at) : pair.len};
        struct http_slice value = {pair.at + key.len + (equals ? 1 : 0),
                                   pair.len - key.len - (equals ? 1 : 0)};
        char text[32];

        if (decode(key, text, sizeof text) >= 0 && strcmp(text, name) == 0) {
            if (found || decode(value, out, out_bytes) < 0)
                return -1;
            found = 1;
        }
        query.at += pair.len + (end ? 1 : 0);
        query.len -= pair.len + (end ? 1 : 0);
    }
    return found;
}
