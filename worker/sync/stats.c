/* SPDX-License-Identifier: MIT */
/*
 * stats - see stats.h. Any thread.
 */
#include "worker/sync/stats.h"

#include <math.h>
#include <stdlib.h>

#include "common/mem.h"

struct write_stats
stats_of(const struct snapshot *snap)
{
    struct write_stats t = {0};
    bool *exchange = cs_xcalloc(snap->texts.count, 1), *sector = cs_xcalloc(snap->sectors.count, 1);
    for (size_t i = 0; i < snap->ranking_count; i++) {
        uint32_t id = snap->ranking[i];
        if (!snapshot_is_stock(snap, id))
            continue;
        t.total_stocks++;
        t.total_market_cap += snap->cap[id];
        exchange[snap->exchange[id]] = sector[snap->sector[id]] = true;
    }
    for (uint32_t i = 1; i < snap->texts.count; i++)
        t.unique_exchanges += exchange[i];
    for (uint32_t i = 1; i < snap->sectors.count; i++)
        t.unique_sectors += sector[i];
    free(exchange);
    free(sector);
    return t;
}

int64_t
stats_significant(const struct snapshot *snap, double share)
{
    int64_t n = 0;
    for (size_t i = 0; i < snap->count; i++) {
        int64_t was = snap->stored_cap[i];
        if ((snap->flags[i] & SNAPSHOT_PRICED) && was > 0)
            n += fabs((double)snap->cap[i] / (double)was - 1) > share;
    }
    return n;
}
