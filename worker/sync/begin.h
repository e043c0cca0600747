/* SPDX-License-Identifier: MIT */
/*
 * begin - opens the transaction of a sync: the right database, the lock of the environment, the instant, and whether the
 * job ran before.
 *
 * Session's thread.
 */
#ifndef CS_SYNC_BEGIN_H
#define CS_SYNC_BEGIN_H

#include <jansson.h>

#include "common/clock.h"
#include "worker/sync/pg.h"
#include "worker/sync/sync.h"

struct begin_result {
    char now[CS_TIME_LEN + 1]; /* dates all that this sync writes; later than that of the last one */
    json_t *stored;            /* result of the job's earlier commit; gives a reference; NULL: none */
    int64_t expected_symbols;  /* what the server's statistics say of symbols */
    bool looked;               /* whether the job ran before is known; also on failure */
    int ended;                 /* sessions of frozen workers that held the lock; also on failure */
};

/*
 * BEGIN, checks, lock (waits for other syncs of the environment).
 * opts     of the session; the job's id is added to application_name while the transaction lasts.
 * out      zeroed on entry.
 * Returns  as sync_run; out is filled on CS_OK.
 */
enum cs_rc begin_sync(PGconn *conn, const struct sync_opts *opts, const struct sync_request *req,
                      struct begin_result *out, struct cs_err *err) CS_MUSTCHECK;

#endif
