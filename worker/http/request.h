/* SPDX-License-Identifier: MIT */
/*
 * request - HTTP/1.1 requests out of a stream of bytes, strictly: what two readers could understand differently is
 * refused (RFC 9112 sections 2, 3, 5, 6, 7, 11).
 *
 * Lines end in CRLF. Knows no socket, no loop, no route: bytes in, requests or a fault out. Any one thread.
 */
#ifndef CS_HTTP_REQUEST_H
#define CS_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX_BYTES 16384
#define HTTP_LINE_MAX_BYTES 8192
#define HTTP_HEADERS_MAX 64
#define HTTP_BODY_MAX_BYTES 65536

/* Bytes of the input; not NUL-terminated. Borrowed. at NULL: absent. */
struct http_slice {
    const char *at;
    size_t len;
};

struct http_header {
    struct http_slice name, value;
};

/* Why a request is refused before any route sees it; always followed by the end of the connection. Static. */
struct http_fault {
    int status;
    const char *code;
    const char *message;
};

/* A request; its slices point into the bytes that it was read from. */
struct http_request {
    struct http_slice method, path, query; /* query without the '?' */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    struct http_slice body; /* whole and without its chunks, once the request is done */
    uint64_t content_length;
    int minor; /* HTTP/1.minor */
    bool has_length;
    bool chunked;
    bool keep_alive;      /* the client wants it */
    bool expect_continue; /* it waits for 100 before it sends the body */
};

enum http_read { HTTP_READ_MORE, HTTP_READ_DONE, HTTP_READ_BAD };

/* The first header of that name, its value; at NULL when there is none. name in lower case. */
struct http_slice http_request_header(const struct http_request *request, const char *name);

/* Whether two texts are the same but for the case of ASCII letters. */
bool http_slice_is(struct http_slice s, const char *text);

/*
 * Read a head.
 *
 * scanned  bytes known to be good, 0 at first; kept by the caller between calls with more bytes.
 * Returns  HTTP_READ_DONE with request filled (but the body) and *head_len, its length with the empty line;
 *          HTTP_READ_MORE; HTTP_READ_BAD with *fault.
 */
enum http_read http_head_read(const char *bytes, size_t len, size_t *scanned, struct http_request *request,
                              size_t *head_len, const struct http_fault **fault);

/* head_fields.c: the fields of a head whose lines end well. Used by http_head_read. */
const struct http_fault *http_head_fields(const char *bytes, size_t len, struct http_request *request);

/* Joins the chunks of a body in place. Zero-initialised at the start of a body. */
struct http_chunks {
    int state;
    size_t digits;
    size_t extra;   /* bytes of extensions and trailers so far */
    uint64_t left;  /* of the chunk */
    uint64_t total; /* of all chunks so far */
};

/*
 * Take what has arrived of a chunked body.
 *
 * bytes    input; from *from on not yet taken; data is moved to *to, *to <= *from.
 * Returns  HTTP_READ_DONE: *from stands behind the last trailer, *to behind the data; HTTP_READ_MORE with *from at
 *          len; HTTP_READ_BAD with *fault.
 */
enum http_read http_chunks_read(struct http_chunks *chunks, char *bytes, size_t len, size_t *from, size_t *to,
                                const struct http_fault **fault);

/* Reads one request after the other. Zero-initialised at the start of a connection. */
struct http_reader {
    size_t scanned;
    size_t head_len; /* 0: in the head */
    bool chunked;
    uint64_t content_length;
    struct http_chunks chunks;
    size_t from, to; /* of a chunked body */
};

/*
 * Read a request from the front of bytes.
 *
 * bytes    everything from the start of the request, at least one; chunks are joined in place. The caller keeps them
 *          between calls; they may move.
 * Returns  HTTP_READ_DONE with request and *used, the reader being ready for the next one; HTTP_READ_MORE with *len cut
 *          to what must be kept, and request->method.at set when the head was completed by this call, NULL otherwise;
 *          HTTP_READ_BAD with *fault, request holding what was understood before it.
 */
enum http_read http_reader_next(struct http_reader *reader, char *bytes, size_t *len,
                                struct http_request *request, size_t *used, const struct http_fault **fault);

/*
 * A parameter of a query: decoded into out (out_bytes with the NUL).
 * Returns 1 found, 0 absent, -1 when it is there twice, too long, or not well encoded.
 */
int http_query_find(struct http_slice query, const char *name, char *out, size_t out_bytes);

#endif
