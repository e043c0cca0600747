/* SPDX-License-Identifier: MIT */
/*
 * session - a connection that one thread keeps for its syncs. Used by run.c and session.c only.
 */
#ifndef CS_SYNC_SESSION_H
#define CS_SYNC_SESSION_H

#include <pthread.h>

#include "worker/sync/pg.h"
#include "worker/sync/sync.h"

struct sync_session {
    struct sync_opts opts;
    PGconn *conn;         /* session's thread only */
    pthread_mutex_t lock; /* guards the two below, which another thread may use */
    PGcancel *cancel;
    int fd; /* of the live connection; -1: none */
};

/* The live connection, opened when needed; NULL with err. */
PGconn *session_connect(struct sync_session *s, struct cs_err *err);

#endif
