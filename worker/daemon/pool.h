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
#include <stdbool.h>
#include <stdint.h>

#include "common/command.h"
#include "common/config.h"
#include "worker/sync/sync.h"

struct event_base;
struct pool;

enum pool_kind { POOL_SYNC, POOL_PING, POOL_PROBE };

/* Who comes first decides: the thread that commits, or the loop that stops it. */
enum pool_phase { WORK_RUNNING, WORK_COMMITTING, WORK_STOPPED };

/* One piece of work. The caller's memory, untouched until POOL_DONE. */
struct pool_work {
    enum pool_kind kind;
    const char *job_id;
    const struct cs_command *cmd;
    const struct sync_rules *rules;
    int64_t now_ms;
    bool recorded_only; /* POOL_SYNC: as in struct sync_request */
    atomic_int phase;   /* enum pool_phase */
    _Atomic int64_t
        lease_until_us; /* monotonic; no COMMIT within a third of a lease before it. 0: no lease */
    void *owner;        /* the caller's */
    bool owner_gone;    /* pool_abandon */
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

/*
 * Stop this work soon: flag for between the stages, cancel request for a running statement. False when it is too late: it
 * commits at this moment, and its report tells how that went.
 */
bool pool_cancel(struct pool *pool, struct pool_work *work);

/*
 * Write off a thread that does not come back: another takes its place, its connection is cut, no report follows.
 *
 * work     taken: freed when, and if, the thread comes back; what it points to must live as long (see job_work).
 * Returns  CS_OK; CS_EIO when the system gives no other thread: then nothing has changed.
 */
enum cs_rc pool_abandon(struct pool *pool, struct pool_work *work, struct cs_err *err) CS_MUSTCHECK;
size_t pool_abandoned(const struct pool *pool); /* threads that were written off and are not back */

#endif
