/* SPDX-License-Identifier: MIT */
/*
 * migrate - brings a database to the schema of this program, from the numbered SQL that is compiled in.
 *
 * deploy/sql/NNNN_name.up.sql and .down.sql; applied versions stand in cachesync_schema. One transaction for all, under
 * an advisory lock. Command line only; any one thread.
 */
#ifndef CS_SYNC_MIGRATE_H
#define CS_SYNC_MIGRATE_H

#include "common/err.h"

#define MIGRATE_LATEST (-1)

struct migrate_report {
    int from;    /* schema version before; 0: none */
    int to;      /* and after */
    int applied; /* steps run */
};

/*
 * Go to version target (MIGRATE_LATEST: the newest compiled in; lower than the current one: down).
 * Returns CS_OK; CS_EDOWN; CS_EDB; CS_EINVAL when the database is newer than the program (code schema_too_new) or target is unknown.
 */
enum cs_rc migrate_run(const char *database_uri, int target, struct migrate_report *report,
                       struct cs_err *err) CS_MUSTCHECK;

/* The schema version a database has (0: none). Changes nothing. Returns CS_OK; CS_EDOWN; CS_EDB. */
enum cs_rc migrate_version(const char *database_uri, int *version, struct cs_err *err) CS_MUSTCHECK;

/* The newest version compiled in. */
int migrate_latest(void);

#endif
