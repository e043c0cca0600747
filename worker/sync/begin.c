/* SPDX-License-Identifier: MIT */
/*
 * begin - see begin.h. Session's thread.
 */
#include "worker/sync/begin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/failpoint.h"
#include "worker/sync/lock.h"
#include "worker/sync/migrate.h"

/* The server converts its texts to UTF-8, which all that is written from here on relies on; SQL_ASCII it hands over as it is. */
static enum cs_rc
check_encoding(PGconn *conn, struct cs_err *err)
{
    const char *encoding = PQparameterStatus(conn, "server_encoding");
    if (!encoding || strcmp(encoding, "SQL_ASCII") != 0)
        return CS_OK;
    return cs_err_code(
        err, CS_EINVAL, "unsupported_encoding",
        "the database has encoding SQL_ASCII, whose texts may be anything; create it with ENCODING "
        "'UTF8' and restore into that");
}

/* The schema must be this program's: an older one lacks tables, a newer one may mean them differently. */
static enum cs_rc
check_schema(PGconn *conn, const char *application_name, const char *job_id, struct cs_err *err)
{
    PGresult *res = NULL;
    char name[100]; /* who looks at pg_stat_activity sees whose statement it is */
    snprintf(name, sizeof name, "%s %s", application_name, job_id);
    enum cs_rc rc = pg_query(conn, "reading the schema version",
                             "SELECT coalesce(max(version), 0), set_config('application_name', $1, true), "
                             "pg_is_in_recovery() FROM cachesync_schema",
                             1, (const char *[]){name}, &res, err);
    int latest = migrate_latest();
    int version = rc == CS_OK ? (int)strtol(PQgetvalue(res, 0, 0), NULL, 10) : latest;
    bool standby = rc == CS_OK && *PQgetvalue(res, 0, 2) == 't';
    PQclear(res);
    if (standby) /* it takes no writes, and may lack the newest runs */
        return cs_err_set(err, CS_EDOWN,
                          "the server is a standby; promote it, or add target_session_attrs=read-write to "
                          "DATABASE_URI");
    if (rc == CS_EDB && strcmp(err->sqlstate, "42P01") == 0)
        return cs_err_code(err, CS_EINVAL, "schema_missing",
                           "the database lacks our tables; run: cachesync migrate");
    if (version < latest)
        return cs_err_code(err, CS_EINVAL, "schema_missing",
                           "the database has schema %d and this program needs %d; run: cachesync migrate",
                           version, latest);
    if (version > latest)
        return cs_err_code(err, CS_EINVAL, "schema_too_new",
                           "the database has schema %d and this program knows %d; use a newer program",
                           version, latest);
    return rc;
}

/*
 * One instant dates all that a sync writes. It is taken from the server under the lock, and later than the last
 * sync's even if a clock was set back, so that the log folds in the order of the syncs.
 */
static const char begin_sql[] =
    "SELECT to_char(greatest(date_trunc('milliseconds', clock_timestamp()), (SELECT max(committed_at) + "
    "interval '1 ms' FROM cache_sync_runs WHERE environment = $1)) AT TIME ZONE 'UTC', "
    "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), (SELECT result::text FROM cache_sync_runs WHERE job_id = $2), "
    "(SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass('symbols')), "
    "(SELECT environment FROM cache_sync_runs WHERE job_id = $2 AND environment <> $1)";

static enum cs_rc
look_for_run(PGconn *conn, const char *const *params, struct begin_result *out, struct cs_err *err)
{
    PGresult *res = NULL;
    enum cs_rc rc = pg_query(conn, "looking for the run", begin_sql, 2, params, &res, err);
    out->looked = rc == CS_OK;
    if (rc == CS_OK) {
        snprintf(out->now, sizeof out->now, "%s", PQgetvalue(res, 0, 0));
        out->expected_symbols = strtoll(PQgetvalue(res, 0, 2), NULL, 10);
    }
    /* Job ids of two streams can be alike; what another environment got is no answer to this command. */
    if (rc == CS_OK && !PQgetisnull(res, 0, 3)) {
        rc = cs_err_code(err, CS_EINVAL, "job_id_taken",
                         "another job of this id was recorded for environment %s; send the command again, "
                         "without a job_id or with a new one",
                         PQgetvalue(res, 0, 3));
    } else if (rc == CS_OK && !PQgetisnull(res, 0, 1)) {
        out->stored = json_loads(PQgetvalue(res, 0, 1), 0, NULL);
        out->looked = out->stored != NULL;
        if (!out->stored)
            rc = cs_err_set(err, CS_ENOMEM, "no memory to read the recorded result of the job");
    }
    PQclear(res);
    return rc;
}

enum cs_rc
begin_sync(PGconn *conn, const struct sync_opts *opts, const struct sync_request *req,
           struct begin_result *out, struct cs_err *err)
{
    const char *params[] = {req->environment, req->job_id};
    if (CS_FAILPOINT("sync.before_begin"))
        return cs_err_set(err, CS_EDOWN, "fail point before BEGIN");
    enum cs_rc rc = pg_exec(conn, "BEGIN", "BEGIN", err);
    if (rc == CS_OK)
        rc = check_encoding(conn, err);
    if (rc == CS_OK)
        rc = check_schema(conn, opts->application_name, req->job_id, err);
    if (rc == CS_OK)
        rc = lock_environment(conn, opts, req, &out->ended, err);
    if (rc == CS_OK && CS_FAILPOINT("sync.after_lock"))
        rc = cs_err_set(err, CS_EDOWN, "fail point after the lock");
    return rc == CS_OK ? look_for_run(conn, params, out, err) : rc;
}
