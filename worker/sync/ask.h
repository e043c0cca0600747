/* SPDX-License-Identifier: MIT */
/*
 * ask - one question to the database for a program that knows no libpq. Any thread.
 */
#ifndef CS_SYNC_ASK_H
#define CS_SYNC_ASK_H

#include <jansson.h>
#include <stdint.h>

#include "common/err.h"

struct sync_ask {
    const char *database_uri;
    const char *application_name;
    uint32_t statement_timeout_ms; /* 0: none */
};

/*
 * Connect, run one statement with text parameters (NULL: SQL NULL), disconnect.
 *
 * what     names the question in an error.
 * rows     gives an array of objects on CS_OK: column -> text, NULL as null, columns in their order.
 * Returns  CS_OK; CS_EDOWN; CS_EDB with err->sqlstate.
 */
enum cs_rc sync_ask(const struct sync_ask *how, const char *what, const char *sql, int count,
                    const char *const *params, json_t **rows, struct cs_err *err) CS_MUSTCHECK;

#endif
