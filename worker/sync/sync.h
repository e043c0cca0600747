/* SPDX-License-Identifier: MIT */
/*
 * sync - the engine's public face: one request in, one committed (or refused) sync of cache_entries out.
 *
 * previous -> snapshot -> select -> diff -> guard -> warn -> apply -> run row, in one transaction (docs/architecture.md).
 * Knows PostgreSQL and the rules; knows no Redis, no jobs, no events. A session belongs to one thread at a time.
 */
#ifndef CS_SYNC_SYNC_H
#define CS_SYNC_SYNC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/keys.h"
#include "worker/sync/rules.h"

struct sync_session;

struct sync_opts {
    const char *database_uri;      /* borrowed for life */
    const char *application_name;  /* "cachesyncd/worker-1"; borrowed for life */
    uint32_t lease_ms;             /* idle_in_transaction_session_timeout, TCP user timeout */
    uint32_t statement_timeout_ms; /* 0: none */
    uint32_t lock_timeout_ms;      /* 0: none; waiting for another sync of the environment counts */
};

/* Where a running sync is. Called on the session's thread; must return at once. */
struct sync_progress {
    const char *task;      /* static, a phase of docs/sync.md: "snapshot", "market_cap_update" ... "done" */
    int percent;           /* 0..100, never falls */
    int64_t total_symbols; /* before the snapshot is read: what the server's statistics say of the table */
    int64_t processed;     /* percent of it; never falls */
};

struct sync_request {
    const char *job_id; /* lower-case UUID; named in the backend's application_name while it runs */
    enum cs_mode mode;
    bool force;
    bool dry_run;
    const char *as_of;       /* YYYY-MM-DD; NULL: newest day */
    const char *environment; /* [A-Z0-9_]{1,10} */
    int64_t now_ms;          /* wall time of the caller; "today in New York" and started_at come from it */
    void (*on_progress)(const struct sync_progress *p, void *arg); /* NULL: none */
    bool (*stopped)(void *arg); /* asked between stages; true ends the sync with CS_ECANCELED; NULL: never */
    /* Asked once, right before COMMIT; false ends the sync with CS_ECANCELED, code lease_lost. NULL: always. */
    bool (*may_commit)(void *arg);
    bool recorded_only; /* only look whether the job has committed; CS_ENOTFOUND when it has not */
    void *arg;
};

/*
 * What a sync gives back.
 *
 * doc is the recorded result (cache_sync_runs.result), the same object whether it was computed now or read back:
 * {
 *   "mode", "environment", "market_date" (or null), "dry_run", "force", "started_at", "committed_at" (null: dry run),
 *   "total_changes": n,
 *   "universes_updated": ["top_50", ...],
 *   "task_results": {"market_cap_update": {"status": "completed"|"skipped", "changes": n}, ... all five},
 *   "universes": {"top_50": {"universe","type","symbol_count","last_updated"}, ...}   every managed universe after it,
 *   "events": {
 *      "universes": [{"universe","type","action","added":[],"removed":[],"added_count","removed_count",
 *                     "symbol_count","reason","metadata", "truncated"?}, ...],
 *      "ipos":      [{"symbol","universe","list_date","sector","market_cap"}, ...],
 *      "delistings": {"removed_count","symbols":[],"universes":[]} or null
 *   },
 *   "warnings": [{"severity","error_code","message","context":{}}, ...]   each is one event on tickstock:errors;
 *                                                     summary.warnings has those of severity info too,
 *   "summary": {"families":{},"market_caps":{},"guard":{},"timings_ms":{},"warnings":[...],"diff":{} (dry run only)}
 * }
 */
struct sync_result {
    json_t *doc;   /* gives a reference; NULL on failure */
    bool replayed; /* the job had committed before: doc is the stored result and nothing was done */
    bool looked;   /* under the lock it was seen whether the job had committed: what replayed says is sure */
    int ended;     /* sessions of frozen workers that were ended since they held the environment's lock */
    json_t *details; /* on a refusal (CS_EREFUSED): figures for error_details; else NULL. gives a reference */
};

void sync_result_fini(struct sync_result *res);

/* A session connects on first use and again after a loss. Never fails but for memory. */
struct sync_session *sync_session_new(const struct sync_opts *opts);
void sync_session_free(struct sync_session *s);
void sync_session_drop(struct sync_session *s); /* close the connection; the next use opens a new one */

/*
 * Cancel the statement that runs, from any other thread; may block for some seconds (libpq 15's PQcancel), so never on
 * an event loop. The session drops its connection afterwards. Harmless when nothing runs.
 */
void sync_session_cancel(struct sync_session *s);

/*
 * Shut the connection's socket down, from any other thread, at once: whatever the session's thread does later, it commits
 * nothing more on it. For a thread that does not come back. Harmless without a connection.
 */
void sync_session_sever(struct sync_session *s);

/*
 * Whether DATABASE_URI can be read and CACHESYNC_RULES (NULL: the built-in rules) holds rules; connects to nothing. Any thread.
 *
 * Returns  CS_OK; CS_EINVAL with key, value (password masked) and remedy.
 */
enum cs_rc sync_check_settings(const char *database_uri, const char *rules_path,
                               struct cs_err *err) CS_MUSTCHECK;

/* Cheap round trip: CS_OK, or CS_EDOWN / CS_EDB. Connects when needed. Session's thread. */
enum cs_rc sync_session_ping(struct sync_session *s, struct cs_err *err) CS_MUSTCHECK;

/*
 * Run one sync to its end; blocks. Session's thread.
 *
 * rules    borrowed; may be shared by sessions (read-only).
 * res      filled; sync_result_fini always.
 * Returns  CS_OK         committed, dry run computed and rolled back, or replayed
 *          CS_EREFUSED   a validation check; err->code (stale_market_data, incomplete_market_data, universe_shrink,
 *                        absurd_market_cap), res->details with figures; nothing written
 *          CS_EDOWN      no connection, or lost before COMMIT was sent or with its outcome unknown: try again, the run row tells
 *          CS_EDB        PostgreSQL said no: err->sqlstate
 *          CS_ENOTFOUND  recorded_only, and no run is recorded
 *          CS_ECANCELED  stopped() or may_commit() said so, or the statement was cancelled from outside
 *          CS_EINVAL     schema missing or too old: code schema_missing; too new: schema_too_new;
 *                        encoding SQL_ASCII: unsupported_encoding
 *          CS_ENOMEM     market too large for memory; a jsonb value beyond 256 MiB: code value_too_large
 */
enum cs_rc sync_run(struct sync_session *s, const struct sync_rules *rules, const struct sync_request *req,
                    struct sync_result *res, struct cs_err *err) CS_MUSTCHECK;

#endif
