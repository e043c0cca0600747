/* SPDX-License-Identifier: MIT */
/*
 * finish_args - the keys and arguments of lua/finish: all that is told of a job that ends.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "worker/daemon/daemon.h"
#include "worker/daemon/events.h"

static void
add_json(struct args *a, const char *name, const json_t *value)
{
    if (!value || json_is_null(value))
        return;
    args_add(a, name);
    args_give(a, cs_json_dump(value));
}

static void
add_time(struct args *a, const char *name, int64_t wall_ms)
{
    char when[CS_TIME_LEN + 1];

    cs_time_format(wall_ms, when);
    args_pair(a, name, when);
}

static double
seconds(const struct job *job, const struct finish *how, int64_t now_ms)
{
    return how->ran && now_ms > job->start_ms ? (double)(now_ms - job->start_ms) / 1000 : 0;
}

static void
final_fields(struct args *a, const struct job *job, const struct finish *how, int64_t now_ms)
{
    if (how->rejected)
        job_fields(a, job);
    add_time(a, "start_time", job->start_ms ? job->start_ms : now_ms);
    add_time(a, "end_time", now_ms);
    args_add(a, "duration_seconds");
    args_give(a, cs_xasprintf("%.3f", seconds(job, how, now_ms)));
    add_json(a, "error_details", how->error_details);
    add_json(a, "total_changes", json_object_get(how->doc, "total_changes"));
    add_json(a, "universes_updated", json_object_get(how->doc, "universes_updated"));
    add_json(a, "summary", json_object_get(how->doc, "summary"));
    args_pair(a, "coalesced_into", how->coalesced_into);
}

static void
universe_fields(struct args *a, const json_t *universes)
{
    void *it = json_object_iter((json_t *)(uintptr_t)universes);

    for (; it; it = json_object_iter_next((json_t *)(uintptr_t)universes, it)) {
        args_add(a, json_object_iter_key(it));
        args_give(a, cs_json_dump(json_object_iter_value(it)));
    }
}

static void
warnings(struct args *a, const char *job_id, const json_t *doc, int64_t now_ms)
{
    const json_t *list = json_object_get(doc, "warnings"), *w;
    const char *severity, *code, *message;
    size_t n = json_array_size(list);

    for (size_t i = 0; i < n; i++) {
        w = json_array_get(list, i);
        severity = json_string_value(json_object_get(w, "severity"));
        code = json_string_value(json_object_get(w, "error_code"));
        message = json_string_value(json_object_get(w, "message"));
        events_error(a, job_id, severity ? severity : "warning", code ? code : "warning",
                     message ? message : "", json_object_get(w, "context"), now_ms);
    }
}

static struct event_end
event_end(const struct job *job, const struct finish *how, int64_t now_ms)
{
    return (struct event_end){.job_id = job->job_id,
                              .mode = cs_mode_name(job->cmd.mode),
                              .status = how->status,
                              .duration_s = seconds(job, how, now_ms),
                              .doc = how->doc,
                              .error_details = how->error_details,
                              .coalesced_into = how->coalesced_into};
}

static void
final_events(struct args *a, const struct job *job, const struct finish *how, int64_t now_ms)
{
    const char *code = json_string_value(json_object_get(how->error_details, "code"));
    const char *message = json_string_value(json_object_get(how->error_details, "message"));
    struct event_end end = event_end(job, how, now_ms);

    if (job->job_id[0] && how->rejected)
        events_triggered(a, job->job_id, &job->cmd, now_ms);
    if (how->doc && !how->coalesced_into) {
        events_changes(a, job->job_id, how->doc, now_ms);
        warnings(a, job->job_id, how->doc, now_ms);
    }
    if (code && !how->coalesced_into && strcmp(code, "cancelled") != 0)
        events_error(a, job->job_id[0] ? job->job_id : job->entry_id, "error", code, message ? message : code,
                     how->error_details, now_ms);
    if (job->job_id[0])
        events_complete(a, &end, now_ms);
}

#define LETTER_FIELDS 64
#define LETTER_BYTES 4096

static void
dead_letter(struct args *a, const struct job *job, const struct finish *how, int64_t now_ms)
{
    const char *code = json_string_value(json_object_get(how->error_details, "code"));
    const char *message = json_string_value(json_object_get(how->error_details, "message"));

    for (size_t i = 0; i < job->fields.count && i < 2 * LETTER_FIELDS; i++)
        args_bytes(a, job->fields.v[i],
                   job->fields.len[i] > LETTER_BYTES ? LETTER_BYTES : job->fields.len[i]);
    args_pair(a, "job_id", job->job_id);
    args_pair(a, "reason", code);
    args_pair(a, "error", message);
    args_add(a, "attempts");
    args_int(a, job->attempts);
    add_time(a, "failed_at", now_ms);
}

static void
finish_keys(struct job *job, struct args *a, int64_t now_ms)
{
    const struct cs_keys *keys = &job->d->keys;
    const char *environment = job->cmd.environment;
    char key[CS_KEY_MAX], when[CS_TIME_LEN + 1];

    cs_time_format(now_ms, when);
    when[CS_DATE_LEN] = '\0';
    args_add(a, keys->commands);
    args_add(a, cs_key_job(keys, job->job_id, key));
    args_add(a, keys->jobs);
    args_add(a, keys->events);
    args_add(a, cs_key_daily(keys, when, key));
    args_add(a, cs_key_universes(keys, environment, key));
    args_add(a, keys->dead);
    args_add(a, keys->metrics);
    args_add(a, cs_key_pending(keys, environment, key));
    args_add(a, cs_key_running(keys, environment, key));
    args_add(a, keys->entries);
    args_add(a, cs_key_waiters(keys, job->job_id, key));
    args_add(a, cs_key_duplicates(keys, job->job_id, key));
    job->end_nkeys = (int)a->count;
}

/*
 * The last event of those that wait for this job, in four pieces around job id, mode and the job that did the work;
 * JSON has no line break of its own, so that one can stand between them.
 */
static char *
settle_event(const struct event_end *end, int64_t now_ms)
{
    static const char *const blanks[] = {"\"<job>\"", "\"<mode>\"", "\"<into>\""};
    struct event_end blank = *end;
    struct args event = {0};
    char *text, *at, *from;

    blank.job_id = "<job>";
    blank.mode = "<mode>";
    blank.coalesced_into = "<into>";
    events_complete(&event, &blank, now_ms);
    text = cs_xstrdup(event.v[1]);
    args_fini(&event);
    from = text;
    for (size_t i = 0; i < sizeof(blanks) / sizeof(*blanks); i++) {
        at = strstr(from, blanks[i]);
        if (!at)
            break;
        at[1] = '\n';
        memmove(at + 2, at + strlen(blanks[i]) - 1, strlen(at + strlen(blanks[i]) - 1) + 1);
        from = at + 2;
    }
    return text;
}

static void
put(json_t *o, const char *name, const char *value)
{
    json_object_set_new(o, name, json_string(value));
}

static void
put_int(json_t *o, const char *name, int64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, n);
    put(o, name, text);
}

static int64_t
churn_warnings(const json_t *doc)
{
    const json_t *list = json_object_get(doc, "warnings");
    const char *code;
    int64_t n = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        code = json_string_value(json_object_get(json_array_get(list, i), "error_code"));
        n += code && strcmp(code, "universe_churn") == 0;
    }
    return n;
}

static bool
committed(const struct finish *how)
{
    return how->status == CS_STATUS_COMPLETED && how->ran &&
           !json_is_true(json_object_get(how->doc, "dry_run"));
}

static char *
finish_head(const struct job *job, const struct finish *how, int64_t now_ms)
{
    static const char *const held[] = {"owner", "unread", "waiter", "trimmed"};
    const struct cs_config *cfg = &job->d->cfg;
    const char *code = json_string_value(json_object_get(how->error_details, "code"));
    struct event_end end = event_end(job, how, now_ms);
    const char *day = json_string_value(json_object_get(how->doc, "market_date"));
    json_t *o = json_object();
    char slot[64], *settle, *text;

    job_slot(slot, job);
    put(o, "group", CS_GROUP);
    put(o, "consumer", job->d->name);
    put(o, "entry", job->entry_id);
    put(o, "job_id", job->job_id);
    put(o, "kind", job->job_id[0] ? "job" : "none");
    put(o, "held", held[job->held]);
    put(o, "status", cs_status_name(how->status));
    put(o, "mode", cs_mode_name(job->cmd.mode));
    put(o, "environment", job->cmd.environment);
    put(o, "slot", slot);
    put_int(o, "created_ms", job->created_ms);
    put_int(o, "now_ms", now_ms);
    put_int(o, "retention_ms", cfg->retention_days * DAEMON_DAY_MS);
    put_int(o, "retention_jobs", cfg->retention_jobs);
    put(o, "duration_ms", "");
    if (how->ran)
        put_int(o, "duration_ms", now_ms > job->start_ms ? now_ms - job->start_ms : 0);
    put_int(o, "events_maxlen", cfg->events_maxlen);
    put(o, "cancelled", code && strcmp(code, "cancelled") == 0 ? "1" : "");
    put(o, "committed", committed(how) ? "1" : "");
    put(o, "market_date", day ? day : "");
    put_int(o, "churn", how->coalesced_into ? 0 : churn_warnings(how->doc));
    settle = settle_event(&end, now_ms);
    put(o, "settle", settle);
    free(settle);
    text = cs_json_dump(o);
    json_decref(o);
    return text;
}

void
finish_args(struct job *job, struct args *a, const struct finish *how, int64_t now_ms)
{
    const json_t *universes = json_object_get(how->doc, "universes");
    struct args list = {0};

    finish_keys(job, a, now_ms);
    args_give(a, finish_head(job, how, now_ms));
    final_fields(&list, job, how, now_ms);
    args_list(a, &list);
    args_fini(&list);
    if (universes && !json_is_true(json_object_get(how->doc, "dry_run"))) {
        universe_fields(&list, universes);
        args_list(a, &list);
        args_fini(&list);
    } else {
        args_int(a, -1);
    }
    final_events(&list, job, how, now_ms);
    args_list(a, &list);
    args_fini(&list);
    if (how->dead)
        dead_letter(&list, job, how, now_ms);
    args_list(a, &list);
    args_fini(&list);
}
