/* SPDX-License-Identifier: MIT */
/*
 * pg - see pg.h. Holds no state; a connection belongs to the thread that uses it.
 */
#include "worker/sync/pg.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"

#define CONNECT_TIMEOUT_S 5u
#define TCP_USER_TIMEOUT_MS 30000u
#define CHECK_INTERVAL_MS "5000"
#define CHECK_INTERVAL_SINCE 140000

/* SQLSTATEs that mean the server or the way to it, not the statement. A class of two characters, or all five. */
static const char *const down_states[] = {"08", "57P01", "57P02", "57P03", "57P05", "25P03", "53300"};

/* One line from libpq's text, which has several and ends in one. */
static void
one_line(char *out, size_t out_bytes, const char *text)
{
    size_t n = 0;
    bool space = false;

    for (; *text != '\0' && n + 2 < out_bytes; text++) {
        if (*text == '\n' || *text == '\t' || *text == '\r' || *text == ' ') {
            space = n > 0;
            continue;
        }
        if (space)
            out[n++] = ' ';
        space = false;
        out[n++] = *text;
    }
    out[n] = '\0';
}

static bool
state_is_down(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof down_states / sizeof down_states[0]; i++)
        if (strncmp(sqlstate, down_states[i], strlen(down_states[i])) == 0)
            return true;
    return false;
}

enum cs_rc
pg_error(PGconn *conn, const PGresult *res, const char *what, struct cs_err *err)
{
    const char *state = res != NULL ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = res != NULL ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    char text[400];
    enum cs_rc rc = CS_EDB;

    /* A failure without a SQLSTATE is libpq's own: the server said nothing, whatever libpq remembers of the link. */
    if (PQstatus(conn) != CONNECTION_OK || state == NULL || state_is_down(state))
        rc = CS_EDOWN;
    one_line(text, sizeof text, primary != NULL ? primary : PQerrorMessage(conn));
    if (text[0] == '\0')
        snprintf(text, sizeof text, "unexpected answer: %s", PQresStatus(PQresultStatus(res)));
    if (state != NULL)
        cs_err_set(err, rc, "%s: %s (SQLSTATE %s)", what, text, state);
    else
        cs_err_set(err, rc, "%s: %s", what, text);
    if (err != NULL && state != NULL)
        snprintf(err->sqlstate, sizeof err->sqlstate, "%s", state);
    return rc;
}

/* Notices ("already exists, skipping") would go to standard error, which is not libpq's to write. */
static void
on_pg_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

static enum cs_rc
set_session(PGconn *conn, const struct pg_opts *opts, struct cs_err *err)
{
    const struct {
        const char *name;
        uint32_t ms;
    } limits[] = {
        {"idle_in_transaction_session_timeout", opts->idle_in_transaction_ms},
        {"statement_timeout", opts->statement_timeout_ms},
        {"lock_timeout", opts->lock_timeout_ms},
    };
    char sql[512];
    int n = snprintf(sql, sizeof sql,
                     "SET client_min_messages = warning; SET DateStyle = ISO, YMD; "
                     "SET TimeZone = 'UTC'; SET jit = off");

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (limits[i].ms > 0)
            n += snprintf(sql + n, sizeof sql - (size_t)n, "; SET %s = %u", limits[i].name, limits[i].ms);
    if (PQserverVersion(conn) >= CHECK_INTERVAL_SINCE)
        snprintf(sql + n, sizeof sql - (size_t)n,
                 "; SELECT set_config('client_connection_check_interval', '" CHECK_INTERVAL_MS "', false)");
    return pg_exec(conn, "set up the session", sql, err);
}

/* Defaults stand before dbname, so that the URI may overrule them; what must hold stands after it. */
static PGconn *
open_connection(const struct pg_opts *opts)
{
    char connect_timeout[16], user_timeout[16];
    const char *names[] = {
        "connect_timeout",  "keepalives", "keepalives_idle",  "keepalives_interval", "keepalives_count",
        "tcp_user_timeout", "dbname",     "application_name", "client_encoding",     NULL};
    const char *values[] = {connect_timeout,        "1",    "30", "10", "3", user_timeout, opts->uri,
                            opts->application_name, "UTF8", NULL};

    snprintf(connect_timeout, sizeof connect_timeout, "%u",
             opts->connect_timeout_s > 0 ? opts->connect_timeout_s : CONNECT_TIMEOUT_S);
    snprintf(user_timeout, sizeof user_timeout, "%u",
             opts->idle_in_transaction_ms > 0 ? opts->idle_in_transaction_ms : TCP_USER_TIMEOUT_MS);
    return PQconnectdbParams(names, values, 1);
}

/* libpq repeats what it does not understand of a URI, in quotes, and that may be a piece of the password. */
static void
hide_quoted(char *text)
{
    for (char *open = strchr(text, '"'), *end; open != NULL; open = strchr(end + 1, '"')) {
        end = strchr(open + 1, '"');
        if (end == NULL) {
            open[1] = '\0';
            return;
        }
        memset(open + 1, '*', (size_t)(end - open - 1));
    }
}

/*
 * Whether libpq can read uri. as_meant: and reads what its writer meant, since an "@" in the password makes a host or database
 * of its rest.
 */
static bool
reads(const char *uri, bool as_meant)
{
    PQconninfoOption *parsed = PQconninfoParse(uri, NULL);
    bool good = parsed != NULL;

    for (const PQconninfoOption *o = parsed; o != NULL && o->keyword != NULL; o++) {
        if (o->val == NULL)
            continue;
        if (strcmp(o->keyword, "port") == 0)
            good = good && o->val[strspn(o->val, "0123456789,")] == '\0';
        else if (as_meant && (strcmp(o->keyword, "host") == 0 || strcmp(o->keyword, "dbname") == 0))
            good = good && strchr(o->val, '@') == NULL;
    }
    PQconninfoFree(parsed);
    return good;
}

bool
pg_can_read(const char *uri)
{
    return reads(uri, false);
}

PGconn *
pg_connect(const struct pg_opts *opts, struct cs_err *err)
{
    PGconn *conn = open_connection(opts);
    char text[300];
    char *masked;

    if (PQstatus(conn) == CONNECTION_OK) {
        PQsetNoticeReceiver(conn, on_pg_notice, NULL);
        if (set_session(conn, opts, err) == CS_OK)
            return conn;
        PQfinish(conn);
        return NULL;
    }
    one_line(text, sizeof text, PQerrorMessage(conn));
    if (!reads(opts->uri, true))
        hide_quoted(text);
    masked = cs_uri_masked(opts->uri);
    cs_err_set(err, CS_EDOWN, "cannot connect to %.120s: %s; check DATABASE_URI and that PostgreSQL runs",
               masked != NULL ? masked : "PostgreSQL", text[0] != '\0' ? text : "out of memory");
    free(masked);
    PQfinish(conn);
    return NULL;
}

enum cs_rc
pg_exec(PGconn *conn, const char *what, const char *sql, struct cs_err *err)
{
    PGresult *res = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(res);
    enum cs_rc rc = CS_OK;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        rc = pg_error(conn, res, what, err);
    PQclear(res);
    return rc;
}

enum cs_rc
pg_query(PGconn *conn, const char *what, const char *sql, int count, const char *const *params,
         PGresult **out, struct cs_err *err)
{
    PGresult *res = PQexecParams(conn, sql, count, NULL, params, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(res);
    enum cs_rc rc;

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) {
        if (out != NULL)
            *out = res;
        else
            PQclear(res);
        return CS_OK;
    }
    rc = pg_error(conn, res, what, err);
    PQclear(res);
    if (out != NULL)
        *out = NULL;
    return rc;
}

enum cs_rc
pg_each(PGconn *conn, const char *what, const char *sql, int count, const char *const *params,
        bool (*on_row)(const PGresult *row, void *arg), void *arg, struct cs_err *err)
{
    enum cs_rc rc = CS_OK;

    if (PQsendQueryParams(conn, sql, count, NULL, params, NULL, NULL, 0) != 1)
        return pg_error(conn, NULL, what, err);
    PQsetSingleRowMode(conn);
    for (PGresult *res; (res = PQgetResult(conn)) != NULL; PQclear(res)) {
        ExecStatusType status = PQresultStatus(res);

        if (rc != CS_OK)
            continue; /* the rest is read and dropped, so that the connection stays usable */
        if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK)
            rc = pg_error(conn, res, what, err);
        else if (status == PGRES_SINGLE_TUPLE && !on_row(res, arg))
            rc = cs_err_set(err, CS_ENOMEM, "%s: no memory", what);
    }
    return rc;
}
