/* SPDX-License-Identifier: MIT */
/*
 * args - a growing list of strings. Does not send anything.
 */
#include "worker/daemon/args.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static void
push(struct args *a, char *s, size_t len_bytes)
{
    if (a->count == a->room) {
        a->room = a->room ? a->room * 2 : 32;
        a->v = cs_xrealloc(a->v, a->room * sizeof(*a->v));
        a->len = cs_xrealloc(a->len, a->room * sizeof(*a->len));
    }
    a->v[a->count] = s;
    a->len[a->count++] = len_bytes;
}

void
args_bytes(struct args *a, const char *s, size_t len_bytes)
{
    char *copy = cs_xmalloc(len_bytes + 1);

    memcpy(copy, s, len_bytes);
    copy[len_bytes] = '\0';
    push(a, copy, len_bytes);
}

void
args_add(struct args *a, const char *s)
{
    args_bytes(a, s, strlen(s));
}

void
args_give(struct args *a, char *s)
{
    push(a, s, strlen(s));
}

void
args_int(struct args *a, int64_t n)
{
    args_give(a, cs_xasprintf("%" PRId64, n));
}

void
args_pair(struct args *a, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    args_add(a, name);
    args_add(a, value);
}

void
args_list(struct args *a, const struct args *list)
{
    args_int(a, (int64_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        args_bytes(a, list->v[i], list->len[i]);
}

void
args_fini(struct args *a)
{
    for (size_t i = 0; i < a->count; i++)
        free((void *)(uintptr_t)a->v[i]);
    free(a->v);
    free(a->len);
    *a = (struct args){0};
}
