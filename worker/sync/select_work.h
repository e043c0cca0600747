/* SPDX-License-Identifier: MIT */
/*
 * select_work - what the files of select share while one selection is made. Private to select*.c. Thread: any.
 */
#ifndef CS_SYNC_SELECT_WORK_H
#define CS_SYNC_SELECT_WORK_H

#include "worker/sync/select.h"
#include "worker/sync/select_match.h"

struct select_list {
    uint32_t *ids;
    size_t count, room;
};

/* One rule at work: the rows that passed, in rank order. */
struct select_run {
    const struct rules_universe *rule;
    struct match match, also_match;
    struct select_list passed, also;
    size_t enough; /* stop collecting there; 0: never */
};

/* What one call needs. */
struct select_work {
    const struct snapshot *snap;
    const struct sync_rules *rules;
    struct selection *sel;
    size_t room; /* of sel->items */
    select_previous_fn *previous;
    void *arg;
    struct cs_err *err;
};

enum cs_rc select_no_memory(struct cs_err *err);
bool select_push(struct select_list *l, uint32_t id); /* false: no memory */

/* Apply limit and buffer of a universe in place; the list is in order. */
void select_cut(const struct select_work *w, const struct rules_universe *u, const char *key,
                struct select_list *l);

/*
 * Add a universe with the members of both lists; none: nothing is added.
 * value  of a partition: its key, as rows are written under it; else NULL.
 */
enum cs_rc select_add(struct select_work *w, const struct rules_universe *u, const char *value,
                      const char *title, uint32_t sector, const struct select_list *first,
                      const struct select_list *also);

/* Copy a pattern with "{key}" filled in, cut to RULES_KEY_MAX. out holds RULES_KEY_MAX + 1 bytes. */
void select_fill_key(const char *pattern, const char *key, char *out);

/* A universe for each value of the partition's column. */
enum cs_rc select_partition(struct select_work *w, const struct select_run *r);

#endif
