/* SPDX-License-Identifier: MIT */
/*
 * args - a growing list of strings for a Redis command or script. Owns copies. Any one thread.
 */
#ifndef CS_DAEMON_ARGS_H
#define CS_DAEMON_ARGS_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. */
struct args {
    const char **v; /* the strings are ours */
    size_t *len;
    size_t count, room;
};

void args_add(struct args *a, const char *s);                     /* copies */
void args_bytes(struct args *a, const char *s, size_t len_bytes); /* copies */
void args_give(struct args *a, char *s);                          /* takes */
void args_int(struct args *a, int64_t n);
void args_pair(struct args *a, const char *name,
               const char *value);                       /* copies both; nothing when value is NULL or "" */
void args_list(struct args *a, const struct args *list); /* the count, then copies of the strings */
void args_fini(struct args *a);

#endif
