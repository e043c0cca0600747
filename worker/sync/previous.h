/* SPDX-License-Identifier: MIT */
/*
 * previous - the rows of cache_entries that may be ours, as they stand before a sync, and whose they are.
 *
 * A row is ours when an earlier sync recorded it (cache_sync_rows) or the rules name it. Session's thread.
 */
#ifndef CS_SYNC_PREVIOUS_H
#define CS_SYNC_PREVIOUS_H

#include "common/mem.h"
#include "worker/sync/pg.h"
#include "worker/sync/rules.h"
#include "worker/sync/snapshot.h"

struct previous_row {
    const char *type, *name, *key, *cache_type;
    const char *universe; /* canonical name; NULL: neither recorded nor named by a rule without a partition */
    const char *updated_at; /* of our last write, RFC 3339; "" when not recorded */
    const char *digest;     /* of our last write; "" when not recorded */
    const char **members;   /* as readers see them, in their order; none when the row is gone */
    size_t member_count;
    bool exists, recorded;
    bool trusted; /* recorded, there, and untouched since (xmin) */
};

struct previous {
    size_t count;
    struct previous_row *rows; /* by type, name and key, in byte order */
    struct cs_arena *arena;    /* owns the texts */
};

/* Read the rows of an environment. prev is the caller's to previous_fini, also after an error. */
enum cs_rc previous_load(PGconn *conn, const struct sync_rules *rules, const char *environment,
                         struct previous *prev, struct cs_err *err) CS_MUSTCHECK;
void previous_fini(struct previous *prev);

/* The row of that name, or NULL. */
const struct previous_row *previous_find(const struct previous *prev, const struct rules_output *output);

/* The row that tells a universe's members: the first of its outputs that is there, else one recorded, else
 * NULL. */
const struct previous_row *previous_of(const struct previous *prev, const char *universe,
                                       const struct rules_output *outputs, size_t count);

/* Room for previous_ids; {0} to begin with, its ids to free() at the end. */
struct previous_scratch {
    uint32_t *ids;
};

/*
 * Sorted ids of a universe's members that the snapshot holds, for buffers. *count 0 when its row is not there.
 * Borrowed until the next call with the same scratch.
 */
const uint32_t *previous_ids(const struct previous *prev, const struct snapshot *snap, const char *universe,
                             struct previous_scratch *scratch, size_t *count);

/*
 * The strings of a JSON array, as PostgreSQL writes jsonb; whatever else it holds is left out.
 * out    gives an array in the arena; *count its length.
 * false  when memory is short.
 */
bool previous_members(struct cs_arena *arena, const char *json, const char ***out, size_t *count);

#endif
