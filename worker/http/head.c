/* SPDX-License-Identifier: MIT */
/*
 * head - where a head ends, and its request line. The bytes are looked at once, however they come.
 */
#include <string.h>

#include "worker/http/request.h"

static const struct http_fault bad_line_end = {400, "invalid_request",
                                               "Lines must end in CR LF and hold no control characters."};
static const struct http_fault bad_request_line = {
    400, "invalid_request", "The first line must be METHOD, a path that starts with /, and HTTP/1.1."};
static const struct http_fault bad_version = {505, "http_version_not_supported",
                                              "Speak HTTP/1.1 or HTTP/1.0."};
static const struct http_fault long_line = {414, "uri_too_long",
                                            "The request line is longer than 8192 bytes."};
static const struct http_fault long_head = {431, "headers_too_large",
                                            "The headers are longer than 16384 bytes or more than 64."};

/* Go on where the last look ended. MORE, or DONE with *end behind the empty line. */
static enum http_read
scan(const char *bytes, size_t len, size_t *scanned, size_t *end)
{
    size_t i = *scanned;

    for (; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c >= 0x20 && c != 0x7f)
            continue;
        if (c == '\t')
            continue;
        if (c != '\r' && c != '\n')
            return HTTP_READ_BAD;
        if (c == '\r') {
            if (i + 1 == len)
                break; /* its LF may come */
            if (bytes[i + 1] != '\n')
                return HTTP_READ_BAD;
            continue;
        }
        if (i == 0 || bytes[i - 1] != '\r')
            return HTTP_READ_BAD;
        if (i >= 3 && bytes[i - 2] == '\n') {
            *end = i + 1;
            return HTTP_READ_DONE;
        }
    }
    *scanned = i;
    return HTTP_READ_MORE;
}

static bool
is_method(struct http_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~", s.at[i]))
            return false;
    return s.len > 0 && s.len <= 32;
}

/* The part behind scheme and host of an absolute URI. Empty when it is neither that nor a path. */
static struct http_slice
origin_form(struct http_slice target)
{
    static const char *const schemes[] = {"http://", "https://"};
    const char *slash;

    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i]);

        if (target.len <= len || memcmp(target.at, schemes[i], len) != 0)
            continue;
        slash = memchr(target.at + len, '/', target.len - len);
        if (!slash || slash == target.at + len)
            return (struct http_slice){NULL, 0};
        return (struct http_slice){slash, target.len - (size_t)(slash - target.at)};
    }
    return target.len > 0 && target.at[0] == '/' ? target : (struct http_slice){NULL, 0};
}

static const struct http_fault *
set_target(struct http_slice target, struct http_request *request)
{
    const char *mark;

    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.at[i] <= ' ' || (unsigned char)target.at[i] >= 0x7f ||
            strchr("\"#<>\\^`{|}", target.at[i]))
            return &bad_request_line;
    if (target.len == 1 && target.at[0] == '*' && http_slice_is(request->method, "options")) {
        request->path = target;
        return NULL;
    }
    target = origin_form(target);
    if (!target.at)
        return &bad_request_line;
    mark = memchr(target.at, '?', target.len);
    request->path = (struct http_slice){target.at, mark ? (size_t)(mark - target.at) : target.len};
    if (mark)
        request->query = (struct http_slice){mark + 1, target.len - request->path.len - 1};
    return NULL;
}

/* METHOD SP target SP HTTP/1.x */
static const struct http_fault *
set_request_line(const char *line, size_t len, struct http_request *request)
{
    const char *space = memchr(line, ' ', len), *last = memrchr(line, ' ', len);
    const struct http_fault *fault;

    if (len > HTTP_LINE_MAX_BYTES)
        return &long_line;
    if (!space || space == last)
        return &bad_request_line;
    request->method = (struct http_slice){line, (size_t)(space - line)};
    if (!is_method(request->method))
        return &bad_request_line;
    fault = set_target((struct http_slice){space + 1, (size_t)(last - space - 1)}, request);
    if (fault)
        return fault;
    const char *version = last + 1;
    size_t left = (size_t)(line + len - version);
    if (left != 8 || memcmp(version, "HTTP/", 5) != 0 || version[6] != '.' || version[5] < '0' ||
        version[5] > '9' || version[7] < '0' || version[7] > '9')
        return &bad_request_line;
    request->minor = version[7] - '0';
    return version[5] == '1' && request->minor <= 1 ? NULL : &bad_version;
}

/* One empty line in front of a request is passed over (RFC 9112, 2.2). */
static size_t
leading(const char *bytes, size_t len)
{
    return len >= 2 && memcmp(bytes, "\r\n", 2) == 0 ? 2 : 0;
}

enum http_read
http_head_read(const char *bytes, size_t len, size_t *scanned, struct http_request *request, size_t *head_len,
               const struct http_fault **fault)
{
    size_t skip = leading(bytes, len), end = 0;
    enum http_read found = scan(bytes, len, scanned, &end);
    const char *line_end;

    *fault = NULL;
    if (found == HTTP_READ_DONE && end == skip + 2 && skip > 0)
        found = HTTP_READ_BAD; /* nothing but empty lines */
    if (found == HTTP_READ_BAD) {
        *fault = &bad_line_end;
        return HTTP_READ_BAD;
    }
    line_end = memchr(bytes + skip, '\r', len - skip);
    if (!line_end && len - skip > HTTP_LINE_MAX_BYTES)
        *fault = &long_line;
    else if ((found == HTTP_READ_DONE ? end : len) > HTTP_HEAD_MAX_BYTES)
        *fault =
            line_end && (size_t)(line_end - bytes) - skip > HTTP_LINE_MAX_BYTES ? &long_line : &long_head;
    if (*fault)
        return HTTP_READ_BAD;
    if (found == HTTP_READ_MORE)
        return found;
    *fault = set_request_line(bytes + skip, (size_t)(line_end - bytes) - skip, request);
    if (!*fault)
        *fault = http_head_fields(line_end + 2, (size_t)(bytes + end - line_end) - 4, request);
    *head_len = end;
    return *fault ? HTTP_READ_BAD : HTTP_READ_DONE;
}
