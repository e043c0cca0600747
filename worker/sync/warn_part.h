/* SPDX-License-Identifier: MIT */
/*
 * warn_part - what the observations share. Private to warn*.c. Session's thread.
 */
#ifndef CS_SYNC_WARN_PART_H
#define CS_SYNC_WARN_PART_H

#include "worker/sync/warn.h"

/* The few largest of many: symbols by weight, the rest only counted. */
struct warn_top {
    size_t count; /* seen */
    size_t kept;
    uint32_t ids[WARN_LIST_MAX];
    double weights[WARN_LIST_MAX];
};

void warn_top_add(struct warn_top *t, uint32_t id, double weight);

/* Append a warning; context is taken. */
void warn_add(json_t *list, const char *severity, const char *code, const char *message, json_t *context);

/* An array of {"symbol", "market_cap", and figures of closes and shares}, in the order of t; a new reference, also on an
 * error. */
enum cs_rc warn_describe(const struct warn_input *in, const struct warn_top *t, json_t **out,
                         struct cs_err *err) CS_MUSTCHECK;

/* An observation: appends to list what it sees. */
typedef enum cs_rc warn_fn(const struct warn_input *in, json_t *list, struct cs_err *err);

warn_fn warn_cap_jumps;            /* warn_caps.c */
warn_fn warn_returned, warn_moved; /* warn_moves.c */

#endif
