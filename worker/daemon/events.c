/* SPDX-License-Identifier: MIT */
/*
 * events - the envelopes of docs/protocol.md. Sends nothing.
 */
#include "worker/daemon/events.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"

#define SOURCE_API "cache_sync_api"
#define SOURCE_JOB "daily_cache_sync_job"
#define SOURCE_PROCESSING "processing.cache_sync"
#define SOURCE_ERROR "TickStockPL"

static json_t *
text(const char *s)
{
    return s ? cs_json_text(s, strlen(s)) : json_null();
}

static json_t *
envelope(const char *event, const char *source, int64_t now_ms, json_t *payload)
{
    char when[CS_TIME_LEN + 1];
    json_t *e = json_object();

    cs_time_format(now_ms, when);
    json_object_set_new(e, "event", json_string(event));
    json_object_set_new(e, "timestamp", json_string(when));
    json_object_set_new(e, "source", json_string(source));
    json_object_set_new(e, "version", json_string("1.0"));
    json_object_set_new(e, "payload", payload);
    return e;
}

static void
emit(struct args *out, const char *channel, json_t *event)
{
    args_add(out, channel);
    args_give(out, cs_json_dump(event));
    json_decref(event);
}

void
events_triggered(struct args *out, const char *job_id, const struct cs_command *cmd, int64_t now_ms)
{
    json_t *p = json_object();

    json_object_set_new(p, "job_id", json_string(job_id));
    json_object_set_new(p, "mode", json_string(cs_mode_name(cmd->mode)));
    json_object_set_new(p, "force", json_boolean(cmd->force));
    json_object_set_new(p, "triggered_by", text(cmd->triggered_by));
    json_object_set_new(p, "dry_run", json_boolean(cmd->dry_run));
    json_object_set_new(p, "environment", text(cmd->environment));
    emit(out, CS_CH_TRIGGERED, envelope("cache_sync_triggered", SOURCE_API, now_ms, p));
}

char *
events_progress_field(const struct sync_progress *p)
{
    json_t *o = json_object();
    char *s;

    json_object_set_new(o, "percentage", json_integer(p->percent));
    json_object_set_new(o, "current_task", text(p->task));
    json_object_set_new(o, "total_symbols", json_integer(p->total_symbols));
    json_object_set_new(o, "processed", json_integer(p->processed));
    s = cs_json_dump(o);
    json_decref(o);
    return s;
}

void
events_progress(struct args *out, const char *job_id, const struct sync_progress *p, int64_t start_ms,
                int64_t now_ms)
{
    char when[CS_TIME_LEN + 1];
    json_t *o = json_object(), *eta = json_null();
    int64_t left = p->total_symbols > p->processed ? p->total_symbols - p->processed : 0;

    if (p->percent > 0) {
        cs_time_format(start_ms + (now_ms - start_ms) * 100 / p->percent, when);
        eta = json_string(when);
    }
    json_object_set_new(o, "run_id", json_string(job_id));
    json_object_set_new(o, "phase", json_string("cache_sync"));
    json_object_set_new(o, "current_task", text(p->task));
    json_object_set_new(o, "total_symbols", json_integer(p->total_symbols));
    json_object_set_new(o, "completed", json_integer(p->processed));
    json_object_set_new(o, "failed", json_integer(0));
    json_object_set_new(o, "processed", json_integer(p->processed));
    json_object_set_new(o, "remaining", json_integer(left));
    json_object_set_new(o, "percentage", json_integer(p->percent));
    json_object_set_new(o, "current_symbol", json_null());
    json_object_set_new(o, "estimated_completion", eta);
    emit(out, CS_CH_MONITORING, envelope("job_progress_update", SOURCE_PROCESSING, now_ms, o));
}

static void
change(struct args *out, const char *channel, const char *event, const char *job_id, const json_t *item,
       int64_t now_ms)
{
    json_t *p;

    if (!json_is_object(item))
        return;
    p = json_deep_copy(item);
    json_object_set_new(p, "job_id", json_string(job_id));
    emit(out, channel, envelope(event, SOURCE_JOB, now_ms, p));
}

void
events_changes(struct args *out, const char *job_id, const json_t *doc, int64_t now_ms)
{
    const json_t *events = json_object_get(doc, "events"), *list;
    size_t n;

    if (json_is_true(json_object_get(doc, "dry_run")))
        return;
    list = json_object_get(events, "universes");
    n = json_array_size(list);
    for (size_t i = 0; i < n; i++)
        change(out, CS_CH_UNIVERSE, "universe_updated", job_id, json_array_get(list, i), now_ms);
    list = json_object_get(events, "ipos");
    n = json_array_size(list);
    for (size_t i = 0; i < n; i++)
        change(out, CS_CH_IPO, "ipo_assigned", job_id, json_array_get(list, i), now_ms);
    change(out, CS_CH_DELISTING, "delisting_cleanup", job_id, json_object_get(events, "delistings"), now_ms);
}

static json_t *
task_results(const json_t *doc, bool completed)
{
    json_t *given = json_object_get(doc, "task_results"), *all, *one;

    if (given)
        return json_incref(given);
    all = json_object();
    for (int t = 0; t < CS_TASK_COUNT; t++) {
        one = json_object();
        json_object_set_new(one, "status", json_string(completed ? "completed" : "skipped"));
        json_object_set_new(one, "changes", json_integer(0));
        json_object_set_new(all, cs_task_name((enum cs_task)t), one);
    }
    return all;
}

static json_t *
copy_or(const json_t *value, json_t *otherwise)
{
    if (!value)
        return otherwise;
    json_decref(otherwise);
    return json_deep_copy(value);
}

void
events_complete(struct args *out, const struct event_end *end, int64_t now_ms)
{
    const char *status = cs_status_name(end->status);
    json_t *p = json_object();

    json_object_set_new(p, "job_id", json_string(end->job_id));
    json_object_set_new(p, "status", json_string(status));
    json_object_set_new(p, "mode", json_string(end->mode));
    json_object_set_new(p, "total_changes",
                        copy_or(json_object_get(end->doc, "total_changes"), json_integer(0)));
    json_object_set_new(p, "universes_updated",
                        copy_or(json_object_get(end->doc, "universes_updated"), json_array()));
    json_object_set_new(p, "duration_seconds", json_real(end->duration_s));
    json_object_set_new(p, "sync_status", json_string(status));
    json_object_set_new(p, "task_results", task_results(end->doc, end->status == CS_STATUS_COMPLETED));
    json_object_set_new(p, "error_details", copy_or(end->error_details, json_null()));
    if (end->coalesced_into)
        json_object_set_new(p, "coalesced_into", json_string(end->coalesced_into));
    emit(out, CS_CH_COMPLETE, envelope("cache_sync_completed", SOURCE_JOB, now_ms, p));
}

static json_t *
error_body(const char *severity, const char *message, json_t *context)
{
    json_t *o = json_object();

    json_object_set_new(o, "severity", json_string(severity));
    json_object_set_new(o, "component", json_string(SOURCE_PROCESSING));
    json_object_set_new(o, "message", text(message));
    json_object_set(o, "context", context);
    return o;
}

void
events_error(struct args *out, const char *job_id, const char *severity, const char *code,
             const char *message, const json_t *context, int64_t now_ms)
{
    json_t *ctx = context ? json_deep_copy(context) : json_object(), *top, *payload, *e;
    const char *universe = json_string_value(json_object_get(context, "universe"));
    char *id =
        universe ? cs_xasprintf("%s:%s:%s", job_id, code, universe) : cs_xasprintf("%s:%s", job_id, code);

    json_object_set_new(ctx, "job_id", json_string(job_id));
    payload = error_body(severity, message, ctx);
    json_object_set_new(payload, "error_code", json_string(code));
    e = envelope("error", SOURCE_ERROR, now_ms, payload);
    top = error_body(severity, message, ctx);
    json_object_set_new(top, "error_id", json_string(id));
    json_object_set_new(top, "category", json_string(code));
    json_object_update_missing(e, top);
    json_decref(top);
    json_decref(ctx);
    free(id);
    emit(out, CS_CH_ERRORS, e);
}
