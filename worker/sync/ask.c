/* SPDX-License-Identifier: MIT */
/*
 * ask - a connection, a statement, its rows as JSON.
 */
#include "worker/sync/ask.h"

#include "common/json.h"
#include "worker/sync/pg.h"

static json_t *
row_object(const PGresult *res, int row)
{
    json_t *object = json_object();

    for (int col = 0; col < PQnfields(res); col++)
        json_object_set_new(object, PQfname(res, col),
                            PQgetisnull(res, row, col) ? json_null()
                                                       : cs_json_text(PQgetvalue(res, row, col),
                                                                      (size_t)PQgetlength(res, row, col)));
    return object;
}

enum cs_rc
sync_ask(const struct sync_ask *how, const char *what, const char *sql, int count, const char *const *params,
         json_t **rows, struct cs_err *err)
{
    struct pg_opts opts = {.uri = how->database_uri,
                           .application_name = how->application_name,
                           .statement_timeout_ms = how->statement_timeout_ms};
    PGconn *conn = pg_connect(&opts, err);
    PGresult *res = NULL;
    enum cs_rc rc;

    if (conn == NULL)
        return err->rc;
    rc = pg_query(conn, what, sql, count, params, &res, err);
    if (rc == CS_OK) {
        *rows = json_array();
        for (int row = 0; row < PQntuples(res); row++)
            json_array_append_new(*rows, row_object(res, row));
    }
    PQclear(res);
    PQfinish(conn);
    return rc;
}
