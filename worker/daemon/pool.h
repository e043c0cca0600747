/* SPDX-License-Identifier: MIT */
/*
 * pool - threads with a sync session each. Takes work in, gives reports out through an eventfd on the loop.
 *
 * Knows no Redis. pool_* functions are for the loop thread; what a thread works on is the thread's until its
 * POOL_DONE.
 */
#ifndef CS_DAEMON_POOL_H
#define CS_DAEMON_POOL_H

#include <stdatomic.h>

#include "common/command.h"
#include "common/config.h"
#include "worker/sync/sync.h"

struct event_base;
struct pool;

enum pool_kind { POOL_SYNC, POOL_PING, POOL_PROBE };

/* One piece of work. The caller's memory, untouched until POOL_DONE. */
struct pool_work {
    enum pool_kind kind;
    const char *job_id;
    const struct cs_command *cmd;
    const struct sync_rules *rules;
    int64_t now_ms;
    atomic_bool stop; /* set through pool_cancel */
    void *owner;      /* the caller's */
};

enum pool_what { POOL_PROGRESS, POOL_DONE };

struct pool_report {
    enum pool_what what;
    struct pool_work *work;
    struct sync_progress progress; /* POOL_PROGRESS */
    enum cs_rc rc;                 /* POOL_DONE */
    struct cs_err err;
    struct sync_result result;
    struct pool_report *next;
};

struct pool_opts {
    struct event_base *base;
    const struct cs_config *cfg; /* borrowed for life */
    /* On the loop; borrows the report (take result.doc by setting it to NULL). */
    void (*on_report)(struct pool_report *report, void *arg);
    void *arg;
};

/* Start cfg->workers threads. NULL with err when the system refuses. */
struct pool *pool_new(const struct pool_opts *opts, struct cs_err *err);
void pool_free(struct pool *pool); /* cancels what runs and joins; reports are dropped */

size_t pool_idle(const struct pool *pool); /* threads without work */

/* Hand over work. CS_EFULL when no thread is idle. */
enum cs_rc pool_submit(struct pool *pool, struct pool_work *work) CS_MUSTCHECK;

/* Stop this work soon: flag for between the stages, cancel request for a running statement. */
void pool_cancel(struct pool *pool, struct pool_work *work);

#endif
