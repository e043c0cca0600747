/* SPDX-License-Identifier: MIT */
/*
 * metrics - GET /metrics: what stands in P:metrics, the streams and the workers' hashes, and the adapter's own counts.
 * With Redis away only the last remain, and cachesync_redis_up is 0. Loop thread.
 */
#include "worker/http/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "worker/http/http.h"

#define WORKERS_MAX "99" /* index of the last one looked at */
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum { Q_METRICS, Q_WORKERS, Q_ENTRIES, Q_GROUPS, Q_OLDEST, Q_DEAD };

/* What a call for /metrics collects. */
struct http_metrics {
    struct text out;
    struct http_worker workers[HTTP_METRICS_WORKERS];
    size_t worker_count;
    int64_t entries, pending, dead, oldest_ms, waiting_ms;
    char after[CS_ENTRY_ID_LEN + 2]; /* "(" and the last entry that a worker has read */
};

static const struct cs_reply *
field_of(const struct cs_reply *pairs, const char *name)
{
    for (size_t i = 0; i + 1 < cs_reply_len(pairs); i += 2) {
        const char *found = cs_reply_str(cs_reply_at(pairs, i), NULL);

        if (found && strcmp(found, name) == 0)
            return cs_reply_at(pairs, i + 1);
    }
    return NULL;
}

static int64_t
entry_ms(const struct cs_reply *entries)
{
    const char *id = cs_reply_str(cs_reply_at(cs_reply_at(entries, 0), 0), NULL);
    struct cs_entry_id entry;

    return id && cs_entry_id_parse(id, &entry) == CS_OK ? (int64_t)entry.ms : 0;
}

static void
take_names(struct http_metrics *m, const struct cs_reply *reply)
{
    for (size_t i = 0; i < cs_reply_len(reply) && m->worker_count < HTTP_METRICS_WORKERS; i++) {
        const char *name = cs_reply_str(cs_reply_at(reply, i), NULL);

        if (name && strlen(name) < sizeof m->workers[0].name)
            strcpy(m->workers[m->worker_count++].name, name);
    }
}

/* The group of the workers: what they hold, and how far they have read. */
static void
take_groups(struct http_metrics *m, const struct cs_reply *groups)
{
    for (size_t i = 0; i < cs_reply_len(groups); i++) {
        const struct cs_reply *group = cs_reply_at(groups, i);
        const char *name = cs_reply_str(field_of(group, "name"), NULL);
        const char *last = cs_reply_str(field_of(group, "last-delivered-id"), NULL);

        if (!name || strcmp(name, CS_GROUP) != 0)
            continue;
        m->pending = cs_reply_int(field_of(group, "pending"));
        if (last)
            snprintf(m->after, sizeof m->after, "(%s", last);
    }
}

static void
on_redis_state(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    struct http_metrics *m = call->metrics;
    struct cs_field *fields;
    size_t count;

    if (cs_reply_is_error(reply, NULL) && index != Q_GROUPS) {
        call->unavailable = true;
        return;
    }
    switch (index) {
    case Q_METRICS:
        fields = http_fields(reply, &count);
        http_metrics_counters(&m->out, fields, count, cs_clock_wall_ms());
        free(fields);
        break;
    case Q_WORKERS:
        take_names(m, reply);
        break;
    case Q_ENTRIES:
        m->entries = cs_reply_int(reply);
        break;
    case Q_GROUPS:
        take_groups(m, reply); /* without a stream or a group: an error, or nothing */
        break;
    case Q_OLDEST:
        m->oldest_ms = entry_ms(reply);
        break;
    default:
        m->dead = cs_reply_int(reply);
    }
}

static void
on_redis_details(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    struct http_metrics *m = call->metrics;
    struct cs_field *fields;
    size_t count;

    if (index == m->worker_count) {
        m->waiting_ms = entry_ms(reply);
        return;
    }
    fields = http_fields(reply, &count);
    http_metrics_worker(&m->workers[index], fields, count, cs_clock_wall_ms());
    free(fields);
}

static double
age_s(int64_t since_ms)
{
    int64_t age_ms = since_ms > 0 ? cs_clock_wall_ms() - since_ms : 0;

    return age_ms > 0 ? (double)age_ms / 1000.0 : 0.0;
}

static void
reply_state(struct http_call *call)
{
    struct http_metrics *m = call->metrics;
    struct text *out = &m->out;
    int64_t waiting = m->entries > m->pending ? m->entries - m->pending : 0;

    http_metrics_gauge(out, "cachesync_queue_depth", "Entries in the command stream that no worker has read.",
                       (double)waiting);
    http_metrics_gauge(out, "cachesync_pending_entries", "Entries that a worker has read and not finished.",
                       (double)m->pending);
    http_metrics_gauge(out, "cachesync_oldest_waiting_seconds",
                       "Age of the oldest entry that no worker has read; 0: none.", age_s(m->waiting_ms));
    http_metrics_gauge(out, "cachesync_oldest_unfinished_seconds",
                       "Age of the oldest entry that is not finished; 0: none.", age_s(m->oldest_ms));
    http_metrics_gauge(out, "cachesync_dead_letter_entries",
                       "Dead letters kept in the stream of dead letters.", (double)m->dead);
    http_metrics_workers(out, m->workers, m->worker_count);
    http_metrics_gauge(out, "cachesync_redis_up", "Whether the adapter reaches Redis.", 1);
    http_metrics_adapter(out, call->app);
    http_reply(call, 200, CONTENT_TYPE, out->at, out->len);
}

static void
reply_without_redis(struct http_call *call)
{
    struct text *out = &call->metrics->out;

    text_clear(out);
    http_metrics_gauge(out, "cachesync_redis_up", "Whether the adapter reaches Redis.", 0);
    http_metrics_adapter(out, call->app);
    http_reply(call, 200, CONTENT_TYPE, out->at, out->len);
}

static void
ask_details(struct http_call *call)
{
    struct http_metrics *m = call->metrics;
    char key[CS_KEY_MAX];

    call->tolerant = false;
    http_expect(call, on_redis_details, reply_state);
    for (size_t i = 0; i < m->worker_count; i++)
        http_ask(call, 2,
                 (const char *[]){"HGETALL", cs_key_worker(&call->app->keys, m->workers[i].name, key)});
    http_ask(call, 6, (const char *[]){"XRANGE", call->app->keys.commands, m->after, "+", "COUNT", "1"});
}

void
http_metrics_free(struct http_metrics *metrics)
{
    if (!metrics)
        return;
    text_fini(&metrics->out);
    free(metrics);
}

void
http_metrics(struct http_call *call)
{
    const struct cs_keys *keys = &call->app->keys;

    call->metrics = cs_xcalloc(1, sizeof *call->metrics);
    strcpy(call->metrics->after, "-");
    call->tolerant = true;
    call->on_down = reply_without_redis;
    http_expect(call, on_redis_state, ask_details);
    http_ask(call, 2, (const char *[]){"HGETALL", keys->metrics});
    http_ask(call, 4, (const char *[]){"ZREVRANGE", keys->workers, "0", WORKERS_MAX});
    http_ask(call, 2, (const char *[]){"XLEN", keys->commands});
    http_ask(call, 3, (const char *[]){"XINFO", "GROUPS", keys->commands});
    http_ask(call, 6, (const char *[]){"XRANGE", keys->commands, "-", "+", "COUNT", "1"});
    http_ask(call, 2, (const char *[]){"XLEN", keys->dead});
}
