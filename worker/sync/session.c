/* SPDX-License-Identifier: MIT */
/*
 * session - opens, keeps, cancels and drops the connection of a pool thread.
 *
 * Owns: the PGconn and its cancel handle. Does not: run a sync. Thread: as sync.h says, call by call.
 */
#include "worker/sync/session.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "common/config.h"
#include "common/mem.h"

struct sync_session *
sync_session_new(const struct sync_opts *opts)
{
    struct sync_session *s = cs_xcalloc(1, sizeof *s);
    s->opts = *opts;
    s->fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void
set_handles(struct sync_session *s, PGcancel *cancel, int fd)
{
    pthread_mutex_lock(&s->lock);
    PGcancel *old = s->cancel;
    s->cancel = cancel;
    s->fd = fd;
    pthread_mutex_unlock(&s->lock);
    if (old)
        PQfreeCancel(old);
}

void
sync_session_drop(struct sync_session *s)
{
    set_handles(s, NULL, -1);
    PQfinish(s->conn);
    s->conn = NULL;
}

void
sync_session_free(struct sync_session *s)
{
    if (!s)
        return;
    sync_session_drop(s);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void
sync_session_cancel(struct sync_session *s)
{
    char why[256];
    pthread_mutex_lock(&s->lock);
    if (s->cancel)
        (void)PQcancel(s->cancel, why, sizeof why);
    pthread_mutex_unlock(&s->lock);
}

void
sync_session_sever(struct sync_session *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->fd >= 0)
        (void)shutdown(s->fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
}

PGconn *
session_connect(struct sync_session *s, struct cs_err *err)
{
    if (s->conn && PQstatus(s->conn) == CONNECTION_OK && PQtransactionStatus(s->conn) == PQTRANS_IDLE)
        return s->conn;
    sync_session_drop(s);
    s->conn = pg_connect(&(struct pg_opts){.uri = s->opts.database_uri,
                                           .application_name = s->opts.application_name,
                                           .idle_in_transaction_ms = s->opts.lease_ms,
                                           .statement_timeout_ms = s->opts.statement_timeout_ms,
                                           .lock_timeout_ms = s->opts.lock_timeout_ms},
                         err);
    if (s->conn)
        set_handles(s, PQgetCancel(s->conn), PQsocket(s->conn));
    return s->conn;
}

enum cs_rc
sync_check_settings(const char *database_uri, const char *rules_path, struct cs_err *err)
{
    struct sync_rules *rules = NULL;

    if (!pg_can_read(database_uri)) {
        char *masked = cs_uri_masked(database_uri);

        cs_err_set(err, CS_EINVAL,
                   "DATABASE_URI=%.200s: not an address of PostgreSQL; use "
                   "postgresql://user:password@host:port/database, odd characters of a password as %%XX",
                   masked);
        free(masked);
        return CS_EINVAL;
    }
    if (rules_load(rules_path, &rules, err) != CS_OK) {
        cs_err_prefix(err, "CACHESYNC_RULES=%.120s", rules_path ? rules_path : "");
        return CS_EINVAL;
    }
    rules_free(rules);
    return CS_OK;
}

enum cs_rc
sync_session_ping(struct sync_session *s, struct cs_err *err)
{
    PGconn *conn = session_connect(s, err);
    if (!conn)
        return err->rc;
    enum cs_rc rc = pg_exec(conn, "ping", "SELECT 1", err);
    if (rc != CS_OK)
        sync_session_drop(s);
    return rc;
}
