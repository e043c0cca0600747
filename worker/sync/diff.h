/* SPDX-License-Identifier: MIT */
/*
 * diff - memberships before and after: what changed in which universe, and what goes to the log.
 *
 * Session's thread.
 */
#ifndef CS_SYNC_DIFF_H
#define CS_SYNC_DIFF_H

#include <jansson.h>

#include "worker/sync/previous.h"
#include "worker/sync/select.h"

/* One universe that was, is, or both. */
struct diff_universe {
    const char *universe;
    const char *family;
    const char *updated_at;     /* of the row before; "" when new */
    const struct selected *sel; /* NULL: it goes */
    size_t before, after;       /* members */
    json_t *added, *removed;    /* arrays of symbols, sorted */
    bool existed;
};

struct diff_log {
    const char *change_type, *universe, *symbol, *action, *reason;
};

struct diff {
    size_t count;
    struct diff_universe *items;
    size_t log_count, log_room;
    struct diff_log *log; /* baseline rows first */
    int64_t total_changes;
    json_t *delisted; /* array of symbols, each once, sorted */
    json_t *delisted_universes;
    json_t *unknown; /* array of symbols without a row in symbols */
    json_t *keep;    /* owns texts that log rows point to */
};

/* Compare. mask: families that were selected. d is the caller's to diff_fini, also after an error. */
enum cs_rc diff_run(PGconn *conn, const struct snapshot *snap, const struct previous *prev,
                    const struct selection *sel, uint32_t mask, const char *environment, struct diff *d,
                    struct cs_err *err) CS_MUSTCHECK;
void diff_fini(struct diff *d);

#endif
