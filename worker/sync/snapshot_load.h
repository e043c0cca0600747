/* SPDX-License-Identifier: MIT */
/*
 * snapshot_load - fills a snapshot from PostgreSQL: one COPY of one query. Session's thread.
 */
#ifndef CS_SYNC_SNAPSHOT_LOAD_H
#define CS_SYNC_SNAPSHOT_LOAD_H

#include "worker/sync/pg.h"
#include "worker/sync/snapshot.h"
#include "worker/sync/step.h"

/* What the load counted beside the columns. */
struct snapshot_caps {
    int64_t active_stocks;    /* active rows of type CS */
    int64_t closed_stocks;    /* of those, with a usable close on the market date */
    int64_t priced;           /* rows whose cap could be computed */
    int64_t overflow;         /* rows whose product is beyond bigint; the stored cap stays */
    char overflow_symbol[24]; /* the first of them */
};

struct snapshot_opts {
    const char *as_of; /* YYYY-MM-DD, valid; NULL: the newest closes */
    bool compute;      /* rank by latest close x shares where both are usable; false: by the stored cap */
    /*
     * An environment: its members that are inactive or unknown come too, without SNAPSHOT_ACTIVE and outside the
     * ranking. NULL: active symbols only.
     */
    const char *with_members_of;
    const char *with_symbol; /* the same for one symbol that has a row in symbols; NULL: none */
    size_t expected;         /* rows, for step; 0: not known */
    struct step step;
};

/* The statement: a COPY of the columns that snapshot.c names. Gives a string to free(); NULL when memory is short. */
char *snapshot_statement(PGconn *conn, const struct snapshot_opts *opts);

/*
 * Load the market.
 * out      gives a snapshot to snapshot_free.
 * Returns  CS_OK; CS_EINVAL for a bad date; CS_ENOMEM; as pg_exec.
 */
enum cs_rc snapshot_load(PGconn *conn, const struct snapshot_opts *opts, struct snapshot **out,
                         struct snapshot_caps *caps, struct cs_err *err) CS_MUSTCHECK;
void snapshot_free(struct snapshot *snap);

#endif
