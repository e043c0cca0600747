/* SPDX-License-Identifier: MIT */
/*
 * redis - the only module that sees hiredis: an asynchronous connection that reconnects, and a blocking one.
 *
 * Asynchronous (daemon, adapter): connects, authenticates, selects the database, names itself, checks the server's
 * version (>= 6.2), then reports up. On any loss every outstanding callback runs once with a NULL reply, then on_down,
 * then it tries again with backoff and jitter (100 ms .. 5 s). Nothing is queued while down: calls return CS_EDOWN.
 * Every call has a deadline; a connection with an overdue reply is dropped, so a half-open link cannot hang.
 * TCP keepalive and TCP_USER_TIMEOUT are set. Loop thread only.
 *
 * Blocking (command line, tests): one call at a time with a time-out. Any one thread.
 */
#ifndef CS_COMMON_REDIS_H
#define CS_COMMON_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/err.h"

struct event_base;

/* A reply: borrowed until the callback returns (asynchronous) or until cs_reply_free (blocking). */
struct cs_reply;

enum cs_reply_type {
    CS_REPLY_NIL,
    CS_REPLY_STRING,
    CS_REPLY_STATUS,
    CS_REPLY_ERROR,
    CS_REPLY_INT,
    CS_REPLY_ARRAY
};

enum cs_reply_type cs_reply_type(const struct cs_reply *r); /* NULL counts as NIL */
/* Text of strings, statuses and errors; NULL otherwise. len_bytes may be NULL. */
const char *cs_reply_str(const struct cs_reply *r, size_t *len_bytes);
int64_t cs_reply_int(const struct cs_reply *r); /* integers, decimal strings; 0 otherwise */
size_t cs_reply_len(const struct cs_reply *r);  /* elements of an array; 0 otherwise */
const struct cs_reply *cs_reply_at(const struct cs_reply *r, size_t i); /* NULL past the end */
/* prefix NULL: any error; "NOGROUP" ... */
bool cs_reply_is_error(const struct cs_reply *r, const char *prefix);

/*
 * The text of an error without what the server repeats of the command: of a refused AUTH that is the password.
 * Returns out, "" when r is no error.
 */
const char *cs_reply_refusal(const struct cs_reply *r, char *out, size_t out_bytes);

struct cs_redis;

struct cs_redis_opts {
    struct event_base *base;
    const struct cs_redis_addr *addr; /* borrowed for life */
    const char *name;                 /* CLIENT SETNAME; borrowed for life; NULL: none */
    uint32_t connect_timeout_ms;      /* 0: 5000 */
    uint32_t call_timeout_ms;         /* 0: 5000; from the call to its reply */
    void (*on_up)(void *arg);         /* connected and greeted */
    /* Also after each failed attempt. code "redis_too_old": the server is older than 6.2. */
    void (*on_down)(const struct cs_err *why, void *arg);

    /* Only for a connection that subscribes: every message. */
    void (*on_message)(const char *channel, const char *payload, size_t len_bytes, void *arg);
    void *arg;
};

/* reply NULL: the connection was lost or the deadline passed before the answer. Runs exactly once for a call that
 * returned CS_OK. May issue calls; may not free the connection. */
typedef void cs_redis_cb(const struct cs_reply *reply, void *arg);

/* Starts connecting on the next turn of the loop. free runs outstanding callbacks with NULL first; not from inside
 * a callback of r. */
struct cs_redis *cs_redis_new(const struct cs_redis_opts *opts);
void cs_redis_free(struct cs_redis *r);
bool cs_redis_is_up(const struct cs_redis *r);
/* Cut and reconnect; safe inside callbacks (deferred). */
void cs_redis_drop(struct cs_redis *r, const char *why);

/*
 * Send one command. argv/argvlen are copied. argvlen NULL: NUL-terminated strings. cb NULL: the reply is dropped.
 * timeout_ms 0: the connection's. Returns CS_OK; CS_EDOWN when not up (cb does not run).
 */
enum cs_rc cs_redis_call(struct cs_redis *r, cs_redis_cb *cb, void *arg, uint32_t timeout_ms, int argc,
                         const char **argv, const size_t *argvlen) CS_MUSTCHECK;

/* Subscribe to channels; repeated by itself after every reconnect. Call once, before or after up. */
void cs_redis_subscribe(struct cs_redis *r, const char *const *channels, size_t count);

/*
 * Run an embedded Lua script (name as in cs_embed_find) by SHA; on NOSCRIPT it is sent again whole, by itself.
 * keys then args, all with lengths as in cs_redis_call. argv = keys followed by arguments; nkeys of argc are keys.
 */
enum cs_rc cs_redis_eval(struct cs_redis *r, const char *script, cs_redis_cb *cb, void *arg, int nkeys,
                         int argc, const char **argv, const size_t *argvlen) CS_MUSTCHECK;

/* ---- blocking ---- */
struct cs_redis_sync;

/* Connect and greet as above. CS_EDOWN with a line naming address (password masked) and remedy. */
enum cs_rc cs_redis_sync_open(struct cs_redis_sync **out, const struct cs_redis_addr *addr,
                              uint32_t timeout_ms, struct cs_err *err) CS_MUSTCHECK;
void cs_redis_sync_close(struct cs_redis_sync *s);

/*
 * One command, one reply. Gives a reply to cs_reply_free.
 * Returns CS_OK (also for error replies: test with cs_reply_is_error); CS_EDOWN, CS_ETIMEOUT.
 */
enum cs_rc cs_redis_sync_call(struct cs_redis_sync *s, struct cs_reply **out, struct cs_err *err, int argc,
                              const char **argv, const size_t *argvlen) CS_MUSTCHECK;
enum cs_rc cs_redis_sync_eval(struct cs_redis_sync *s, struct cs_reply **out, struct cs_err *err,
                              const char *script, int nkeys, int argc, const char **argv,
                              const size_t *argvlen) CS_MUSTCHECK;
void cs_reply_free(struct cs_reply *r);

#endif
