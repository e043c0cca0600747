/* SPDX-License-Identifier: MIT */
/*
 * write - the JSON of a row of cache_entries, streamed either into a digest or into a COPY. Session's thread.
 */
#ifndef CS_SYNC_WRITE_H
#define CS_SYNC_WRITE_H

#include <libpq-fe.h>

#include "worker/sync/select.h"

/* stats row: figures of the whole market. */
struct write_stats {
    int64_t total_stocks, unique_exchanges, unique_sectors;
    double total_market_cap; /* exact below 2^53, as JSON readers see it */
};

/* A row to write. sel is NULL for the stats row. */
struct write_row {
    const struct snapshot *snap;
    const struct selected *sel;
    const struct rules_output *output;
    const struct write_stats *stats;
};

/* 128-bit digest of the content, last_updated aside, as 32 hexadecimal digits. */
void write_digest(const struct write_row *row, char out[33]);

/* Send the value as one text field of a COPY (escaped, no separator). false when the connection failed. */
bool write_copy(PGconn *conn, const struct write_row *row, const char *last_updated);

/* Send plain text as one field of a COPY, escaped. false when the connection failed. */
bool write_copy_text(PGconn *conn, const char *text);

#endif
