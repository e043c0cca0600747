/* SPDX-License-Identifier: MIT */
/*
 * doctor_acl - whether the user of REDIS_URL may do what the programs do. Main thread.
 *
 * Each command is queued inside MULTI, where Redis checks the rights, and then all are discarded: nothing runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "worker/cli/doctor.h"

#define WORDS_MAX 16

#define NAMED_MAX 5 /* refusals that get a line each */

enum { DAEMON = 1, ADAPTER = 2, PRODUCER = 4, OPERATOR = 8 }; /* operator: who uses this program */

/* What each program sends, scripts included; "P:" stands for the prefix. */
static const struct {
    unsigned roles;
    const char *command;
} needed[] = {
    {DAEMON | ADAPTER | PRODUCER | OPERATOR, "PING"},
    {DAEMON | ADAPTER | PRODUCER | OPERATOR, "XADD P:commands * mode full"},
    {DAEMON | ADAPTER | PRODUCER | OPERATOR, "XADD P:control * command cancel"},
    {DAEMON | ADAPTER | OPERATOR, "XRANGE P:commands 1-1 1-1"},
    {DAEMON | ADAPTER | OPERATOR, "XLEN P:commands"},
    {DAEMON | ADAPTER | OPERATOR, "HGETALL P:job:x"},
    {DAEMON | ADAPTER | OPERATOR, "HMGET P:job:x status"},
    {DAEMON | ADAPTER, "HMGET P:worker:x busy"},
    {DAEMON | ADAPTER | OPERATOR, "ZREVRANGE P:jobs 0 0"},
    {DAEMON | ADAPTER | OPERATOR, "ZREVRANGE P:workers 0 0"},
    {DAEMON | ADAPTER, "SET P:idem:x y"},
    {DAEMON | ADAPTER, "GET P:idem:x"},
    {DAEMON | ADAPTER | OPERATOR, "EVAL return 0"},
    {DAEMON | ADAPTER, "EVALSHA 0123456789012345678901234567890123456789 0"},
    {ADAPTER, "HGETALL P:universes:X"},
    {ADAPTER, "HMGET P:daily:2024-01-01 total"},
    {ADAPTER, "ZCARD P:jobs"},
    {OPERATOR, "HGETALL P:universes:X"},
    {OPERATOR, "HGETALL P:worker:x"},
    {OPERATOR, "HGETALL P:metrics"},
    {OPERATOR, "HMGET P:daily:2024-01-01 total"},
    {OPERATOR, "HGET P:job:x status"},
    {OPERATOR, "XRANGE P:dead 1-1 1-1"},
    {OPERATOR, "XREVRANGE P:dead + - COUNT 1"},
    {OPERATOR, "XLEN P:dead"},
    {OPERATOR, "XDEL P:dead 1-1"},
    {OPERATOR, "XINFO GROUPS P:commands"},
    {OPERATOR, "XPENDING P:commands workers"},
    {OPERATOR, "ZCOUNT P:jobs 0 1"},
    {OPERATOR, "ZRANGE P:jobs 0 0"},
    {OPERATOR, "TYPE P:jobs"},
    {OPERATOR, "INFO"},
    {OPERATOR, "TIME"},
    {DAEMON, "XGROUP CREATE P:commands workers 0 MKSTREAM"},
    {DAEMON, "XGROUP DELCONSUMER P:commands workers x"},
    {DAEMON, "XINFO CONSUMERS P:commands workers"},
    {DAEMON, "XREADGROUP GROUP workers x COUNT 1 STREAMS P:commands >"},
    {DAEMON, "XREAD COUNT 1 STREAMS P:control 0"},
    {DAEMON, "XREVRANGE P:control + - COUNT 1"},
    {DAEMON, "XTRIM P:control MAXLEN 1000"},
    {DAEMON, "GET P:control:read"},
    {DAEMON, "SET P:control:read 1-1"},
    {DAEMON, "XPENDING P:commands workers"},
    {DAEMON, "XCLAIM P:commands workers x 0 1-1"},
    {DAEMON, "XACK P:commands workers 1-1"},
    {DAEMON, "XDEL P:commands 1-1"},
    {DAEMON, "XADD P:events * channel x"},
    {DAEMON, "XADD P:dead * reason x"},
    {DAEMON, "HSET P:job:x status pending"},
    {DAEMON, "HGET P:job:x status"},
    {DAEMON, "HDEL P:job:x progress"},
    {DAEMON, "HINCRBY P:job:x attempts 1"},
    {DAEMON, "EXPIRE P:job:x 60"},
    {DAEMON, "PEXPIRE P:job:x 60000"},
    {DAEMON, "DEL P:job:x"},
    {DAEMON, "EXISTS P:worker:x"},
    {DAEMON, "HSET P:worker:x busy 0"},
    {DAEMON, "HSET P:universes:X y z"},
    {DAEMON, "HINCRBY P:daily:2024-01-01 total 1"},
    {DAEMON, "HINCRBY P:metrics retries 1"},
    {DAEMON, "HSETNX P:pending:X y z"},
    {DAEMON, "HGET P:pending:X y"},
    {DAEMON, "HDEL P:pending:X y"},
    {DAEMON, "SET P:running:X y"},
    {DAEMON, "GET P:running:X"},
    {DAEMON, "HSET P:entries 1-1 x"},
    {DAEMON, "RPUSH P:waiters:x y"},
    {DAEMON, "LLEN P:waiters:x"},
    {DAEMON, "LRANGE P:waiters:x 0 0"},
    {DAEMON, "LPOP P:waiters:x"},
    {DAEMON, "LREM P:duplicates:x 1 y"},
    {DAEMON, "TYPE P:job:x"},
    {DAEMON, "ZADD P:jobs 1 x"},
    {DAEMON, "ZADD P:workers 1 x"},
    {DAEMON, "ZREM P:jobs x"},
    {DAEMON, "ZCARD P:jobs"},
    {DAEMON, "ZRANGE P:jobs 0 0"},
    {DAEMON, "ZRANGEBYSCORE P:jobs 0 0"},
    {DAEMON, "ZREMRANGEBYSCORE P:jobs 0 0"},
    {DAEMON, "ZREMRANGEBYRANK P:workers 0 0"},
    {DAEMON, "PUBLISH " CS_CH_TRIGGERED " x"},
    {DAEMON, "PUBLISH " CS_CH_COMPLETE " x"},
    {DAEMON, "PUBLISH " CS_CH_UNIVERSE " x"},
    {DAEMON, "PUBLISH " CS_CH_IPO " x"},
    {DAEMON, "PUBLISH " CS_CH_DELISTING " x"},
    {DAEMON, "PUBLISH " CS_CH_MONITORING " x"},
    {DAEMON, "PUBLISH " CS_CH_ERRORS " x"},
    {DAEMON, "SUBSCRIBE " CS_CH_IMPORT_STATUS " " CS_CH_IMPORT_DONE},
};

static const struct {
    const char *name;
    unsigned bit;
} roles[] = {{"daemon", DAEMON}, {"adapter", ADAPTER}, {"producer", PRODUCER}, {"operator", OPERATOR}};

static unsigned
role_bit(const char *name)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(roles[i].name, name) == 0)
            return roles[i].bit;
    return 0;
}

bool
doctor_read_role(const char *text, void *target)
{
    *(const char **)target = text;
    return role_bit(text) != 0;
}

/* Split command into words of text, with the prefix in place of "P". Returns how many. */
static int
split(const struct doctor *d, char *text, const char *words[WORDS_MAX], char *expanded[WORDS_MAX])
{
    char *save = NULL;
    int n = 0;

    for (char *word = strtok_r(text, " ", &save); word != NULL && n < WORDS_MAX;
         word = strtok_r(NULL, " ", &save), n++) {
        expanded[n] =
            strncmp(word, "P:", 2) == 0 ? cs_xasprintf("%s%s", d->cli->keys.prefix, word + 1) : NULL;
        words[n] = expanded[n] != NULL ? expanded[n] : word;
    }
    return n;
}

/* Queue one; reports a refusal if told to. Returns whether it was granted. */
static bool
is_granted(struct doctor *d, const char *command, bool report)
{
    char *text = cs_xstrdup(command), *expanded[WORDS_MAX];
    const char *argv[WORDS_MAX];
    struct cs_reply *reply = NULL;
    struct cs_err err = {0};
    int argc = split(d, text, argv, expanded);
    bool granted = cli_call(d->cli, &reply, &err, argc, argv, NULL) == CS_OK;

    if (!granted && report)
        doctor_say(d, DOCTOR_PROBLEM, "redis.rights", "grant it (users.acl has the line, docs/redis.md)",
                   "the %s sends %.80s: %s", d->role, command, err.msg);
    for (int i = 0; i < argc; i++)
        free(expanded[i]);
    cs_reply_free(reply);
    free(text);
    return granted;
}

static void
tell_user(struct doctor *d, size_t granted)
{
    const char *argv[] = {"ACL", "WHOAMI"};
    struct cs_reply *reply = NULL;
    struct cs_err ignored = {0};
    const char *user = d->cli->cfg.redis.username;

    if (cli_call(d->cli, &reply, &ignored, 2, argv, NULL) == CS_OK)
        user = cs_reply_str(reply, NULL);
    doctor_say(d, DOCTOR_OK, "redis.rights", NULL, "user %s may do all %zu things that the %s does",
               user != NULL ? user : "default", granted, d->role);
    cs_reply_free(reply);
}

void
doctor_acl(struct doctor *d)
{
    const char *multi[] = {"MULTI"}, *discard[] = {"DISCARD"};
    unsigned role = role_bit(d->role);
    size_t granted = 0, asked = 0;
    struct cs_reply *reply = doctor_ask(d, "redis.rights", 1, multi);

    if (reply == NULL)
        return;
    cs_reply_free(reply);
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (needed[i].roles & role) {
            asked++;
            granted += is_granted(d, needed[i].command, asked - granted <= NAMED_MAX);
        }
    cs_reply_free(doctor_ask(d, "redis.rights", 1, discard));
    if (granted == asked)
        tell_user(d, granted);
    else if (asked - granted > NAMED_MAX)
        doctor_say(d, DOCTOR_PROBLEM, "redis.rights",
                   "use the configuration of that program, or name another --role",
                   "%zu more of %zu things that the %s does are refused to this user",
                   asked - granted - NAMED_MAX, asked, d->role);
}
