/* SPDX-License-Identifier: MIT */
/*
 * mem - allocation that aborts when memory is short, and the arena that reports it instead.
 *
 * An arena chunk is filled from both ends: aligned blocks from the front, packed strings from the back.
 */
#include "common/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGN _Alignof(max_align_t)

struct chunk {
    struct chunk *next;
    size_t front; /* first free byte */
    size_t back;  /* one past the last free byte */
    _Alignas(max_align_t) char bytes[];
};

struct cs_arena {
    struct chunk *chunks; /* the first one is being filled */
    size_t chunk_bytes;
    size_t reserved_bytes;
};

static void *
need(void *p)
{
    static const char line[] = "out of memory: give the process more memory or lower CACHESYNC_WORKERS\n";

    if (p != NULL)
        return p;
    if (write(STDERR_FILENO, line, sizeof line - 1) < 0)
        abort();
    abort();
}

void *
cs_xmalloc(size_t len_bytes)
{
    return need(malloc(len_bytes != 0 ? len_bytes : 1));
}

void *
cs_xcalloc(size_t count, size_t len_bytes)
{
    return need(calloc(count != 0 ? count : 1, len_bytes != 0 ? len_bytes : 1));
}

void *
cs_xrealloc(void *p, size_t len_bytes)
{
    return need(realloc(p, len_bytes != 0 ? len_bytes : 1));
}

char *
cs_xstrdup(const char *s)
{
    return s != NULL ? cs_xstrndup(s, strlen(s)) : NULL;
}

char *
cs_xstrndup(const char *s, size_t len_bytes)
{
    size_t len = strnlen(s, len_bytes);
    char *copy = cs_xmalloc(len + 1);

    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *
cs_xasprintf(const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    int len;

    va_start(args, fmt);
    len = vasprintf(&text, fmt, args);
    va_end(args);
    return need(len < 0 ? NULL : text);
}

static struct chunk *
chunk_new(struct cs_arena *a, size_t len_bytes)
{
    struct chunk *c;

    if (len_bytes > SIZE_MAX - sizeof *c)
        return NULL;
    c = malloc(sizeof *c + len_bytes);
    if (c == NULL)
        return NULL;
    c->next = NULL;
    c->front = 0;
    c->back = len_bytes;
    a->reserved_bytes += sizeof *c + len_bytes;
    return c;
}

/* A chunk with len_bytes free. What does not fit a usual chunk gets its own, behind the one being filled. */
static struct chunk *
chunk_for(struct cs_arena *a, size_t len_bytes)
{
    struct chunk *c = a->chunks;

    if (c != NULL && c->back - c->front >= len_bytes)
        return c;
    if (len_bytes > a->chunk_bytes / 4 && c != NULL) {
        struct chunk *own = chunk_new(a, len_bytes);

        if (own == NULL)
            return NULL;
        own->next = c->next;
        c->next = own;
        return own;
    }
    c = chunk_new(a, len_bytes > a->chunk_bytes ? len_bytes : a->chunk_bytes);
    if (c == NULL)
        return NULL;
    c->next = a->chunks;
    a->chunks = c;
    return c;
}

struct cs_arena *
cs_arena_new(size_t chunk_bytes)
{
    struct cs_arena *a = malloc(sizeof *a);

    if (a == NULL)
        return NULL;
    a->chunks = NULL;
    a->chunk_bytes = (chunk_bytes + ALIGN - 1) / ALIGN * ALIGN;
    a->reserved_bytes = sizeof *a;
    return a;
}

void
cs_arena_free(struct cs_arena *a)
{
    if (a == NULL)
        return;
    for (struct chunk *c = a->chunks, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

void *
cs_arena_alloc(struct cs_arena *a, size_t len_bytes)
{
    struct chunk *c;
    void *p;

    if (len_bytes > SIZE_MAX / 2)
        return NULL;
    len_bytes = (len_bytes + ALIGN - 1) / ALIGN * ALIGN;
    c = chunk_for(a, len_bytes);
    if (c == NULL)
        return NULL;
    p = c->bytes + c->front;
    c->front += len_bytes;
    return p;
}

char *
cs_arena_strndup(struct cs_arena *a, const char *s, size_t len_bytes)
{
    struct chunk *c;
    char *copy;

    if (len_bytes > SIZE_MAX / 2)
        return NULL;
    c = chunk_for(a, len_bytes + 1);
    if (c == NULL)
        return NULL;
    c->back -= len_bytes + 1;
    copy = c->bytes + c->back;
    memcpy(copy, s, len_bytes);
    copy[len_bytes] = '\0';
    return copy;
}

size_t
cs_arena_bytes(const struct cs_arena *a)
{
    return a->reserved_bytes;
}
