/* SPDX-License-Identifier: MIT */
/*
 * head_fields - the header lines of a request, and what of them decides where its body ends.
 */
#include <string.h>
#include <strings.h>

#include "worker/http/request.h"

static const struct http_fault bad_field = {
    400, "invalid_request",
    "A header must be a name, a colon right behind it, and a value on the same line."};
static const struct http_fault many_fields = {431, "headers_too_large",
                                              "The headers are longer than 16384 bytes or more than 64."};
static const struct http_fault bad_host = {400, "invalid_request",
                                           "The request needs exactly one valid Host header."};
static const struct http_fault bad_length = {
    400, "invalid_request",
    "The request may have one Content-Length, a decimal number, and not with Transfer-Encoding."};
static const struct http_fault bad_coding = {400, "invalid_request",
                                             "The only Transfer-Encoding is chunked, once, with HTTP/1.1."};
static const struct http_fault long_body = {
    413, "body_too_large", "The body is longer than 65536 bytes; send only the fields of a command."};
static const struct http_fault bad_expect = {417, "expectation_failed",
                                             "The only expectation that can be met is 100-continue."};

bool
http_slice_is(struct http_slice s, const char *text)
{
    return s.at && s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

struct http_slice
http_request_header(const struct http_request *request, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < request->header_count; i++)
        if (request->headers[i].name.len == len && strncasecmp(request->headers[i].name.at, name, len) == 0)
            return request->headers[i].value;
    return (struct http_slice){NULL, 0};
}

static bool
is_token(unsigned char c)
{
    static const unsigned char other[] = "!#$%&'*+-.^_`|~";

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           memchr(other, c, sizeof other - 1);
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One line without its CRLF. Control characters were refused before. */
static bool
split(const char *line, size_t len, struct http_header *header)
{
    size_t name = 0, start, end = len;

    while (name < len && is_token((unsigned char)line[name]))
        name++;
    if (name == 0 || name == len || line[name] != ':')
        return false;
    start = name + 1;
    while (start < end && is_blank(line[start]))
        start++;
    while (end > start && is_blank(line[end - 1]))
        end--;
    *header = (struct http_header){{line, name}, {line + start, end - start}};
    return true;
}

static bool
is_host(struct http_slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!is_token((unsigned char)value.at[i]) && !strchr(":[]", value.at[i]))
            return false;
    return value.len > 0;
}

/* ---- the fields that matter before any route: one row each; a second one of a kind is refused ---- */

static const struct http_fault *
set_host(struct http_request *request, struct http_slice value)
{
    (void)request;
    return is_host(value) ? NULL : &bad_host;
}

static const struct http_fault *
set_length(struct http_request *request, struct http_slice value)
{
    uint64_t length = 0;

    if (value.len == 0 || value.len > 18)
        return &bad_length;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return &bad_length;
        length = length * 10 + (uint64_t)(value.at[i] - '0');
    }
    request->has_length = true;
    request->content_length = length;
    return NULL;
}

static const struct http_fault *
set_coding(struct http_request *request, struct http_slice value)
{
    request->chunked = true;
    return http_slice_is(value, "chunked") && request->minor == 1 ? NULL : &bad_coding;
}

static const struct http_fault *
set_expect(struct http_request *request, struct http_slice value)
{
    request->expect_continue = request->minor == 1;
    return http_slice_is(value, "100-continue") ? NULL : &bad_expect;
}

/* Whether a comma-separated list has the word. */
static bool
lists(struct http_slice list, const char *word)
{
    size_t i = 0;

    while (i < list.len) {
        size_t start = i, end;

        while (i < list.len && list.at[i] != ',')
            i++;
        end = i++;
        while (start < end && is_blank(list.at[start]))
            start++;
        while (end > start && is_blank(list.at[end - 1]))
            end--;
        if (http_slice_is((struct http_slice){list.at + start, end - start}, word))
            return true;
    }
    return false;
}

enum { HOST, LENGTH, CODING, EXPECT, SINGLES };
#define CLOSE (1U << SINGLES) /* whatever else is said of the connection */

static const struct single {
    const char *name;
    const struct http_fault *(*set)(struct http_request *request, struct http_slice value);
    const struct http_fault *repeated;
} singles[SINGLES] = {
    [HOST] = {"host", set_host, &bad_host},
    [LENGTH] = {"content-length", set_length, &bad_length},
    [CODING] = {"transfer-encoding", set_coding, &bad_coding},
    [EXPECT] = {"expect", set_expect, &bad_expect},
};

static const struct http_fault *
judge(struct http_request *request, const struct http_header *header, unsigned *seen)
{
    for (unsigned i = 0; i < SINGLES; i++) {
        if (!http_slice_is(header->name, singles[i].name))
            continue;
        if (*seen & 1U << i)
            return singles[i].repeated;
        *seen |= 1U << i;
        return singles[i].set(request, header->value);
    }
    if (http_slice_is(header->name, "connection")) {
        if (lists(header->value, "close"))
            *seen |= CLOSE;
        else if (request->minor == 0 && lists(header->value, "keep-alive"))
            request->keep_alive = true;
    }
    return NULL;
}

const struct http_fault *
http_head_fields(const char *bytes, size_t len, struct http_request *request)
{
    const struct http_fault *fault;
    unsigned seen = 0;

    request->header_count = 0;
    request->keep_alive = request->minor == 1;
    while (len > 0) {
        const char *end = memmem(bytes, len, "\r\n", 2);
        size_t line = end ? (size_t)(end - bytes) : len;

        if (request->header_count == HTTP_HEADERS_MAX)
            return &many_fields;
        if (!split(bytes, line, &request->headers[request->header_count]))
            return &bad_field;
        fault = judge(request, &request->headers[request->header_count++], &seen);
        if (fault)
            return fault;
        bytes += end ? line + 2 : line;
        len -= end ? line + 2 : line;
    }
    if (seen & CLOSE)
        request->keep_alive = false;
    if (!(seen & 1U << HOST) && request->minor == 1)
        return &bad_host;
    if (request->chunked && request->has_length)
        return &bad_length;
    return request->content_length > HTTP_BODY_MAX_BYTES ? &long_body : NULL;
}
