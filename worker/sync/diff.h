/* SPDX-License-Identifier: MIT */
/*
 * diff - memberships before and after: what changed in which universe, and why.
 *
 * Session's thread.
 */
#ifndef CS_SYNC_DIFF_H
#define CS_SYNC_DIFF_H

#include "worker/sync/previous.h"
#include "worker/sync/select.h"

/* Why a member left (sync_changes_log.reason). */
enum diff_reason { DIFF_RULES, DIFF_DELISTED, DIFF_UNKNOWN_SYMBOL };

const char *diff_reason_name(enum diff_reason reason);

/* A sorted list of symbols; the texts are borrowed. */
struct diff_list {
    const char **symbols;
    size_t count, room;
};

/* One universe that was, is, or both. */
struct diff_universe {
    const char *universe;
    const char *family;
    const char *updated_at;         /* of the row before; "" when new */
    const struct previous_row *row; /* that tells the members before; NULL: none */
    const struct selected *sel;     /* NULL: it goes */
    size_t before, after;           /* members */
    struct diff_list added, removed;
    uint8_t *reasons; /* enum diff_reason of each that was removed; in the arena */
    /* What the log does not tell yet of the members before (a first sync over existing rows, an edit from outside). */
    struct diff_list missing, surplus;
    bool existed;
};

struct diff {
    size_t count;
    struct diff_universe *items;
    int64_t total_changes;
    struct diff_list delisted; /* symbols, each once */
    struct diff_list delisted_universes;
    struct diff_list unknown; /* symbols without a row in symbols */
    struct cs_arena *arena;   /* owns texts that nobody else has */
};

static inline bool
diff_changed(const struct diff_universe *u)
{
    return u->added.count || u->removed.count;
}

/* Compare. mask: families that were selected. d is the caller's to diff_fini, also after an error. */
enum cs_rc diff_run(PGconn *conn, const struct snapshot *snap, const struct previous *prev,
                    const struct selection *sel, uint32_t mask, const char *environment, struct diff *d,
                    struct cs_err *err) CS_MUSTCHECK;
void diff_fini(struct diff *d);

#endif
