/* SPDX-License-Identifier: MIT */
/*
 * explain - why a symbol is in a universe or not: the rules against the market as it stands, and the rows.
 *
 * Opens a connection of its own and only reads. Any one thread.
 */
#ifndef CS_SYNC_EXPLAIN_H
#define CS_SYNC_EXPLAIN_H

#include <jansson.h>

#include "common/err.h"
#include "worker/sync/rules.h"

struct explain_request {
    const char *database_uri;
    const char *environment;
    const char *symbol;
};

/*
 * out  gives a new reference, NULL on an error:
 *      {"symbol","name","environment","market_date","active","type","market_cap","rank","sector","industry","list_date",
 *       "universes": [{"universe","family","member","row","rank","members","reason",
 *                      "conditions":[{"condition","holds","figures"}]}, ...]}
 *      A universe for each rule, of a partition that of the symbol's own value. member: what the rules say now; row: what
 *      cache_entries says. rank and members are null where there are none.
 * Returns  CS_OK; CS_ENOTFOUND when symbols has no such row; CS_EDOWN; CS_EDB; CS_ENOMEM.
 */
enum cs_rc explain_symbol(const struct explain_request *req, const struct sync_rules *rules, json_t **out,
                          struct cs_err *err) CS_MUSTCHECK;

#endif
