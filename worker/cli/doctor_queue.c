/* SPDX-License-Identifier: MIT */
/*
 * doctor_queue - what stands in Redis: types of the keys, group, waiting and pending entries, orphans, dead letters.
 * Main thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "worker/cli/doctor.h"
#include "worker/cli/queue_state.h"

#define PAGE "500" /* index entries that one call of the script looks at */
#define ORPHANS_NAMED 5
#define STALE_LEASES 2
#define STALE_MAX "100"
#define WAIT_WARNING_MS (5 * 60000)

/* Returns false when a key is of a wrong type: what reads it would only fail again. */
static bool
check_types(struct doctor *d)
{
    const struct cs_keys *k = &d->cli->keys;
    const struct {
        const char *key, *type;
    } keys[] = {{k->commands, "stream"}, {k->control, "stream"}, {k->dead, "stream"},
                {k->events, "stream"},   {k->jobs, "zset"},      {k->workers, "zset"},
                {k->metrics, "hash"},    {k->entries, "hash"},   {k->control_read, "string"}};
    bool good = true;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *argv[] = {"TYPE", keys[i].key};
        struct cs_reply *reply = doctor_ask(d, "queue.keys", 2, argv);
        const char *type = cs_reply_str(reply, NULL);

        if (reply == NULL)
            return true;
        if (type != NULL && strcmp(type, "none") != 0 && strcmp(type, keys[i].type) != 0) {
            doctor_say(d, DOCTOR_PROBLEM, "queue.keys",
                       "rename or delete that key, or choose another CACHESYNC_KEY_PREFIX",
                       "%s is a %s, not a %s", keys[i].key, type, keys[i].type);
            good = false;
        }
        cs_reply_free(reply);
    }
    if (good)
        doctor_say(d, DOCTOR_OK, "queue.keys", NULL, "types as they should be under %s", k->prefix);
    return good;
}

static void
fix_group(struct doctor *d)
{
    const char *argv[] = {"XGROUP", "CREATE", d->cli->keys.commands, CS_GROUP, "0", "MKSTREAM"};
    struct cs_reply *reply = NULL;
    struct cs_err err = {0};

    if (cli_call(d->cli, &reply, &err, 6, argv, NULL) == CS_OK)
        doctor_say(d, DOCTOR_FIXED, "queue.group", NULL, "created the consumer group " CS_GROUP);
    else
        doctor_say(d, DOCTOR_PROBLEM, "queue.group", "create it as a user that may", "%s", err.msg);
    cs_reply_free(reply);
}

/* Entries that no worker has read: their age tells whether anybody reads. */
static void
check_backlog(struct doctor *d, const struct queue_state *q)
{
    if (q->waiting > d->cli->cfg.max_backlog || q->oldest_wait_ms > WAIT_WARNING_MS)
        doctor_say(d, DOCTOR_WARNING, "queue.backlog",
                   d->live_workers > 0 ? "start more daemons" : "start cachesyncd",
                   "%" PRId64 " entries wait, the oldest for %" PRId64 " s", q->waiting,
                   q->oldest_wait_ms / 1000);
    else
        doctor_say(d, DOCTOR_OK, "queue.backlog", NULL, "%" PRId64 " entries wait", q->waiting);
}

/* Entries that somebody read and nobody has renewed for some leases. */
static void
check_pending(struct doctor *d, const struct queue_state *q)
{
    char idle[24];
    const char *argv[] = {"XPENDING", d->cli->keys.commands, CS_GROUP, "IDLE", idle, "-", "+", STALE_MAX};
    struct cs_reply *reply;
    size_t stale;

    snprintf(idle, sizeof idle, "%" PRId64, STALE_LEASES * d->cli->cfg.lease_ms);
    reply = doctor_ask(d, "queue.pending", 8, argv);
    if (reply == NULL)
        return;
    stale = cs_reply_len(reply);
    if (stale > 0)
        doctor_say(d, DOCTOR_WARNING, "queue.pending",
                   d->live_workers > 0 ? "a live worker takes them over as soon as it has a free thread"
                                       : "start cachesyncd: it takes them over",
                   "%zu entries were left by %s and others", stale,
                   cli_text(cs_reply_at(cs_reply_at(reply, 0), 1), NULL));
    else
        doctor_say(d, DOCTOR_OK, "queue.pending", NULL, "%" PRId64 " entries are being worked on", q->held);
    cs_reply_free(reply);
}

static void
check_group(struct doctor *d)
{
    struct queue_state q;
    struct cs_err err = {0};

    if (queue_state_read(d->cli, &q, &err) != CS_OK) {
        doctor_say(d, DOCTOR_WARNING, "queue.group", "grant it to have it checked", "not checked: %s",
                   err.msg);
    } else if (q.has_group) {
        doctor_say(d, DOCTOR_OK, "queue.group", NULL, "consumer group " CS_GROUP " is there");
        check_backlog(d, &q);
        check_pending(d, &q);
    } else if (d->fix) {
        fix_group(d);
    } else {
        doctor_say(d, d->live_workers > 0 ? DOCTOR_PROBLEM : DOCTOR_WARNING, "queue.group",
                   "the first cachesyncd creates it; so does cachesync doctor --fix",
                   "no consumer group " CS_GROUP " on %s", d->cli->keys.commands);
    }
}

/* ---- orphans ---- */

struct orphans {
    size_t count;
    char named[ORPHANS_NAMED * (CS_UUID_LEN + 1) + 1];
};

/* One page of the index from *rank on, which it moves (-1: the end). With --fix what it finds has ended. */
static enum cs_rc
take_page(struct doctor *d, int64_t *rank, struct orphans *o, struct cs_err *err)
{
    static const char details[] =
        "{\"code\":\"orphaned\",\"message\":\"Its entry is gone from the command stream, so "
        "no worker could end it; send it again\"}";
    char prefix[CS_KEY_MAX], from[24], when[CS_TIME_LEN + 1] = "", retention[24];
    const char *argv[] = {d->cli->keys.jobs,
                          d->cli->keys.commands,
                          CS_GROUP,
                          cs_key_job(&d->cli->keys, "", prefix),
                          from,
                          PAGE,
                          when,
                          details,
                          retention};
    struct cs_reply *reply = NULL;

    if (d->fix)
        cs_time_format(cs_clock_wall_ms(), when);
    snprintf(from, sizeof from, "%" PRId64, *rank);
    snprintf(retention, sizeof retention, "%" PRId64, d->cli->cfg.retention_days * INT64_C(86400000));
    if (cli_eval(d->cli, &reply, err, "worker/lua/end_orphans.lua", 2, 9, argv) != CS_OK)
        return err->rc;
    *rank = cs_reply_int(cs_reply_at(reply, 0));
    for (size_t i = 1; i < cs_reply_len(reply); i++)
        if (o->count++ < ORPHANS_NAMED) {
            strcat(o->named, " ");
            strncat(o->named, cli_text(cs_reply_at(reply, i), NULL), CS_UUID_LEN);
        }
    cs_reply_free(reply);
    return CS_OK;
}

static void
check_orphans(struct doctor *d)
{
    struct orphans o = {0};
    struct cs_err err = {0};

    for (int64_t rank = 0; rank >= 0;)
        if (take_page(d, &rank, &o, &err) != CS_OK) {
            doctor_say(d, DOCTOR_WARNING, "queue.orphans", "grant it to have it checked", "not checked: %s",
                       err.msg);
            return;
        }
    if (o.count == 0)
        doctor_say(d, DOCTOR_OK, "queue.orphans", NULL, "every job that waits or runs has its entry");
    else if (d->fix)
        doctor_say(d, DOCTOR_FIXED, "queue.orphans", NULL,
                   "ended as failed, since their entries are gone (%zu):%s", o.count, o.named);
    else
        doctor_say(d, DOCTOR_WARNING, "queue.orphans", "cachesync doctor --fix ends them as failed",
                   "jobs that wait or run by their hashes, but whose entries are gone (%zu):%s", o.count,
                   o.named);
}

static void
check_dead(struct doctor *d)
{
    const char *xlen[] = {"XLEN", d->cli->keys.dead};
    const char *newest[] = {"XREVRANGE", d->cli->keys.dead, "+", "-", "COUNT", "1"};
    struct cs_reply *len = doctor_ask(d, "queue.dead", 2, xlen);
    struct cs_reply *last = len != NULL ? doctor_ask(d, "queue.dead", 6, newest) : NULL;

    if (last != NULL && cs_reply_int(len) > 0)
        doctor_say(d, DOCTOR_WARNING, "queue.dead", "cachesync dead list shows them; requeue or discard each",
                   "%" PRId64 " dead letters, the newest %" PRId64 " h old", cs_reply_int(len),
                   entry_age_ms(cs_reply_str(cs_reply_at(cs_reply_at(last, 0), 0), NULL)) / 3600000);
    else if (last != NULL)
        doctor_say(d, DOCTOR_OK, "queue.dead", NULL, "no dead letters");
    cs_reply_free(last);
    cs_reply_free(len);
}

void
doctor_queue(struct doctor *d)
{
    if (!check_types(d))
        return;
    check_group(d);
    check_orphans(d);
    check_dead(d);
}
