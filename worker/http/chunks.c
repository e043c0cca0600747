/* SPDX-License-Identifier: MIT */
/*
 * chunks - a chunked body, joined in place. Sizes are plain hexadecimal, lines end in CRLF, extensions and trailers
 * are checked, bounded and passed over.
 */
#include <string.h>

#include "worker/http/request.h"

#define DIGITS_MAX 8
#define EXTRA_MAX_BYTES 4096

static const struct http_fault bad_chunk = {
    400, "invalid_request", "A chunk must be its size in hexadecimal, CR LF, so many bytes, CR LF."};
static const struct http_fault long_body = {
    413, "body_too_large", "The body is longer than 65536 bytes; send only the fields of a command."};

enum {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    END,
    BAD
};

static int
hex(unsigned char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool
is_printable(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static bool
is_name(unsigned char c)
{
    return c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static int
next_in_size(struct http_chunks *chunks, unsigned char c)
{
    int digit = hex(c);

    if (digit >= 0) {
        if (++chunks->digits > DIGITS_MAX)
            return BAD;
        chunks->left = chunks->left * 16 + (uint64_t)digit;
        return SIZE;
    }
    if (chunks->digits == 0)
        return BAD;
    return c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : BAD;
}

static int
next_in_extra(struct http_chunks *chunks, unsigned char c)
{
    bool room = ++chunks->extra <= EXTRA_MAX_BYTES;

    switch (chunks->state) {
    case EXTENSION:
        return c == '\r' ? SIZE_LF : room && is_printable(c) ? EXTENSION : BAD;
    case TRAILER:
        return c == '\r' ? LAST_LF : room && is_name(c) ? TRAILER_NAME : BAD;
    case TRAILER_NAME:
        return c == ':' ? TRAILER_VALUE : room && is_name(c) ? TRAILER_NAME : BAD;
    default:
        return c == '\r' ? TRAILER_LF : room && is_printable(c) ? TRAILER_VALUE : BAD;
    }
}

static int
next(struct http_chunks *chunks, unsigned char c)
{
    switch (chunks->state) {
    case SIZE:
        return next_in_size(chunks, c);
    case SIZE_LF:
        chunks->digits = 0;
        return c != '\n' ? BAD : chunks->left > 0 ? DATA : TRAILER;
    case DATA_CR:
        return c == '\r' ? DATA_LF : BAD;
    case DATA_LF:
        return c == '\n' ? SIZE : BAD;
    case TRAILER_LF:
        return c == '\n' ? TRAILER : BAD;
    case LAST_LF:
        return c == '\n' ? END : BAD;
    default:
        return next_in_extra(chunks, c);
    }
}

/* Move what is there of the chunk's data. */
static void
move_data(struct http_chunks *chunks, char *bytes, size_t len, size_t *from, size_t *to)
{
    size_t n = len - *from < chunks->left ? len - *from : (size_t)chunks->left;

    memmove(bytes + *to, bytes + *from, n);
    *from += n;
    *to += n;
    chunks->left -= n;
    if (chunks->left == 0)
        chunks->state = DATA_CR;
}

enum http_read
http_chunks_read(struct http_chunks *chunks, char *bytes, size_t len, size_t *from, size_t *to,
                 const struct http_fault **fault)
{
    while (*from < len && chunks->state != END) {
        if (chunks->state == DATA) {
            move_data(chunks, bytes, len, from, to);
            continue;
        }
        chunks->state = next(chunks, (unsigned char)bytes[(*from)++]);
        if (chunks->state == BAD) {
            *fault = &bad_chunk;
            return HTTP_READ_BAD;
        }
        if (chunks->state == DATA)
            chunks->total += chunks->left;
        if (chunks->total > HTTP_BODY_MAX_BYTES) {
            *fault = &long_body;
            return HTTP_READ_BAD;
        }
    }
    return chunks->state == END ? HTTP_READ_DONE : HTTP_READ_MORE;
}
