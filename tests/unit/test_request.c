/* SPDX-License-Identifier: MIT */
/* link: worker/http/request worker/http/head worker/http/head_fields worker/http/chunks */
#include "worker/http/request.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/http/table.h"

struct outcome {
    enum http_read found;
    int status;
    const char *code;
    size_t used;
    char body[HTTP_BODY_MAX_BYTES];
    size_t body_len;
};

/* Feed bytes as they would come: up to first, then by step. */
static void
feed(const char *bytes, size_t len, size_t first, size_t step, struct outcome *out)
{
    static char held[262144];
    struct http_reader reader = {0};
    struct http_request request;
    const struct http_fault *fault = NULL;
    size_t have = 0, taken = 0, used = 0, joined = 0;

    out->found = HTTP_READ_MORE;
    for (size_t next = first; taken < len && out->found == HTTP_READ_MORE; next = step) {
        size_t n = len - taken < next ? len - taken : next;

        memcpy(held + have, bytes + taken, n);
        have += n;
        taken += n;
        size_t before = have;
        out->found = http_reader_next(&reader, held, &have, &request, &used, &fault);
        joined += before - have;
    }
    out->status = out->found == HTTP_READ_BAD ? fault->status : 0;
    out->code = out->found == HTTP_READ_BAD ? fault->code : "";
    out->used = used + joined;
    out->body_len = 0;
    if (out->found == HTTP_READ_DONE && request.body.len > 0) {
        memcpy(out->body, request.body.at, request.body.len);
        out->body_len = request.body.len;
    }
}

static void
expect_row(const struct row *row, size_t first, size_t step)
{
    static struct outcome out;
    enum http_read wanted = row->kind == ROW_BAD   ? HTTP_READ_BAD
                            : row->kind == ROW_CUT ? HTTP_READ_MORE
                                                   : HTTP_READ_DONE;

    feed(row->bytes, row->len, first, step, &out);
    cr_expect_eq(out.found, wanted, "%s: split at %zu, steps of %zu", row->name, first, step);
    if (row->kind == ROW_BAD && out.found == HTTP_READ_BAD) {
        cr_expect_eq(out.status, row->status, "%s: %d for %d", row->name, out.status, row->status);
        cr_expect_str_eq(out.code, row->code, "%s", row->name);
    }
    if (row->kind == ROW_GOOD && out.found == HTTP_READ_DONE)
        cr_expect_eq(out.used, row->len, "%s: %zu of %zu bytes used", row->name, out.used, row->len);
}

Test(request, every_row_in_every_split)
{
    static struct row row;
    FILE *file = fopen("tests/http/requests.txt", "r");
    size_t rows = 0;

    cr_assert_not_null(file);
    while (row_next(file, "X-API-Key: a\r\n", &row)) {
        size_t splits = row.len < 400 ? row.len : 1;

        expect_row(&row, row.len, row.len);
        expect_row(&row, 1, row.len < 400 ? 1 : 997);
        for (size_t at = 1; at < splits; at++)
            expect_row(&row, at, row.len);
        rows++;
    }
    fclose(file);
    cr_expect_geq(rows, 150);
}

static enum http_read
read_whole(const char *text, struct http_request *request, char *held)
{
    struct http_reader reader = {0};
    const struct http_fault *fault;
    size_t len = strlen(text), used;

    memcpy(held, text, len);
    return http_reader_next(&reader, held, &len, request, &used, &fault);
}

#define EXPECT_SLICE(slice, text)                                                                            \
    cr_expect(strlen(text) == (slice).len && memcmp((slice).at, text, (slice).len) == 0, "%.*s for %s",      \
              (int)(slice).len, (slice).at, text)

Test(request, parts_of_a_request)
{
    char held[1024];
    struct http_request r;

    cr_assert_eq(
        read_whole(
            "POST http://h:80/a/b?c=d&e HTTP/1.1\r\nHost:h:80\r\nX-A:  one \t\r\nx-a: two\r\nContent-Length: "
            "3\r\n\r\nabc",
            &r, held),
        HTTP_READ_DONE);
    EXPECT_SLICE(r.method, "POST");
    EXPECT_SLICE(r.path, "/a/b");
    EXPECT_SLICE(r.query, "c=d&e");
    EXPECT_SLICE(r.body, "abc");
    EXPECT_SLICE(http_request_header(&r, "x-a"), "one");
    EXPECT_SLICE(http_request_header(&r, "host"), "h:80");
    cr_expect_null(http_request_header(&r, "x").at);
    cr_expect_eq(r.header_count, 4);
    cr_expect(r.keep_alive);
}

Test(request, connection_of_each_version)
{
    static const struct {
        const char *text;
        bool keep_alive;
    } known[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade, Close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", false},
    };
    char held[1024];
    struct http_request r;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        cr_assert_eq(read_whole(known[i].text, &r, held), HTTP_READ_DONE, "%s", known[i].text);
        cr_expect_eq(r.keep_alive, known[i].keep_alive, "%s", known[i].text);
    }
}

Test(request, chunks_are_joined)
{
    static const char text[] = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3;a=b\r\nabc\r\n1\r\nd\r\n0a\r\n0123456789\r\n0\r\nT: v\r\n\r\n";
    static struct outcome out;

    for (size_t at = 1; at < sizeof text - 1; at++) {
        feed(text, sizeof text - 1, at, 1, &out);
        cr_assert_eq(out.found, HTTP_READ_DONE, "split at %zu", at);
        cr_expect_eq(out.body_len, 14);
        cr_expect_arr_eq(out.body, "abcd0123456789", 14);
        cr_expect_eq(out.used, sizeof text - 1);
    }
}

Test(request, one_behind_the_other)
{
    char held[] =
        "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
        "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\nGET /4 "
        "HTTP/1.1\r\nHo";
    static const char *const paths[] = {"/1", "/2", "/3"};
    struct http_reader reader = {0};
    struct http_request r;
    const struct http_fault *fault;
    size_t at = 0, len, used;

    for (size_t i = 0; i < 3; i++) {
        len = sizeof held - 1 - at;
        cr_assert_eq(http_reader_next(&reader, held + at, &len, &r, &used, &fault), HTTP_READ_DONE);
        EXPECT_SLICE(r.path, paths[i]);
        at += used;
    }
    len = sizeof held - 1 - at;
    cr_expect_eq(http_reader_next(&reader, held + at, &len, &r, &used, &fault), HTTP_READ_MORE);
    cr_expect_eq(len, sizeof held - 1 - at, "what is unfinished is kept");
}

Test(request, query_parameters)
{
    static const struct {
        const char *query, *value;
        int found;
    } known[] = {
        {"limit=10", "10", 1},
        {"a=b&limit=10&c", "10", 1},
        {"limit", "", 1},
        {"limit=", "", 1},
        {"l%69mit=1%30", "10", 1},
        {"limit=a+b", "a b", 1},
        {"", "", 0},
        {"limits=1", "", 0},
        {"limit=1&limit=2", "", -1},
        {"limit=%", "", -1},
        {"limit=%g0", "", -1},
        {"limit=%0", "", -1},
        {"limit=%00", "", -1},
        {"limit=12345678", "", -1},
        {"limit=1&l%69mit=1", "", -1},
        {"&&=&limit=1&", "1", 1},
    };
    char out[8];

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct http_slice query = {known[i].query, strlen(known[i].query)};

        cr_expect_eq(http_query_find(query, "limit", out, sizeof out), known[i].found, "%s", known[i].query);
        if (known[i].found == 1)
            cr_expect_str_eq(out, known[i].value, "%s", known[i].query);
    }
}
