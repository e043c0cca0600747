/* SPDX-License-Identifier: MIT */
/*
 * guard - the validation checks: broken market data is refused with figures, not published. Session's thread.
 */
#ifndef CS_SYNC_GUARD_H
#define CS_SYNC_GUARD_H

#include "worker/sync/diff.h"
#include "worker/sync/snapshot_load.h"
#include "worker/sync/sync.h"

/* What the checks look at; also recorded as summary.guard and compared with at the next sync. */
struct guard_figures {
    int64_t active_stocks, closed_stocks;
    double total_cap; /* of stocks with a cap, dollars */
    int32_t age_days; /* market date to as_of or today in New York; negative: later */
    bool has_last;    /* an earlier committed sync of the environment */
    int64_t last_active_stocks;
    double last_total_cap;
};

enum cs_rc guard_collect(PGconn *conn, const struct snapshot *snap, const struct snapshot_caps *caps,
                         const struct sync_request *req, struct guard_figures *g,
                         struct cs_err *err) CS_MUSTCHECK;

/* CS_OK, or CS_EREFUSED with code, message and *details (gives a reference) of the first check that fails. */
enum cs_rc guard_check(PGconn *conn, const struct rules_limits *limits, const struct guard_figures *g,
                       const struct snapshot *snap, const struct diff *d, const char *environment,
                       json_t **details, struct cs_err *err) CS_MUSTCHECK;

json_t *guard_json(const struct guard_figures *g); /* new reference */

#endif
