/* SPDX-License-Identifier: MIT */
/*
 * pg - libpq made strict: connections with every time-out set, statements with one error path.
 *
 * The only place that turns a libpq failure into a struct cs_err. A connection belongs to one thread at a time.
 */
#ifndef CS_SYNC_PG_H
#define CS_SYNC_PG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct pg_opts {
    const char *uri;
    const char *application_name;
    uint32_t connect_timeout_s;      /* 0: 5 */
    uint32_t idle_in_transaction_ms; /* 0: not set */
    uint32_t statement_timeout_ms;   /* 0: none */
    uint32_t lock_timeout_ms;        /* 0: none */
};

/*
 * Connect: keepalives, tcp_user_timeout, session time-outs, client_encoding UTF8, DateStyle ISO, TimeZone UTC, jit off.
 * Returns a connection to PQfinish, or NULL: CS_EDOWN (server cannot be reached or refuses), with URI masked and remedy.
 */
PGconn *pg_connect(const struct pg_opts *opts, struct cs_err *err);

/* Whether libpq can read the URI or key=value string; that somebody answers there is not asked. */
bool pg_can_read(const char *uri);

/* Failure of the last call on conn (or of res, when not NULL) as CS_EDOWN or CS_EDB with its SQLSTATE. Returns the code. */
enum cs_rc pg_error(PGconn *conn, const PGresult *res, const char *what, struct cs_err *err);

/* One statement without parameters or result, or several in one string. what names it in the error. */
enum cs_rc pg_exec(PGconn *conn, const char *what, const char *sql, struct cs_err *err) CS_MUSTCHECK;

/*
 * One statement with text parameters (NULL: SQL NULL).
 * *out   gives a result to PQclear when not NULL on entry; tuples or an empty result. NULL out: result dropped.
 */
enum cs_rc pg_query(PGconn *conn, const char *what, const char *sql, int count, const char *const *params,
                    PGresult **out, struct cs_err *err) CS_MUSTCHECK;

/*
 * The same, row by row, so that a large result is never held as a whole.
 * on_row  gets every row as a result of one tuple, borrowed; false: memory is short, and so says the error.
 */
enum cs_rc pg_each(PGconn *conn, const char *what, const char *sql, int count, const char *const *params,
                   bool (*on_row)(const PGresult *row, void *arg), void *arg,
                   struct cs_err *err) CS_MUSTCHECK;

#endif
