/* SPDX-License-Identifier: MIT */
/*
 * warn - what a sync noticed that does not refuse it: figures for people, bounded in number.
 *
 * Session's thread, inside the sync's transaction.
 */
#ifndef CS_SYNC_WARN_H
#define CS_SYNC_WARN_H

#include <jansson.h>

#include "worker/sync/diff.h"
#include "worker/sync/guard.h"
#include "worker/sync/snapshot_load.h"
#include "worker/sync/sync.h"

#define WARN_LIST_MAX 20 /* symbols, or universes, in one warning */

struct warn_input {
    PGconn *conn;
    const struct sync_request *req;
    const struct rules_limits *limits;
    const struct snapshot *snap;
    const struct snapshot_caps *caps;
    const struct diff *diff;
    const struct guard_figures *guard;
    bool computed; /* market caps are those of this run's closes, against stored ones of the last */
};

/*
 * Collect what docs/rules.md lists. Each is {"severity","error_code","message","context"}; "info" is for what every night
 * brings, "warning" for what somebody should look at.
 * out  gives a new reference to an array; NULL on an error.
 */
enum cs_rc warn_collect(const struct warn_input *in, json_t **out, struct cs_err *err) CS_MUSTCHECK;

#endif
