/* SPDX-License-Identifier: MIT */
/* link: worker/http/request worker/http/head worker/http/head_fields worker/http/chunks worker/http/trigger_read common/command common/keys common/json common/clock common/uuid common/mem common/err */
/*
 * fuzz_http - a stream of bytes as requests. The first byte says into which pieces it is cut; whatever the cut, the same
 * requests and the same fault must come out. What comes out is then used as the adapter would.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "worker/http/request.h"
#include "worker/http/trigger_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What was read of a stream, folded into a number. */
struct account {
    uint64_t sum;
    size_t requests;
    int status;
};

static void
fold(struct account *account, struct http_slice slice)
{
    for (size_t i = 0; i < slice.len; i++)
        account->sum = account->sum * 1099511628211U ^ (unsigned char)slice.at[i];
    account->sum = account->sum * 31 + slice.len;
}

static void
use(struct account *account, const struct http_request *request)
{
    struct http_refusal why;
    struct cs_command cmd;
    char value[16];

    account->requests++;
    fold(account, request->method);
    fold(account, request->path);
    fold(account, request->query);
    fold(account, request->body);
    for (size_t i = 0; i < request->header_count; i++) {
        fold(account, request->headers[i].name);
        fold(account, request->headers[i].value);
    }
    account->sum += (uint64_t)http_query_find(request->query, "limit", value, sizeof value);
    cs_command_init(&cmd, "DEFAULT", "api");
    if (!http_trigger_read(&cmd, request, &why) && (strlen(why.message) == 0 || why.status < 400))
        abort();
}

static struct account
read_stream(const uint8_t *data, size_t len, size_t piece)
{
    struct account account = {0, 0, 0};
    struct http_reader reader = {0};
    struct http_request request;
    const struct http_fault *fault = NULL;
    char *held = cs_xmalloc(len + 1);
    size_t have = 0, left, used;
    enum http_read found = HTTP_READ_MORE;

    for (size_t taken = 0; taken < len && found != HTTP_READ_BAD;) {
        size_t n = len - taken < piece ? len - taken : piece;

        memcpy(held + have, data + taken, n);
        have += n;
        taken += n;
        do {
            left = have;
            found =
                have > 0 ? http_reader_next(&reader, held, &left, &request, &used, &fault) : HTTP_READ_MORE;
            if (found == HTTP_READ_MORE)
                have = left;
            if (found != HTTP_READ_DONE)
                break;
            use(&account, &request);
            have -= used;
            memmove(held, held + used, have);
        } while (have > 0);
    }
    if (found == HTTP_READ_BAD)
        account.status = fault->status;
    free(held);
    return account;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct account whole, pieces;

    if (len < 2)
        return 0;
    whole = read_stream(data + 1, len - 1, len);
    pieces = read_stream(data + 1, len - 1, (size_t)data[0] + 1);
    if (whole.sum != pieces.sum || whole.requests != pieces.requests || whole.status != pieces.status)
        abort();
    return 0;
}
