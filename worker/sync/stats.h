/* SPDX-License-Identifier: MIT */
/*
 * stats - figures of the whole market, from a snapshot. Pure. Any thread.
 */
#ifndef CS_SYNC_STATS_H
#define CS_SYNC_STATS_H

#include "worker/sync/snapshot.h"
#include "worker/sync/write.h"

/* The figures of the stats row: stocks that rank. An exchange or sector that is not known does not count. */
struct write_stats stats_of(const struct snapshot *snap);

/* Symbols whose cap was computed and differs from the stored one by more than a share of it. */
int64_t stats_significant(const struct snapshot *snap, double share);

#endif
