/* SPDX-License-Identifier: MIT */
/*
 * select_match - whether one row passes one filter. Private to select. Thread: any.
 */
#ifndef CS_SYNC_SELECT_MATCH_H
#define CS_SYNC_SELECT_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/sync/rules.h"
#include "worker/sync/snapshot.h"

#define MATCH_CONDITIONS_MAX 12

struct match_condition;

/* A filter made ready for many rows: only the conditions that are set. Borrows snapshot and filter. */
struct match {
    const struct snapshot *snap;
    const struct rules_filter *filter;
    const struct match_condition *set[MATCH_CONDITIONS_MAX];
    uint32_t count;
    const uint32_t *symbols; /* sorted ids of filter->symbols; NULL: compare their texts */
    uint32_t symbol_count;
    uint8_t *industry_memo; /* by industry id, 0: not asked yet, 1: no, 2: yes; NULL: none */
};

/* bounds false leaves the cap bounds out: a buffer judges them. */
void match_init(struct match *m, const struct snapshot *snap, const struct rules_filter *filter, bool bounds);
bool match_row(const struct match *m, uint32_t id);

#endif
