/* SPDX-License-Identifier: MIT */
/*
 * apply - writes what changed: market caps, rows of cache_entries with their records, the change log. In batches.
 *
 * Session's thread, inside the sync's transaction. A dry run counts and writes nothing.
 */
#ifndef CS_SYNC_APPLY_H
#define CS_SYNC_APPLY_H

#include <jansson.h>

#include "worker/sync/diff.h"
#include "worker/sync/step.h"
#include "worker/sync/sync.h"
#include "worker/sync/write.h"

/* Rows of cache_entries. */
struct apply_family {
    int64_t written, unchanged, deleted;
    int64_t took_us; /* to judge and send them */
};

struct apply_counts {
    struct apply_family families[RULES_FAMILY_COUNT];
    json_t *fresh; /* object: universe -> true for those with a written row; gives a reference */
};

/* What all of it needs; everything is borrowed. */
struct apply {
    PGconn *conn;
    const struct sync_request *req;
    const struct snapshot *snap;
    const struct sync_rules *rules;
    const struct previous *prev;
    const struct selection *sel;
    const struct diff *diff;
    uint32_t mask;   /* families whose rows without members go */
    const char *now; /* dates what is written, RFC 3339 */
    struct step step;
};

/* Store caps that differ, in symbol order, under the lock that all environments share. */
enum cs_rc apply_caps(const struct apply *a, int64_t *changed, struct cs_err *err) CS_MUSTCHECK;

/*
 * Write rows whose content differs from what stands there; delete ours that no rule fills any more.
 * Returns  as pg_exec; CS_ENOMEM with code value_too_large when a value is beyond what jsonb holds.
 */
enum cs_rc apply_rows(const struct apply *a, const struct write_stats *stats, struct apply_counts *counts,
                      struct cs_err *err) CS_MUSTCHECK;

enum cs_rc apply_log(const struct apply *a, struct cs_err *err) CS_MUSTCHECK;

#endif
