/* SPDX-License-Identifier: MIT */
/*
 * resolve - one host name to one address, without stopping the loop (hiredis resolves with getaddrinfo, which blocks).
 *
 * getaddrinfo(3) on a thread of its own for each question, so that every source of the system's name service counts.
 * Calls and callbacks on the loop thread only.
 */
#ifndef CS_COMMON_RESOLVE_H
#define CS_COMMON_RESOLVE_H

struct event_base;
struct cs_resolve;

/* address: numeric, IPv4 where there is one, as hiredis prefers; NULL when there is none, and why says so. Borrowed. */
typedef void cs_resolve_cb(const char *address, const char *why, void *arg);

/*
 * Begin. cb runs once unless cancelled, and the handle is gone then: before this returns for a numeric host and when the
 * system refuses a thread, else later.
 *
 * host     copied.
 * Returns  the handle, for cs_resolve_cancel; NULL when cb has run already.
 */
struct cs_resolve *cs_resolve_start(struct event_base *base, const char *host, cs_resolve_cb *cb, void *arg);

void cs_resolve_cancel(struct cs_resolve *r); /* cb will not run; NULL is fine; not from inside cb */

#endif
