/* SPDX-License-Identifier: MIT */
/*
 * inspect - the server, its clock, the schema's version; then the tables, rights, settings and the data.
 */
#include "worker/sync/inspect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/sync/inspect_checks.h"
#include "worker/sync/migrate.h"

#define VERSION_MIN 140000
#define STATEMENT_TIMEOUT_MS 30000u
#define SKEW_WARNING_MS 2000

void
inspect_say(const struct inspect *in, enum inspect_verdict verdict, const char *check, const char *remedy,
            const char *fmt, ...)
{
    char message[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    in->req->found(in->req->arg, verdict, check, message, verdict == INSPECT_OK ? NULL : remedy);
}

PGresult *
inspect_ask(const struct inspect *in, const char *check, const char *sql, int count,
            const char *const *params)
{
    PGresult *res = NULL;
    struct cs_err err = {0};

    if (pg_query(in->conn, "cannot be checked", sql, count, params, &res, &err) == CS_OK)
        return res;
    inspect_say(in, INSPECT_PROBLEM, check, "see the message of PostgreSQL", "%s", err.msg);
    return NULL;
}

static void
check_version(const struct inspect *in)
{
    int version = PQserverVersion(in->conn);

    inspect_say(in, version >= VERSION_MIN ? INSPECT_OK : INSPECT_PROBLEM, "database.version",
                "use PostgreSQL 14 or newer", "PostgreSQL %d.%d, database %s, user %s", version / 10000,
                version % 10000, PQdb(in->conn), PQuser(in->conn));
}

static void
check_clock(const struct inspect *in)
{
    int64_t before_ms = in->req->now_ms(), skew_ms;
    PGresult *res = inspect_ask(in, "database.clock",
                                "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", 0, NULL);
    int64_t after_ms = in->req->now_ms();

    if (res == NULL)
        return;
    skew_ms = strtoll(PQgetvalue(res, 0, 0), NULL, 10) - (before_ms + after_ms) / 2;
    PQclear(res);
    inspect_say(in, llabs(skew_ms) <= SKEW_WARNING_MS ? INSPECT_OK : INSPECT_WARNING, "database.clock",
                "run an NTP client on both machines", "%+.3f s from this machine's clock",
                (double)skew_ms / 1000);
}

/* Returns whether the schema is worth a closer look. */
static bool
check_schema(const struct inspect *in)
{
    int version = 0, latest = migrate_latest();
    struct cs_err err = {0};

    if (migrate_version(in->req->database_uri, &version, &err) != CS_OK) {
        inspect_say(in, INSPECT_PROBLEM, "database.schema", "grant SELECT on cachesync_schema", "%s",
                    err.msg);
        return true;
    }
    if (version == latest)
        inspect_say(in, INSPECT_OK, "database.schema", NULL, "schema %d, the newest of this program",
                    version);
    else if (version == 0)
        inspect_say(in, INSPECT_PROBLEM, "database.schema", "run cachesync migrate", "no schema yet");
    else if (version < latest)
        inspect_say(in, INSPECT_PROBLEM, "database.schema", "run cachesync migrate",
                    "schema %d, this program needs %d", version, latest);
    else
        inspect_say(in, INSPECT_PROBLEM, "database.schema", "install a newer program",
                    "schema %d is newer than this program, which knows %d", version, latest);
    return version > 0;
}

void
inspect_database(const struct inspect_request *req)
{
    struct pg_opts opts = {.uri = req->database_uri,
                           .application_name = "cachesync doctor",
                           .statement_timeout_ms = STATEMENT_TIMEOUT_MS};
    struct cs_err err = {0};
    struct inspect in = {.req = req, .conn = pg_connect(&opts, &err)};

    if (in.conn == NULL) {
        inspect_say(&in, INSPECT_PROBLEM, "database", "start PostgreSQL, or correct DATABASE_URI", "%s",
                    err.msg);
        return;
    }
    check_version(&in);
    check_clock(&in);
    inspect_settings(&in);
    if (check_schema(&in)) {
        inspect_columns(&in);
        inspect_rights(&in);
        inspect_indexes(&in);
        inspect_market(&in);
    }
    PQfinish(in.conn);
}
