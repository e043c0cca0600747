/* SPDX-License-Identifier: MIT */
/*
 * lock - one sync of an environment at a time: PostgreSQL's advisory lock, held until the transaction ends.
 *
 * Who gets here was told by Redis that no living worker syncs the environment. A worker that was frozen between two
 * statements is ended by idle_in_transaction_session_timeout; one that was frozen inside a COPY or while it read rows is not,
 * since a statement runs. Its session is ended here. Session's thread.
 */
#ifndef CS_SYNC_LOCK_H
#define CS_SYNC_LOCK_H

#include "worker/sync/pg.h"
#include "worker/sync/sync.h"

/*
 * Take the lock inside the transaction that conn has open; waits for at most opts->lock_timeout_ms (0: for ever).
 *
 * *ended   counts up the sessions that were ended: of the same role, waiting for their client for a lease in one statement.
 * Returns  CS_OK; CS_EDB with SQLSTATE 55P03 when the wait was too long; CS_ECANCELED when req->stopped said so; as pg_query.
 */
enum cs_rc lock_environment(PGconn *conn, const struct sync_opts *opts, const struct sync_request *req,
                            int *ended, struct cs_err *err) CS_MUSTCHECK;

#endif
