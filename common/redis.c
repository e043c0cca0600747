/* SPDX-License-Identifier: MIT */
/*
 * redis - the asynchronous connection: connects, greets, reports, reconnects.
 *
 * Owns: the hiredis context, its deadlines, the list of calls in flight. Does not: queue while down. Loop thread.
 */
#include "common/redis.h"

#include <event2/event.h>
#include <event2/util.h>
#include <hiredis/async.h>
#include <hiredis/adapters/libevent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/embed.h"
#include "common/failpoint.h"
#include "common/mem.h"
#include "common/resolve.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000
#define TICK_MS 100

struct call {
    TAILQ_ENTRY(call) next;
    struct cs_redis *r;
    cs_redis_cb *cb;
    void *arg;
    int64_t deadline_us;
    char command[20]; /* its name, for fail points */
    /* A script that may have to be sent again whole. */
    const struct cs_embed *script;
    int argc;
    char **argv;
    size_t *argvlen;
};

struct script {
    const struct cs_embed *file;
    char sha[41];
    struct script *next;
};

struct cs_redis {
    struct cs_redis_opts opts;
    redisAsyncContext *ac;
    struct cs_resolve *resolving;
    struct event *tick, *retry;
    TAILQ_HEAD(, call) calls;
    struct script *scripts;
    bool up, dropping, freeing, too_old;
    int64_t connect_by_us;
    uint32_t backoff_ms;
    char why[256];
    char **channels;
    size_t channel_count;
};

static void connect_now(struct cs_redis *r);
static void on_address(const char *address, const char *why, void *arg);

static void
arm(struct event *ev, uint32_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    event_add(ev, &tv);
}

static void
call_free(struct call *c)
{
    for (int i = 0; i < c->argc; i++)
        free(c->argv[i]);
    free(c->argv);
    free(c->argvlen);
    free(c);
}

/* The context is gone (hiredis has run every callback with NULL): say so and try again later. */
static void
went_down(struct cs_redis *r, const char *why)
{
    struct cs_err err = {0};
    r->ac = NULL;
    r->up = r->dropping = false;
    event_del(r->tick);
    if (r->freeing)
        return;
    (void)cs_err_code(&err, CS_EDOWN, r->too_old ? "redis_too_old" : "", "Redis: %s",
                      *r->why       ? r->why
                      : why && *why ? why
                                    : "connection lost");
    r->why[0] = '\0';
    uint32_t draw; /* from the system: a fleet must not come back in one beat */
    evutil_secure_rng_get_bytes(&draw, sizeof draw);
    arm(r->retry, r->backoff_ms / 2 + draw % (r->backoff_ms / 2 + 1));
    r->backoff_ms = r->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : r->backoff_ms * 2;
    if (r->opts.on_down)
        r->opts.on_down(&err, r->opts.arg);
}

void
cs_redis_drop(struct cs_redis *r, const char *why)
{
    if (!r->ac)
        return;
    if (!*r->why)
        snprintf(r->why, sizeof r->why, "%s", why);
    r->dropping = true;
    r->up = false;
    arm(r->tick, 0);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct cs_redis *r = arg;
    (void)fd, (void)what;
    int64_t now = cs_clock_mono_us();
    struct call *c;
    if (r->resolving && now > r->connect_by_us) {
        cs_resolve_cancel(r->resolving);
        on_address(NULL, "the name service does not answer within the time-out", r);
        return;
    }
    if (!r->dropping && !r->up && now > r->connect_by_us)
        cs_redis_drop(r, "no connection within the time-out");
    TAILQ_FOREACH (c, &r->calls, next)
        if (!r->dropping && now > c->deadline_us)
            cs_redis_drop(r, "no reply within the time-out");
    if (r->dropping && r->ac) {
        redisAsyncContext *ac = r->ac;
        bool connected = ac->c.flags & REDIS_CONNECTED;
        redisAsyncFree(ac); /* runs the callbacks, then on_disconnect when it had connected */
        if (!connected && r->ac)
            went_down(r, "connection dropped");
        return;
    }
    if (r->ac || r->resolving)
        arm(r->tick, TICK_MS);
}

static bool send_call(struct cs_redis *r, struct call *c, int argc, const char **argv, const size_t *argvlen);

static void
finish(struct call *c, const struct cs_reply *reply)
{
    if (c->cb)
        c->cb(reply, c->arg);
    call_free(c);
}

static void
remember_sha(struct cs_redis *r, const struct cs_embed *file, const char *sha)
{
    struct script *s = cs_xcalloc(1, sizeof *s);
    s->file = file;
    snprintf(s->sha, sizeof s->sha, "%s", sha);
    s->next = r->scripts;
    r->scripts = s;
}

static void
forget_shas(struct cs_redis *r)
{
    while (r->scripts) {
        struct script *s = r->scripts;
        r->scripts = s->next;
        free(s);
    }
}

/* EVAL with the text itself: what a server that has lost its scripts needs. */
static bool
send_whole(struct cs_redis *r, struct call *c)
{
    const char **whole = cs_xmalloc((size_t)c->argc * sizeof *whole);
    for (int i = 0; i < c->argc; i++)
        whole[i] = c->argv[i];
    whole[0] = "EVAL";
    whole[1] = c->script->text;
    c->argvlen[0] = 4;
    c->argvlen[1] = c->script->len_bytes;
    bool sent = send_call(r, c, c->argc, whole, c->argvlen);
    free(whole);
    return sent;
}

static void
on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
    struct call *c = arg;
    struct cs_redis *r = c->r;
    const struct cs_reply *rep = reply;
    (void)ac;
    TAILQ_REMOVE(&r->calls, c, next);
    if (c->script && cs_reply_is_error(rep, "NOSCRIPT") && r->up) {
        if (send_whole(r, c))
            return;
        rep = NULL;
    }
    if (rep && CS_FAILPOINT_SCRIPT(c->script ? c->script->name : c->command, "after")) {
        cs_redis_drop(r, "fail point: the answer is lost");
        rep = NULL;
    }
    finish(c, rep);
}

static bool
send_call(struct cs_redis *r, struct call *c, int argc, const char **argv, const size_t *argvlen)
{
    if (!r->ac || redisAsyncCommandArgv(r->ac, on_reply, c, argc, argv, argvlen) != REDIS_OK)
        return false;
    TAILQ_INSERT_TAIL(&r->calls, c, next);
    return true;
}

enum cs_rc
cs_redis_call(struct cs_redis *r, cs_redis_cb *cb, void *arg, uint32_t timeout_ms, int argc,
              const char **argv, const size_t *argvlen)
{
    if (!r->up || r->dropping)
        return CS_EDOWN;
    if (CS_FAILPOINT_SCRIPT(argv[0], "before")) {
        cs_redis_drop(r, "fail point: the connection is lost before the command is sent");
        return CS_EDOWN;
    }
    struct call *c = cs_xcalloc(1, sizeof *c);
    snprintf(c->command, sizeof c->command, "%s", argv[0]);
    c->r = r;
    c->cb = cb;
    c->arg = arg;
    c->deadline_us = cs_clock_mono_us() + (int64_t)(timeout_ms ? timeout_ms : r->opts.call_timeout_ms) * 1000;
    if (send_call(r, c, argc, argv, argvlen))
        return CS_OK;
    call_free(c);
    return CS_EDOWN;
}

enum cs_rc
cs_redis_eval(struct cs_redis *r, const char *script, cs_redis_cb *cb, void *arg, int nkeys, int argc,
              const char **argv, const size_t *argvlen)
{
    const struct cs_embed *file = cs_embed_find(script);
    if (!r->up || r->dropping || !file)
        return CS_EDOWN;
    if (CS_FAILPOINT_SCRIPT(script, "before")) {
        cs_redis_drop(r, "fail point: the connection is lost before the script is sent");
        return CS_EDOWN;
    }
    const struct script *known = r->scripts;
    while (known && known->file != file)
        known = known->next;
    struct call *c = cs_xcalloc(1, sizeof *c);
    char count[16];
    snprintf(count, sizeof count, "%d", nkeys);
    *c = (struct call){.r = r, .cb = cb, .arg = arg, .script = file, .argc = argc + 3};
    c->deadline_us = cs_clock_mono_us() + (int64_t)r->opts.call_timeout_ms * 1000;
    c->argv = cs_xcalloc((size_t)c->argc, sizeof *c->argv);
    c->argvlen = cs_xcalloc((size_t)c->argc, sizeof *c->argvlen);
    const char *const head[] = {"EVALSHA", known ? known->sha : "", count};
    for (int i = 0; i < c->argc; i++) {
        const char *from = i < 3 ? head[i] : argv[i - 3];
        c->argvlen[i] = i >= 3 && argvlen ? argvlen[i - 3] : strlen(from);
        c->argv[i] = cs_xmalloc(c->argvlen[i] + 1);
        memcpy(c->argv[i], from, c->argvlen[i]);
        c->argv[i][c->argvlen[i]] = '\0';
    }
    bool sent;
    if (known) {
        const char **sha = cs_xmalloc((size_t)c->argc * sizeof *sha);
        for (int i = 0; i < c->argc; i++)
            sha[i] = c->argv[i];
        sent = send_call(r, c, c->argc, sha, c->argvlen);
        free(sha);
    } else {
        sent = send_whole(r, c);
    }
    if (sent)
        return CS_OK;
    call_free(c);
    return CS_EDOWN;
}

/* ---- greeting: everything a fresh connection needs before it counts as up ---- */

static void
on_greeting(redisAsyncContext *ac, void *reply, void *arg)
{
    struct cs_redis *r = ac->data;
    const struct cs_reply *rep = reply;
    char why[200];
    (void)arg;
    if (rep && cs_reply_is_error(rep, NULL) && !r->dropping)
        cs_redis_drop(r, cs_reply_refusal(rep, why, sizeof why));
}

static void
on_sha(redisAsyncContext *ac, void *reply, void *arg)
{
    const char *sha = cs_reply_str(reply, NULL);
    if (sha && !cs_reply_is_error(reply, NULL))
        remember_sha(ac->data, arg, sha);
}

/* INFO's answer is the last of the greeting. */
static void
on_info(redisAsyncContext *ac, void *reply, void *arg)
{
    struct cs_redis *r = ac->data;
    const char *text = cs_reply_str(reply, NULL), *at = text ? strstr(text, "redis_version:") : NULL;
    int major = 0, minor = 0;
    (void)arg;
    if (!reply || r->dropping)
        return;
    if (cs_reply_is_error(reply, NULL)) {
        cs_redis_drop(r, text);
        return;
    }
    if (at && sscanf(at, "redis_version:%d.%d", &major, &minor) == 2 &&
        (major < 6 || (major == 6 && minor < 2))) {
        r->too_old = true;
        cs_redis_drop(r, "the server is older than 6.2; upgrade Redis");
        return;
    }
    r->up = true;
    r->backoff_ms = BACKOFF_FIRST_MS;
    if (r->opts.on_up)
        r->opts.on_up(r->opts.arg);
}

static void
on_pushed(redisAsyncContext *ac, void *reply, void *arg)
{
    struct cs_redis *r = ac->data;
    const char *kind = cs_reply_str(cs_reply_at(reply, 0), NULL);
    size_t len = 0;
    const char *payload = cs_reply_str(cs_reply_at(reply, 2), &len);
    (void)arg;
    if (!r->up && kind && !r->dropping) {
        r->up = true;
        r->backoff_ms = BACKOFF_FIRST_MS;
        if (r->opts.on_up)
            r->opts.on_up(r->opts.arg);
    }
    if (kind && strcmp(kind, "message") == 0 && payload && r->opts.on_message)
        r->opts.on_message(cs_reply_str(cs_reply_at(reply, 1), NULL), payload, len, r->opts.arg);
}

static bool
send_greeting(struct cs_redis *r)
{
    const struct cs_redis_addr *a = r->opts.addr;
    redisAsyncContext *ac = r->ac;
    bool sent = true;
    if (a->password && a->username)
        sent = redisAsyncCommand(ac, on_greeting, NULL, "AUTH %s %s", a->username, a->password) == REDIS_OK;
    else if (a->password)
        sent = redisAsyncCommand(ac, on_greeting, NULL, "AUTH %s", a->password) == REDIS_OK;
    if (sent && a->db)
        sent = redisAsyncCommand(ac, on_greeting, NULL, "SELECT %d", a->db) == REDIS_OK;
    if (sent && r->opts.name)
        sent = redisAsyncCommand(ac, on_greeting, NULL, "CLIENT SETNAME %s", r->opts.name) == REDIS_OK;
    if (r->channel_count) {
        for (size_t i = 0; sent && i < r->channel_count; i++)
            sent = redisAsyncCommand(ac, on_pushed, NULL, "SUBSCRIBE %s", r->channels[i]) == REDIS_OK;
        return sent;
    }
    for (size_t i = 0; sent && i < cs_embed_count; i++) {
        const struct cs_embed *f = &cs_embed_files[i];
        if (strncmp(f->name, "worker/lua/", 11) == 0)
            sent = redisAsyncCommand(ac, on_sha, (void *)(uintptr_t)f, "SCRIPT LOAD %b", f->text,
                                     f->len_bytes) == REDIS_OK;
    }
    return sent && redisAsyncCommand(ac, on_info, NULL, "INFO server") == REDIS_OK;
}

static void
set_socket(const struct cs_redis *r)
{
    int on = 1, idle_s = 15, interval_s = 5, probes = 3;
    unsigned int user_ms = 20000;
    if (r->opts.addr->unix_path)
        return;
    (void)setsockopt(r->ac->c.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(r->ac->c.fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(r->ac->c.fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    (void)setsockopt(r->ac->c.fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    (void)setsockopt(r->ac->c.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof user_ms);
    (void)setsockopt(r->ac->c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void
on_connect(const redisAsyncContext *ac, int status)
{
    struct cs_redis *r = ac->data;
    if (status != REDIS_OK) {
        went_down(r, ac->errstr); /* hiredis frees the context; on_disconnect does not run */
        return;
    }
    set_socket(r);
    if (!send_greeting(r))
        cs_redis_drop(r, "the greeting could not be sent");
}

static void
on_disconnect(const redisAsyncContext *ac, int status)
{
    went_down(ac->data, status == REDIS_OK ? NULL : ac->errstr);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    connect_now(arg);
}

static void
attach(struct cs_redis *r, redisAsyncContext *ac)
{
    if (!ac || ac->err) {
        char why[160];
        snprintf(why, sizeof why, "%s", ac ? ac->errstr : "no memory");
        if (ac)
            redisAsyncFree(ac);
        went_down(r, why);
        return;
    }
    r->ac = ac;
    ac->data = r;
    redisLibeventAttach(ac, r->opts.base);
    redisAsyncSetConnectCallback(ac, on_connect);
    redisAsyncSetDisconnectCallback(ac, on_disconnect);
}

static void
on_address(const char *address, const char *why, void *arg)
{
    struct cs_redis *r = arg;
    char text[200];
    r->resolving = NULL;
    if (address) {
        attach(r, redisAsyncConnect(address, r->opts.addr->port));
        return;
    }
    snprintf(text, sizeof text, "%s: %s", r->opts.addr->host, why);
    went_down(r, text);
}

static void
connect_now(struct cs_redis *r)
{
    const struct cs_redis_addr *a = r->opts.addr;
    forget_shas(r);
    r->too_old = false;
    r->connect_by_us = cs_clock_mono_us() + (int64_t)r->opts.connect_timeout_ms * 1000;
    arm(r->tick, TICK_MS);
    if (a->unix_path)
        attach(r, redisAsyncConnectUnix(a->unix_path));
    else
        r->resolving = cs_resolve_start(r->opts.base, a->host, on_address, r);
}

struct cs_redis *
cs_redis_new(const struct cs_redis_opts *opts)
{
    struct cs_redis *r = cs_xcalloc(1, sizeof *r);
    r->opts = *opts;
    r->opts.connect_timeout_ms = opts->connect_timeout_ms ? opts->connect_timeout_ms : 5000;
    r->opts.call_timeout_ms = opts->call_timeout_ms ? opts->call_timeout_ms : 5000;
    r->backoff_ms = BACKOFF_FIRST_MS;
    TAILQ_INIT(&r->calls);
    r->tick = event_new(opts->base, -1, 0, on_tick, r);
    r->retry = event_new(opts->base, -1, 0, on_retry, r);
    arm(r->retry, 0);
    return r;
}

void
cs_redis_free(struct cs_redis *r)
{
    if (!r)
        return;
    r->freeing = true;
    r->up = false;
    cs_resolve_cancel(r->resolving);
    if (r->ac)
        redisAsyncFree(r->ac);
    event_free(r->tick);
    event_free(r->retry);
    forget_shas(r);
    for (size_t i = 0; i < r->channel_count; i++)
        free(r->channels[i]);
    free(r->channels);
    free(r);
}

bool
cs_redis_is_up(const struct cs_redis *r)
{
    return r->up && !r->dropping;
}

void
cs_redis_subscribe(struct cs_redis *r, const char *const *channels, size_t count)
{
    r->channels = cs_xcalloc(count, sizeof *r->channels);
    r->channel_count = count;
    for (size_t i = 0; i < count; i++)
        r->channels[i] = cs_xstrdup(channels[i]);
    if (r->ac)
        cs_redis_drop(r, "subscribing");
}
