/* SPDX-License-Identifier: MIT */
/*
 * lock - see lock.h. Waits in slices, and looks between them at who holds the lock.
 */
#include "worker/sync/lock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

#define SLICES 4u /* looks in a lease */
#define PLACE "hashtext('cachesync:environment'), hashtext($1)"

static enum cs_rc
try_lock(PGconn *conn, const char *environment, bool *taken, struct cs_err *err)
{
    PGresult *res = NULL;
    enum cs_rc rc = pg_query(conn, "taking the lock of the environment",
                             "SELECT pg_try_advisory_xact_lock(" PLACE ")", 1, &environment, &res, err);
    *taken = rc == CS_OK && *PQgetvalue(res, 0, 0) == 't';
    PQclear(res);
    return rc;
}

/* What the first look of a transaction saw of other sessions stays as it was, unless it is cleared. */
static enum cs_rc
end_frozen(PGconn *conn, const char *environment, uint32_t lease_ms, int *ended, struct cs_err *err)
{
    PGresult *res = NULL;
    char lease[16];
    snprintf(lease, sizeof lease, "%" PRIu32, lease_ms);
    enum cs_rc rc =
        pg_exec(conn, "looking at the lock of the environment", "SELECT pg_stat_clear_snapshot()", err);
    if (rc == CS_OK)
        rc = pg_query(
            conn, "looking at the lock of the environment",
            "SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
            "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 "
            "AND l.classid = hashtext('cachesync:environment')::oid AND l.objid = hashtext($1)::oid "
            "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND a.usename = current_user AND a.state = 'active' AND a.wait_event_type = 'Client' "
            "AND a.state_change < clock_timestamp() - $2 * interval '1 ms'",
            2, (const char *[]){environment, lease}, &res, err);
    *ended += rc == CS_OK ? PQntuples(res) : 0;
    PQclear(res);
    return rc;
}

/* 55P03 when the slice is over; the transaction goes on all the same. */
static enum cs_rc
wait_slice(PGconn *conn, const char *environment, uint32_t slice_ms, uint32_t timeout_ms, struct cs_err *err)
{
    char begin[80], end[80];
    snprintf(begin, sizeof begin, "SAVEPOINT waiting; SET LOCAL lock_timeout = %" PRIu32, slice_ms);
    snprintf(end, sizeof end, "SET LOCAL lock_timeout = %" PRIu32 "; RELEASE waiting", timeout_ms);
    enum cs_rc rc = pg_exec(conn, "waiting for other syncs of the environment", begin, err);
    if (rc != CS_OK)
        return rc;
    rc = pg_query(conn, "waiting for other syncs of the environment",
                  "SELECT pg_advisory_xact_lock(" PLACE ")", 1, &environment, NULL, err);
    if (rc == CS_OK)
        return pg_exec(conn, "waiting for other syncs of the environment", end, err);
    if (rc == CS_EDB && strcmp(err->sqlstate, "55P03") == 0) {
        struct cs_err undo;
        enum cs_rc undone = pg_exec(conn, "waiting for other syncs of the environment",
                                    "ROLLBACK TO waiting; RELEASE waiting", &undo);
        if (undone != CS_OK) {
            *err = undo;
            return undone;
        }
    }
    return rc;
}

enum cs_rc
lock_environment(PGconn *conn, const struct sync_opts *opts, const struct sync_request *req, int *ended,
                 struct cs_err *err)
{
    int64_t over_us = cs_clock_mono_us() + (int64_t)opts->lock_timeout_ms * 1000;
    bool taken = false;
    enum cs_rc rc = try_lock(conn, req->environment, &taken, err);
    while (rc == CS_OK && !taken) {
        rc = end_frozen(conn, req->environment, opts->lease_ms, ended, err);
        if (rc == CS_OK)
            rc = wait_slice(conn, req->environment, opts->lease_ms / SLICES + 1, opts->lock_timeout_ms, err);
        taken = rc == CS_OK;
        if (req->stopped && req->stopped(req->arg))
            return cs_err_code(err, CS_ECANCELED, "cancelled",
                               "the sync was cancelled while it waited for another of its environment");
        if (rc == CS_EDB && strcmp(err->sqlstate, "55P03") == 0 &&
            (!opts->lock_timeout_ms || cs_clock_mono_us() < over_us))
            rc = CS_OK;
    }
    return rc;
}
