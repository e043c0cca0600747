/* SPDX-License-Identifier: MIT */
/*
 * listing - what is done for new listings: those that enter a universe of the ipo family in this run.
 *
 * Session's thread.
 */
#ifndef CS_SYNC_LISTING_H
#define CS_SYNC_LISTING_H

#include "worker/sync/diff.h"

/* Families that mode ipos puts new listings into. */
#define LISTING_FAMILIES (1U << RULES_MARKET_CAP | 1U << RULES_THEME)

/*
 * For mode ipos: narrow a selection of the ipo family and LISTING_FAMILIES. A universe of the latter keeps its members of
 * prev, in or out of the market, and gets those of its selected members that are new listings; one that gets none is
 * dropped from the selection, so that it stays as it is. snap must hold all members (snapshot_opts.with_members_of).
 */
enum cs_rc listing_place(const struct snapshot *snap, const struct previous *prev, struct selection *sel,
                         struct cs_err *err) CS_MUSTCHECK;

/*
 * The new listings that the log has never seen enter: those to announce.
 * out  gives a flag for each id of snap, to free(); NULL on an error.
 */
enum cs_rc listing_first(PGconn *conn, const struct snapshot *snap, const struct diff *d,
                         const char *environment, bool **out, struct cs_err *err) CS_MUSTCHECK;

#endif
