/* SPDX-License-Identifier: MIT */
/*
 * snapshot - the market as columns: one row a symbol, sorted by symbol bytes; the row number is the symbol's id.
 *
 * Read in one COPY of one query (symbols with the latest close of each joined by index). Texts that repeat
 * are interned; everything lives in one arena and is read-only once loaded. Session's thread.
 */
#ifndef CS_SYNC_SNAPSHOT_H
#define CS_SYNC_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/mem.h"

#define SNAPSHOT_NO_DATE INT32_MIN

enum snapshot_flag {
    SNAPSHOT_ACTIVE = 1,
    SNAPSHOT_STOCK = 2,   /* type CS */
    SNAPSHOT_ETF = 4,     /* type ETF */
    SNAPSHOT_CLOSED = 8,  /* has a usable close on the market date */
    SNAPSHOT_PRICED = 16, /* cap is latest close x shares */
};

/* Interned texts: id 0 is missing (NULL, '' or, for sector and industry, 'Unknown') and reads as "Unknown". */
struct snapshot_dict {
    uint32_t count;     /* ids are 0..count-1 */
    const char **texts; /* texts[0] is "Unknown" */
};

struct snapshot {
    size_t count;
    int32_t market_date; /* days since 1970; SNAPSHOT_NO_DATE when no symbol has a usable close */
    const char **symbol;
    const char **name;                               /* "Unknown" when missing */
    uint32_t *sector, *industry;                     /* ids in the dictionaries below */
    uint32_t *exchange, *market, *etf_type, *issuer; /* ids in texts */
    int64_t *cap; /* dollars that rank; for an ETF without one, AUM in dollars; 0 when neither. >= 0 for ETFs
                     only by rule */
    int64_t *stored_cap; /* symbols.market_cap as it stood; INT64_MIN when NULL */
    int32_t *list_date;  /* days since 1970, or SNAPSHOT_NO_DATE */
    uint8_t *flags;      /* enum snapshot_flag */
    struct snapshot_dict sectors, industries, texts;
    uint32_t *ranking; /* ids of active stocks with cap > 0 and of active ETFs, by cap, then symbol */
    size_t ranking_count;
    struct cs_arena *arena;
};

#define SNAPSHOT_NONE UINT32_MAX

/* The id of a symbol, or SNAPSHOT_NONE. O(log n). */
uint32_t snapshot_find(const struct snapshot *snap, const char *symbol, size_t len_bytes);

/* Whether the row may be a member: an active stock with cap > 0. Active ETFs are those with ACTIVE and ETF. */
static inline bool
snapshot_is_stock(const struct snapshot *snap, uint32_t id)
{
    return (snap->flags[id] & (SNAPSHOT_ACTIVE | SNAPSHOT_STOCK)) == (SNAPSHOT_ACTIVE | SNAPSHOT_STOCK) &&
           snap->cap[id] > 0;
}

static inline bool
snapshot_is_etf(const struct snapshot *snap, uint32_t id)
{
    return (snap->flags[id] & (SNAPSHOT_ACTIVE | SNAPSHOT_ETF)) == (SNAPSHOT_ACTIVE | SNAPSHOT_ETF);
}

#endif
