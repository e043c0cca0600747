/* SPDX-License-Identifier: MIT */
/*
 * apply - writes what changed: market caps, rows of cache_entries with their records, the change log. In
 * batches.
 *
 * Session's thread, inside the sync's transaction.
 */
#ifndef CS_SYNC_APPLY_H
#define CS_SYNC_APPLY_H

#include "worker/sync/diff.h"
#include "worker/sync/sync.h"
#include "worker/sync/write.h"

struct apply_counts {
    int64_t written, unchanged, deleted; /* rows of cache_entries */
    json_t *fresh; /* object: universe -> true for those with a written row; gives a reference */
};

/* Store caps that differ, in symbol order, under the lock that all environments share. */
enum cs_rc apply_caps(PGconn *conn, const struct snapshot *snap, int64_t *changed,
                      struct cs_err *err) CS_MUSTCHECK;

/* Write rows whose content differs from what stands there; delete ours that no rule fills any more. */
enum cs_rc apply_rows(PGconn *conn, const struct snapshot *snap, const struct sync_rules *rules,
                      const struct selection *sel, const struct previous *prev,
                      const struct write_stats *stats, uint32_t mask, const struct sync_request *req,
                      const char *now, struct apply_counts *counts, struct cs_err *err) CS_MUSTCHECK;

enum cs_rc apply_log(PGconn *conn, const struct diff *d, const struct sync_request *req,
                     const char *logged_at, struct cs_err *err) CS_MUSTCHECK;

#endif
