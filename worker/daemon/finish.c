/* SPDX-License-Identifier: MIT */
/*
 * finish - makes the arguments of lua/finish.lua, the one atomic step that ends a job, and sees it through.
 *
 * The arguments are kept with the job until Redis answered, and are sent again after a lost connection.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "worker/daemon/daemon.h"
#include "worker/daemon/events.h"

#define DAY_MS INT64_C(86400000)

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

static void
final_fields(struct args *a, const struct job *job, const struct finish *how, int64_t now_ms)
{
    if (how->rejected)
        job_fields(a, job);
    if (how->rejected || !how->ran)
        add_time(a, "start_time", job->start_ms ? job->start_ms : now_ms);
    add_time(a, "end_time", now_ms);
    args_add(a, "duration_seconds");
    args_give(a, cs_xasprintf("%.3f", how->ran ? (double)(now_ms - job->start_ms) / 1000 : 0.0));
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

static void
final_events(struct args *a, const struct job *job, const struct finish *how, int64_t now_ms)
{
    const char *code = json_string_value(json_object_get(how->error_details, "code"));
    const char *message = json_string_value(json_object_get(how->error_details, "message"));
    struct event_end end = {.job_id = job->job_id,
                            .cmd = &job->cmd,
                            .status = how->status,
                            .duration_s = how->ran ? (double)(now_ms - job->start_ms) / 1000 : 0,
                            .doc = how->doc,
                            .error_details = how->error_details,
                            .coalesced_into = how->coalesced_into};

    if (job->job_id[0] && job->cmd.verb == CS_VERB_PING && !how->rejected)
        return;
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
    char key[CS_KEY_MAX], when[CS_TIME_LEN + 1];

    cs_time_format(now_ms, when);
    when[CS_DATE_LEN] = '\0';
    args_add(a, keys->commands);
    args_add(a, cs_key_job(keys, job->job_id, key));
    args_add(a, keys->jobs);
    args_add(a, keys->events);
    args_add(a, cs_key_daily(keys, when, key));
    args_add(a, cs_key_universes(keys, job->cmd.environment, key));
    args_add(a, keys->dead);
    job->end_nkeys = (int)a->count;
}

/* Everything but keys and owner: ARGV 3 on. */
static void
finish_args(struct job *job, struct args *a, const struct finish *how, int64_t now_ms)
{
    const struct cs_config *cfg = &job->d->cfg;
    bool ping = job->cmd.verb == CS_VERB_PING && !how->rejected;
    const json_t *universes = json_object_get(how->doc, "universes");
    struct args list = {0};

    args_add(a, job->entry_id);
    args_add(a, job->job_id);
    args_add(a, !job->job_id[0] ? "none" : ping ? "ping" : "job");
    args_add(a, cs_status_name(how->status));
    args_int(a, job->created_ms);
    args_int(a, now_ms);
    args_int(a, cfg->retention_days * DAY_MS);
    args_int(a, cfg->retention_jobs);
    if (how->ran)
        args_int(a, now_ms - job->start_ms);
    else
        args_add(a, "");
    args_int(a, cfg->events_maxlen);
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

static void
on_finish_reply(const struct cs_reply *reply, void *arg)
{
    struct job *job = arg;
    struct daemon *d = job->d;

    if (!reply)
        return; /* sent again by jobs_redis_up */
    if (cs_reply_is_error(reply, NULL))
        CS_LOG(CS_LOG_ERROR, "finish_refused", job->job_id, cs_kv_s("error", cs_reply_str(reply, NULL)));
    else
        CS_LOG(CS_LOG_DEBUG, "job_acknowledged", job->job_id, cs_kv_s("answer", cs_reply_str(reply, NULL)));
    jobs_drop(job);
    jobs_run(d);
    intake_read(d);
    daemon_maybe_stop(d);
}

void
finish_send(struct job *job)
{
    struct args *a = &job->end;

    job->state = JOB_ENDING;
    if (cs_redis_eval(job->d->redis, "worker/lua/finish.lua", on_finish_reply, job, job->end_nkeys,
                      (int)a->count, a->v, a->len) != CS_OK)
        return; /* not up: sent again by jobs_redis_up */
}

void
finish_job(struct job *job, const struct finish *how)
{
    int64_t now_ms = cs_clock_wall_ms();
    const char *code = json_string_value(json_object_get(how->error_details, "code"));
    const char *message = json_string_value(json_object_get(how->error_details, "message"));

    args_fini(&job->end);
    finish_keys(job, &job->end, now_ms);
    args_add(&job->end, CS_GROUP);
    args_add(&job->end, job->d->name);
    finish_args(job, &job->end, how, now_ms);
    if (how->status == CS_STATUS_COMPLETED)
        job->d->completed++;
    else
        job->d->failed++;
    CS_LOG(how->status == CS_STATUS_COMPLETED ? CS_LOG_INFO : CS_LOG_WARN, "job_finished", job->job_id,
           cs_kv_s("status", cs_status_name(how->status)), cs_kv_s("code", code ? code : ""),
           cs_kv_s("message", message ? message : ""), cs_kv_i("attempts", job->attempts),
           cs_kv_i("changes", json_integer_value(json_object_get(how->doc, "total_changes"))),
           cs_kv_i("duration_ms", how->ran ? now_ms - job->start_ms : 0));
    finish_send(job);
}

void
finish_failed(struct job *job, const char *code, const char *message, const json_t *figures, bool rejected)
{
    json_t *details = figures ? json_deep_copy(figures) : json_object();
    struct finish how = {.status = CS_STATUS_FAILED, .error_details = details, .rejected = rejected};

    json_object_set_new(details, "code", json_string(code));
    json_object_set_new(details, "message", cs_json_text(message, strlen(message)));
    how.ran = job->start_ms != 0;
    how.dead = strcmp(code, "cancelled") != 0;
    finish_job(job, &how);
    json_decref(details);
}

/* ---- an entry that nobody has read ---- */

static void
on_unread_finish(const struct cs_reply *reply, void *arg)
{
    struct job *job = arg;

    if (reply)
        CS_LOG(CS_LOG_INFO, "cancel_unread", job->job_id, cs_kv_s("answer", cs_reply_str(reply, NULL)));
    args_fini(&job->end);
    free(job);
}

static void
on_unread_entry(const struct cs_reply *reply, void *arg)
{
    struct job *job = arg;
    const struct cs_reply *fields = cs_reply_at(cs_reply_at(reply, 0), 1);
    size_t count = cs_reply_len(fields) / 2;
    struct cs_field *list = cs_xcalloc(count + 1, sizeof(*list));
    json_t *details = json_pack("{s:s,s:s}", "code", "cancelled", "message", "cancelled before it was read");
    struct finish how = {.status = CS_STATUS_FAILED, .error_details = details, .rejected = true};
    int64_t now_ms = cs_clock_wall_ms();
    struct cs_err err = {0};

    for (size_t i = 0; i < count; i++) {
        list[i].name = cs_reply_str(cs_reply_at(fields, 2 * i), &list[i].name_len);
        list[i].value = cs_reply_str(cs_reply_at(fields, 2 * i + 1), &list[i].value_len);
    }
    cs_command_init(&job->cmd, job->d->cfg.environment, "stream");
    if (count && cs_command_decode(&job->cmd, list, count, &err) == CS_OK && job->cmd.verb == CS_VERB_SYNC) {
        finish_keys(job, &job->end, now_ms);
        args_add(&job->end, CS_GROUP);
        args_add(&job->end, "");
        finish_args(job, &job->end, &how, now_ms);
        if (cs_redis_eval(job->d->redis, "worker/lua/finish.lua", on_unread_finish, job, job->end_nkeys,
                          (int)job->end.count, job->end.v, job->end.len) == CS_OK)
            job = NULL;
    }
    free(list);
    json_decref(details);
    if (job)
        on_unread_finish(NULL, job);
}

void
finish_unread(struct daemon *d, const char *job_id)
{
    struct cs_entry_id id;
    struct job *job;

    if (cs_uuid_to_entry(job_id, &id) != CS_OK)
        return;
    job = cs_xcalloc(1, sizeof(*job));
    job->d = d;
    snprintf(job->job_id, sizeof(job->job_id), "%s", job_id);
    cs_entry_id_format(&id, job->entry_id);
    job->created_ms = (int64_t)id.ms;
    if (cs_redis_call(d->redis, on_unread_entry, job, 0, 4,
                      (const char *[]){"XRANGE", d->keys.commands, job->entry_id, job->entry_id},
                      NULL) != CS_OK)
        free(job);
}
