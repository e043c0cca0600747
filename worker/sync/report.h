/* SPDX-License-Identifier: MIT */
/*
 * report - the recorded result of a sync (struct sync_result's doc) from what it computed. Session's thread.
 */
#ifndef CS_SYNC_REPORT_H
#define CS_SYNC_REPORT_H

#include "worker/sync/apply.h"
#include "worker/sync/guard.h"

struct report_input {
    const struct sync_request *req;
    const struct sync_rules *rules;
    const struct snapshot *snap;
    const struct snapshot_caps *caps;
    const struct guard_figures *guard;
    const struct previous *prev;
    const struct diff *diff;
    const struct apply_counts *rows;
    int64_t caps_changed, caps_significant;
    uint32_t mask;
    const bool *announce; /* by id: enters recent_ipos for the first time */
    json_t *warnings;     /* array, of warn_collect */
    json_t *timings;      /* object: phase -> ms */
    const char *started_at, *now;
};

json_t *report_build(const struct report_input *in); /* new reference */

#endif
