/* SPDX-License-Identifier: MIT */
/*
 * select - which symbols are in which universe: the rules applied to a snapshot, in one pass over its ranking.
 *
 * Pure: no I/O, no clock. Any thread.
 */
#ifndef CS_SYNC_SELECT_H
#define CS_SYNC_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "worker/sync/rules.h"
#include "worker/sync/snapshot.h"

/* One universe with its members in rank order. */
struct selected {
    const struct rules_universe *rule;
    char key[RULES_KEY_MAX + 1];   /* canonical name; a partition's with its value filled in */
    char value[RULES_KEY_MAX + 1]; /* partition: what "{key}" stands for; else "" */
    /* Of a partition the value's text ("Health Care"); when values collide, the first by bytes. */
    char title[RULES_KEY_MAX + 1];
    uint32_t sector;    /* industry partition: id of the most frequent known sector, ties by name; else 0 */
    size_t count;       /* members */
    size_t first_count; /* of those, from the rule's filter; the rest is from `also` */
    uint32_t *ids;      /* position is rank - 1 */
};

struct selection {
    size_t count; /* universes with a member, in the order of the rules; partitions by key */
    struct selected *items;
    struct cs_arena *arena;
};

/*
 * Sorted ids of the members that a universe has now, for buffers. *count 0 when it is new. Members that the snapshot
 * does not hold are left out. Borrowed until the next call.
 */
typedef const uint32_t *select_previous_fn(const char *universe, size_t *count, void *arg);

/*
 * Select the universes of the families in mask (bit 1 << enum rules_family). Families without symbols (stats) are left out.
 *
 * Values of a partition whose keys collide are one universe with the members of both; a value whose universe would
 * have the name of a universe of another rule is kept apart by its family's name (docs/rules.md).
 * previous  may be NULL: no buffers.
 * out       gives a selection to selection_free.
 * Returns   CS_OK; CS_ENOMEM.
 */
enum cs_rc select_run(const struct snapshot *snap, const struct sync_rules *rules, uint32_t mask,
                      select_previous_fn *previous, void *arg, struct selection **out,
                      struct cs_err *err) CS_MUSTCHECK;
void selection_free(struct selection *sel);

/* Put ids in an order of the rules; by cap means the cap that ranks, ties by symbol. */
void select_order(const struct snapshot *snap, enum rules_order order, uint32_t *ids, size_t count);

/* The o-th output of a selected universe with "{key}" and "{name}" of a partition filled in and cut to their lengths. */
void selected_output(const struct selected *sel, size_t o, struct rules_output *out);

/* Whether a row passes a filter (activity, asset class and every condition) on that market date. */
bool select_matches(const struct snapshot *snap, const struct rules_filter *filter, uint32_t id);

/*
 * Why a row passes or not, condition by condition, for people: writes lines "cap 1.2e9 < 2e9 (cap_min)" through emit.
 * Returns what select_matches returns.
 */
bool select_explain(const struct snapshot *snap, const struct rules_filter *filter, uint32_t id,
                    void (*emit)(bool holds, const char *condition, const char *figures, void *arg),
                    void *arg);

#endif
