/* SPDX-License-Identifier: MIT */
/*
 * intake - reads the command stream on a connection of its own, never more than threads and window allow.
 *
 * After every (re)connect the own pending entries first (id 0 on), then new ones. Decides nothing about jobs.
 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/failpoint.h"
#include "worker/daemon/daemon.h"
#include "worker/daemon/pings.h"

#define BLOCK_MS "2000"
#define READ_TIMEOUT_MS 6000
#define RETRY_MS 500
#define SAID_EVERY_US INT64_C(10000000)
#define WINDOW_MAX 1024
#define HELD_MAX 2000  /* jobs in memory */
#define REFUSED_MAX 16 /* jobs that Redis does not let in: no more are read */

static void
read_later(struct daemon *d)
{
    const struct timeval after = {.tv_usec = RETRY_MS * 1000};

    evtimer_add(d->read_again, &after);
}

void
on_intake_timer(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    intake_read(arg);
}

/* A refusal goes on until somebody mends its cause: a line now and then is enough. */
static bool
to_be_said(struct daemon *d)
{
    int64_t now_us = cs_clock_mono_us();

    if (d->read_said_us && now_us < d->read_said_us + SAID_EVERY_US)
        return false;
    d->read_said_us = now_us;
    return true;
}

static void
on_group_reply(const struct cs_reply *reply, void *arg)
{
    struct daemon *d = arg;

    d->reading = false;
    if (!reply)
        return;
    if (cs_reply_is_error(reply, NULL) && !cs_reply_is_error(reply, "BUSYGROUP")) {
        if (to_be_said(d))
            CS_LOG(CS_LOG_WARN, "group_refused", NULL, cs_kv_s("error", cs_reply_str(reply, NULL)));
        read_later(d);
        return;
    }
    d->group_ready = true;
    intake_read(d);
}

static void
create_group(struct daemon *d)
{
    const char *argv[] = {"XGROUP", "CREATE", d->keys.commands, CS_GROUP, "0", "MKSTREAM"};

    d->reading = cs_redis_call(d->reader, on_group_reply, d, 0, 6, argv, NULL) == CS_OK;
}

/* Own history: the last id of the page, so that the next page follows it. */
static void
history_page(struct daemon *d, const struct cs_reply *entries)
{
    size_t n = cs_reply_len(entries);
    const char *id = n ? cs_reply_str(cs_reply_at(cs_reply_at(entries, n - 1), 0), NULL) : NULL;

    if (id)
        snprintf(d->history_id, sizeof(d->history_id), "%s", id);
    else
        d->history_done = true;
}

static void
on_read_reply(const struct cs_reply *reply, void *arg)
{
    struct daemon *d = arg;
    const struct cs_reply *entries;

    d->reading = false;
    if (!reply)
        return;
    if (cs_reply_is_error(reply, NULL)) {
        if (cs_reply_is_error(reply, "NOGROUP") || cs_reply_is_error(reply, "UNBLOCKED") ||
            cs_reply_is_error(reply, "WRONGTYPE"))
            d->group_ready = false;
        if (!cs_reply_is_error(reply, "UNBLOCKED") && to_be_said(d))
            CS_LOG(CS_LOG_WARN, "read_refused", NULL, cs_kv_s("error", cs_reply_str(reply, NULL)));
        if (cs_reply_is_error(reply, "READONLY"))
            cs_redis_drop(d->reader, "the server takes no writes: it is a replica");
        else
            read_later(d);
        return;
    }
    d->last_read_ms = cs_clock_wall_ms();
    entries = cs_reply_at(cs_reply_at(cs_reply_at(reply, 0), 0) ? cs_reply_at(reply, 0) : NULL, 1);
    if (!d->history_done)
        history_page(d, entries);
    if (cs_reply_len(entries) && CS_FAILPOINT("intake.read")) {
        cs_redis_drop(d->reader, "fail point: the entries are lost");
        return;
    }
    d->read_full = cs_reply_len(entries) >= d->asked;
    admit_take(d, entries);
    intake_read(d);
}

/*
 * How many entries to read: one for each free thread, and a window beyond. What joins another job or is a ping takes no
 * thread, so the window doubles while full reads leave threads free, and closes when they do not: then jobs would
 * wait here that another worker could run.
 */
static size_t
room(struct daemon *d)
{
    size_t threads = (size_t)d->cfg.workers, busy = jobs_busy(d) + pings_waiting(d), waiting, refused;

    jobs_count(d, &waiting, &refused);
    if (d->admitting || refused >= REFUSED_MAX || d->held >= HELD_MAX)
        return 0;
    if (busy > threads || (busy == threads && !waiting))
        d->window = 0;
    else if (d->read_full)
        d->window = d->window ? d->window * 2 : threads;
    if (d->window > WINDOW_MAX)
        d->window = WINDOW_MAX;
    d->read_full = false;
    if (busy == threads && waiting && !d->window)
        d->window = threads;
    return (busy < threads ? threads - busy : 0) + d->window;
}

static bool
may_read(const struct daemon *d)
{
    return !d->reading && !d->stopping && cs_redis_is_up(d->reader) && cs_redis_is_up(d->redis);
}

/*
 * With every thread busy, one entry that no idle worker took within a tick: should it wait for the environment that is
 * being synced here, the next ones can join it.
 */
void
intake_look_ahead(struct daemon *d)
{
    const char *argv[] = {"XREADGROUP", "GROUP",   CS_GROUP,         d->name, "COUNT",
                          "1",          "STREAMS", d->keys.commands, ">"};

    size_t busy, threads = (size_t)d->cfg.workers;

    if (!may_read(d) || !d->group_ready || !d->history_done || d->held == 0 || d->admitting)
        return;
    busy = jobs_busy(d) + pings_waiting(d);
    if (busy > threads || d->held >= HELD_MAX)
        d->last_read_ms = cs_clock_wall_ms(); /* busy, not deaf */
    if (busy != threads || d->held >= HELD_MAX)
        return;
    d->asked = 1;
    d->reading = cs_redis_call(d->reader, on_read_reply, d, READ_TIMEOUT_MS, 9, argv, NULL) == CS_OK;
}

void
intake_read(struct daemon *d)
{
    char count[24];
    const char *argv[] = {"XREADGROUP", "GROUP",  CS_GROUP,  d->name,          "COUNT", count,
                          "BLOCK",      BLOCK_MS, "STREAMS", d->keys.commands, ">"};

    if (!may_read(d))
        return;
    if (!d->group_ready) {
        create_group(d);
        return;
    }
    d->asked = room(d);
    if (!d->asked) {
        d->last_read_ms = cs_clock_wall_ms(); /* busy, not deaf: a finished job reads on */
        return;
    }
    snprintf(count, sizeof(count), "%zu", d->asked);
    if (!d->history_done)
        argv[10] = d->history_id;
    d->reading = cs_redis_call(d->reader, on_read_reply, d, READ_TIMEOUT_MS, 11, argv, NULL) == CS_OK;
}

void
intake_up(struct daemon *d)
{
    d->group_ready = d->history_done = d->reading = false;
    snprintf(d->history_id, sizeof(d->history_id), "0");
    intake_read(d);
}

void
intake_down(struct daemon *d)
{
    d->reading = false;
}
