/* SPDX-License-Identifier: MIT */
/*
 * redis_sync - the blocking connection of the command line: one call at a time, each with a time-out.
 *
 * Owns: the context. Does not: reconnect. Any one thread.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/embed.h"
#include "common/mem.h"
#include "common/redis.h"

struct cs_redis_sync {
    redisContext *c;
    char where[200];
};

static enum cs_rc
lost(const struct cs_redis_sync *s, struct cs_err *err)
{
    bool late = s->c->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
    return cs_err_set(err, late ? CS_ETIMEOUT : CS_EDOWN, "Redis at %s: %s; is it running? (REDIS_URL)",
                      s->where, late ? "no answer within the time-out" : s->c->errstr);
}

static enum cs_rc
greet(struct cs_redis_sync *s, const struct cs_redis_addr *a, struct cs_err *err)
{
    char db[16], why[200];
    snprintf(db, sizeof db, "%d", a->db);
    const char *auth[] = {"AUTH", a->username ? a->username : a->password, a->password};
    const char *select[] = {"SELECT", db};
    const struct {
        bool wanted;
        int argc;
        const char **argv;
    } steps[] = {{a->password != NULL, a->username ? 3 : 2, auth}, {a->db != 0, 2, select}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct cs_reply *reply = NULL;
        if (!steps[i].wanted)
            continue;
        enum cs_rc rc = cs_redis_sync_call(s, &reply, err, steps[i].argc, steps[i].argv, NULL);
        if (rc == CS_OK && cs_reply_is_error(reply, NULL))
            rc = cs_err_set(err, CS_EDOWN, "Redis at %s: %s; check REDIS_URL", s->where,
                            cs_reply_refusal(reply, why, sizeof why));
        cs_reply_free(reply);
        if (rc != CS_OK)
            return rc;
    }
    return CS_OK;
}

enum cs_rc
cs_redis_sync_open(struct cs_redis_sync **out, const struct cs_redis_addr *addr, uint32_t timeout_ms,
                   struct cs_err *err)
{
    struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
    struct cs_redis_sync *s = cs_xcalloc(1, sizeof *s);
    cs_redis_addr_format(addr, s->where, sizeof s->where);
    s->c = addr->unix_path ? redisConnectUnixWithTimeout(addr->unix_path, tv)
                           : redisConnectWithTimeout(addr->host, addr->port, tv);
    if (!s->c) {
        free(s);
        return cs_err_set(err, CS_ENOMEM, "no memory for a connection");
    }
    enum cs_rc rc = s->c->err ? lost(s, err) : CS_OK;
    if (rc == CS_OK) {
        (void)redisSetTimeout(s->c, tv);
        rc = greet(s, addr, err);
    }
    if (rc == CS_OK)
        *out = s;
    else
        cs_redis_sync_close(s);
    return rc;
}

void
cs_redis_sync_close(struct cs_redis_sync *s)
{
    if (!s)
        return;
    if (s->c)
        redisFree(s->c);
    free(s);
}

enum cs_rc
cs_redis_sync_call(struct cs_redis_sync *s, struct cs_reply **out, struct cs_err *err, int argc,
                   const char **argv, const size_t *argvlen)
{
    *out = s->c->err ? NULL : redisCommandArgv(s->c, argc, argv, argvlen);
    return *out ? CS_OK : lost(s, err);
}

enum cs_rc
cs_redis_sync_eval(struct cs_redis_sync *s, struct cs_reply **out, struct cs_err *err, const char *script,
                   int nkeys, int argc, const char **argv, const size_t *argvlen)
{
    const struct cs_embed *file = cs_embed_find(script);
    char count[16];
    snprintf(count, sizeof count, "%d", nkeys);
    if (!file)
        return cs_err_set(err, CS_ENOTFOUND, "no script %s", script);
    const char **all = cs_xmalloc((size_t)(argc + 3) * sizeof *all);
    size_t *lens = cs_xmalloc((size_t)(argc + 3) * sizeof *lens);
    all[0] = "EVAL";
    all[1] = file->text;
    all[2] = count;
    for (int i = 0; i < argc; i++)
        all[i + 3] = argv[i];
    for (int i = 0; i < argc + 3; i++)
        lens[i] = i == 1 ? file->len_bytes : i >= 3 && argvlen ? argvlen[i - 3] : strlen(all[i]);
    enum cs_rc rc = cs_redis_sync_call(s, out, err, argc + 3, all, lens);
    free(all);
    free(lens);
    return rc;
}
