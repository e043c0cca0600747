/* SPDX-License-Identifier: MIT */
/*
 * mem - allocation that does not fail, and an arena.
 *
 * cs_x*: small sizes known to the program; a failure logs one line and aborts.
 * Sizes that come from input are bounded first and go through the arena or malloc, which return NULL.
 */
#ifndef CS_COMMON_MEM_H
#define CS_COMMON_MEM_H

#include <stddef.h>

void *cs_xmalloc(size_t len_bytes) __attribute__((returns_nonnull));
void *cs_xcalloc(size_t count, size_t len_bytes) __attribute__((returns_nonnull));
void *cs_xrealloc(void *p, size_t len_bytes) __attribute__((returns_nonnull));
char *cs_xstrdup(const char *s); /* NULL gives NULL */
char *cs_xstrndup(const char *s, size_t len_bytes);
char *cs_xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Bump allocator: freed as a whole. One thread at a time. */
struct cs_arena;

struct cs_arena *cs_arena_new(size_t chunk_bytes); /* NULL when memory is short */
void cs_arena_free(struct cs_arena *a);            /* NULL is fine */
/* alloc: aligned for any type, not zeroed. strndup: packed, NUL added. NULL when memory is short. */
void *cs_arena_alloc(struct cs_arena *a, size_t len_bytes);
char *cs_arena_strndup(struct cs_arena *a, const char *s, size_t len_bytes);
size_t cs_arena_bytes(const struct cs_arena *a); /* reserved from the system */

#endif
