/* SPDX-License-Identifier: MIT */
/*
 * migrate - see migrate.h. Walks the compiled-in steps; knows nothing of what is in them.
 */
#include "worker/sync/migrate.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/embed.h"
#include "worker/sync/pg.h"

#define SQL_DIR "deploy/sql/"
#define UP_SUFFIX ".up.sql"
#define DOWN_SUFFIX ".down.sql"
#define NAME_BYTES 128
/* ALTER TABLE waits for readers, and other readers wait behind it: give up rather than stop the house. */
#define LOCK_TIMEOUT_MS 10000u
#define ADVISORY_LOCK "SELECT pg_advisory_xact_lock(hashtextextended('cachesync migrate', 0))"

/* The version of "deploy/sql/NNNN_name.up.sql"; 0 for any other file. name: NNNN_name, NAME_BYTES. */
static int
step_of(const struct cs_embed *file, char *name)
{
    size_t dir = strlen(SQL_DIR), suffix = strlen(UP_SUFFIX), len = strlen(file->name);

    if (len <= dir + suffix || len - dir - suffix >= NAME_BYTES || strncmp(file->name, SQL_DIR, dir) != 0 ||
        strcmp(file->name + len - suffix, UP_SUFFIX) != 0)
        return 0;
    snprintf(name, NAME_BYTES, "%.*s", (int)(len - dir - suffix), file->name + dir);
    return (int)strtol(name, NULL, 10);
}

/* The file of a version and its name; NULL when there is none. */
static const struct cs_embed *
find_step(int version, char *name)
{
    for (size_t i = 0; i < cs_embed_count; i++)
        if (step_of(&cs_embed_files[i], name) == version)
            return &cs_embed_files[i];
    return NULL;
}

int
migrate_latest(void)
{
    char name[NAME_BYTES];
    int latest = 0;

    for (size_t i = 0; i < cs_embed_count; i++) {
        int version = step_of(&cs_embed_files[i], name);

        if (version > latest)
            latest = version;
    }
    return latest;
}

static enum cs_rc
version_table_exists(PGconn *conn, bool *exists, struct cs_err *err)
{
    PGresult *res = NULL;
    enum cs_rc rc = pg_query(conn, "look for cachesync_schema",
                             "SELECT to_regclass('cachesync_schema') IS NOT NULL", 0, NULL, &res, err);

    if (rc == CS_OK)
        *exists = PQgetvalue(res, 0, 0)[0] == 't';
    PQclear(res);
    return rc;
}

static enum cs_rc
read_version(PGconn *conn, int *version, struct cs_err *err)
{
    PGresult *res = NULL;
    bool exists = false;
    enum cs_rc rc = version_table_exists(conn, &exists, err);

    *version = 0;
    if (rc != CS_OK || !exists)
        return rc;
    rc = pg_query(conn, "read cachesync_schema", "SELECT coalesce(max(version), 0) FROM cachesync_schema", 0,
                  NULL, &res, err);
    if (rc == CS_OK)
        *version = (int)strtol(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return rc;
}

/* Steps may run again: what was lost since (a table restored from elsewhere) comes back. */
static enum cs_rc
step_up(PGconn *conn, int version, struct cs_err *err)
{
    char name[NAME_BYTES], number[16];
    const char *params[] = {number, name};
    const struct cs_embed *file = find_step(version, name);
    enum cs_rc rc;

    if (file == NULL)
        return cs_err_set(err, CS_EINVAL, "the program lacks schema step %d: it was built wrongly", version);
    rc = pg_exec(conn, name, file->text, err);
    if (rc != CS_OK)
        return rc;
    snprintf(number, sizeof number, "%d", version);
    return pg_query(
        conn, "record the schema version",
        "INSERT INTO cachesync_schema (version, name) VALUES ($1::int, $2) ON CONFLICT DO NOTHING", 2, params,
        NULL, err);
}

static enum cs_rc
step_down(PGconn *conn, int version, struct cs_err *err)
{
    char name[NAME_BYTES], path[NAME_BYTES + 32], number[16];
    const char *params[] = {number};
    const struct cs_embed *file = NULL;
    bool exists = false;
    enum cs_rc rc;

    if (find_step(version, name) != NULL) {
        snprintf(path, sizeof path, SQL_DIR "%s" DOWN_SUFFIX, name);
        file = cs_embed_find(path);
    }
    if (file == NULL)
        return cs_err_set(err, CS_EINVAL, "the program lacks the way down from schema %d", version);
    rc = pg_exec(conn, name, file->text, err);
    if (rc == CS_OK)
        rc = version_table_exists(conn, &exists, err);
    if (rc != CS_OK || !exists)
        return rc;
    snprintf(number, sizeof number, "%d", version);
    return pg_query(conn, "record the schema version", "DELETE FROM cachesync_schema WHERE version = $1::int",
                    1, params, NULL, err);
}

/* Inside the transaction, under the lock. */
static enum cs_rc
run_steps(PGconn *conn, int target, struct migrate_report *report, struct cs_err *err)
{
    int latest = migrate_latest();
    enum cs_rc rc = read_version(conn, &report->from, err);

    if (rc != CS_OK)
        return rc;
    if (report->from > latest)
        return cs_err_code(err, CS_EINVAL, "schema_too_new",
                           "the database has schema %d and this program knows %d: use a newer program",
                           report->from, latest);
    if (target >= report->from) {
        for (int version = 1; rc == CS_OK && version <= target; version++)
            rc = step_up(conn, version, err);
        report->applied = target - report->from;
    } else {
        for (int version = report->from; rc == CS_OK && version > target; version--)
            rc = step_down(conn, version, err);
        report->applied = report->from - target;
    }
    report->to = target;
    return rc;
}

static PGconn *
open_database(const char *database_uri, struct cs_err *err)
{
    struct pg_opts opts = {
        .uri = database_uri, .application_name = "cachesync migrate", .lock_timeout_ms = LOCK_TIMEOUT_MS};

    return pg_connect(&opts, err);
}

enum cs_rc
migrate_run(const char *database_uri, int target, struct migrate_report *report, struct cs_err *err)
{
    PGconn *conn;
    enum cs_rc rc;

    *report = (struct migrate_report){0};
    if (target == MIGRATE_LATEST)
        target = migrate_latest();
    if (target < 0 || target > migrate_latest())
        return cs_err_set(err, CS_EINVAL, "there is no schema %d: this program knows 0 to %d", target,
                          migrate_latest());
    conn = open_database(database_uri, err);
    if (conn == NULL)
        return CS_EDOWN;
    rc = pg_exec(conn, "begin", "BEGIN", err);
    if (rc == CS_OK)
        rc = pg_exec(conn, "wait for another migration", ADVISORY_LOCK, err);
    if (rc == CS_OK)
        rc = run_steps(conn, target, report, err);
    if (rc == CS_OK)
        rc = pg_exec(conn, "commit", "COMMIT", err);
    PQfinish(conn); /* rolls back what was not committed */
    return rc;
}

enum cs_rc
migrate_version(const char *database_uri, int *version, struct cs_err *err)
{
    PGconn *conn = open_database(database_uri, err);
    enum cs_rc rc;

    *version = 0;
    if (conn == NULL)
        return CS_EDOWN;
    rc = read_version(conn, version, err);
    PQfinish(conn);
    return rc;
}
