/* SPDX-License-Identifier: MIT */
/*
 * inspect - judges a database for the command line's doctor: schema, rights, indexes, settings, market data. Changes
 * nothing. Any one thread.
 */
#ifndef CS_SYNC_INSPECT_H
#define CS_SYNC_INSPECT_H

#include <stdint.h>

#include "common/err.h"
#include "worker/sync/rules.h"

enum inspect_verdict { INSPECT_OK, INSPECT_WARNING, INSPECT_PROBLEM };

/* One finding. check: "database.schema" ...; remedy NULL: none is needed. Borrowed until return. */
typedef void inspect_found(void *arg, enum inspect_verdict verdict, const char *check, const char *message,
                           const char *remedy);

struct inspect_request {
    const char *database_uri;
    const char *environment;
    const struct rules_limits *limits; /* what the market data is judged by */
    int64_t connections;               /* that the daemon will open */
    int64_t (*now_ms)(void);           /* wall time, compared with the server's */
    inspect_found *found;              /* called once or more for every check, in order */
    void *arg;
};

/* Run all checks that the database lets us run; a server that cannot be reached is a finding too. */
void inspect_database(const struct inspect_request *req);

#endif
