/* SPDX-License-Identifier: MIT */
/*
 * inspect_checks - what the files of inspect share.
 */
#ifndef CS_SYNC_INSPECT_CHECKS_H
#define CS_SYNC_INSPECT_CHECKS_H

#include <stdbool.h>

#include "worker/sync/inspect.h"
#include "worker/sync/pg.h"

struct inspect {
    const struct inspect_request *req;
    PGconn *conn;
};

/* Report one finding. remedy NULL: none. */
void inspect_say(const struct inspect *in, enum inspect_verdict verdict, const char *check,
                 const char *remedy, const char *fmt, ...) CS_PRINTF(5, 6);

/* Run sql with text parameters. Gives a result to PQclear, or NULL after reporting the failure as a problem of check. */
PGresult *inspect_ask(const struct inspect *in, const char *check, const char *sql, int count,
                      const char *const *params);

void inspect_columns(const struct inspect *in); /* the tables and columns of the schema are there */
void inspect_rights(const struct inspect *in);  /* what the user may do with them */
void inspect_indexes(const struct inspect *in);
void inspect_settings(const struct inspect *in);
void inspect_market(const struct inspect *in); /* newest closes, last sync */

#endif
