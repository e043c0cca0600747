/* SPDX-License-Identifier: MIT */
/*
 * write - the JSON of a row of cache_entries, streamed either into a digest or into a COPY. Session's thread.
 */
#ifndef CS_SYNC_WRITE_H
#define CS_SYNC_WRITE_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "worker/sync/select.h"

/* stats row: figures of the whole market. */
struct write_stats {
    int64_t total_stocks, unique_exchanges, unique_sectors;
    __int128 total_market_cap; /* caps are bigint: their sum may not be */
};

/* A row to write. sel is NULL for the stats row. */
struct write_row {
    const struct snapshot *snap;
    const struct selected *sel;
    const struct rules_output *output;
    const struct write_stats *stats;
};

/*
 * 128-bit digest of the content, last_updated aside, as 32 hexadecimal digits. Returns the bytes of its texts, which jsonb
 * needs at least.
 */
uint64_t write_digest(const struct write_row *row, char out[33]);

/* A writer into the COPY that runs on conn, borrowed. */
struct write_copy *write_copy_open(PGconn *conn);

/* Nothing more is sent, and the close says that it failed. NULL is fine. */
void write_copy_give_up(struct write_copy *copy);

/* Hand over what is left and free it. false when the connection failed at any time. NULL is fine. */
bool write_copy_close(struct write_copy *copy);

/* The value of a row as one field. Returns its size in bytes of JSON. */
uint64_t write_copy_value(struct write_copy *copy, const struct write_row *row, const char *last_updated);

void write_copy_text(struct write_copy *copy, const char *text); /* a field; NULL: SQL NULL */
void write_copy_next(struct write_copy *copy, bool end_of_line); /* between fields, after the last */

/* A line of texts. */
void write_copy_line(struct write_copy *copy, const char *const *fields, size_t count);

#endif
