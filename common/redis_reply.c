/* SPDX-License-Identifier: MIT */
/*
 * redis_reply - struct cs_reply is hiredis' reply under another name; these are its accessors. Any thread.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/redis.h"

static const redisReply *
of(const struct cs_reply *r)
{
    return (const redisReply *)(const void *)r;
}

enum cs_reply_type
cs_reply_type(const struct cs_reply *r)
{
    switch (r ? of(r)->type : REDIS_REPLY_NIL) {
    case REDIS_REPLY_STRING:
        return CS_REPLY_STRING;
    case REDIS_REPLY_STATUS:
        return CS_REPLY_STATUS;
    case REDIS_REPLY_ERROR:
        return CS_REPLY_ERROR;
    case REDIS_REPLY_INTEGER:
        return CS_REPLY_INT;
    case REDIS_REPLY_ARRAY:
        return CS_REPLY_ARRAY;
    default:
        return CS_REPLY_NIL;
    }
}

const char *
cs_reply_str(const struct cs_reply *r, size_t *len_bytes)
{
    enum cs_reply_type type = cs_reply_type(r);
    bool text = type == CS_REPLY_STRING || type == CS_REPLY_STATUS || type == CS_REPLY_ERROR;
    if (len_bytes)
        *len_bytes = text ? (size_t)of(r)->len : 0;
    return text ? of(r)->str : NULL;
}

int64_t
cs_reply_int(const struct cs_reply *r)
{
    const char *text = cs_reply_str(r, NULL);
    if (cs_reply_type(r) == CS_REPLY_INT)
        return of(r)->integer;
    return text ? strtoll(text, NULL, 10) : 0;
}

size_t
cs_reply_len(const struct cs_reply *r)
{
    return cs_reply_type(r) == CS_REPLY_ARRAY ? (size_t)of(r)->elements : 0;
}

const struct cs_reply *
cs_reply_at(const struct cs_reply *r, size_t i)
{
    return i < cs_reply_len(r) ? (const struct cs_reply *)(const void *)of(r)->element[i] : NULL;
}

bool
cs_reply_is_error(const struct cs_reply *r, const char *prefix)
{
    return cs_reply_type(r) == CS_REPLY_ERROR &&
           (!prefix || strncmp(of(r)->str, prefix, strlen(prefix)) == 0);
}

void
cs_reply_free(struct cs_reply *r)
{
    if (r)
        freeReplyObject((void *)r);
}

const char *
cs_reply_refusal(const struct cs_reply *r, char *out, size_t out_bytes)
{
    const char *text = cs_reply_is_error(r, NULL) ? cs_reply_str(r, NULL) : "";
    const char *echo = strstr(text, ", with args beginning with");

    snprintf(out, out_bytes, "%.*s", (int)(echo != NULL ? (size_t)(echo - text) : strlen(text)), text);
    return out;
}
