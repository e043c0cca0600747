/* SPDX-License-Identifier: MIT */
/*
 * control - cancel commands from P:control, on a connection of its own, and imports that start a sync.
 *
 * Starts where some worker has read to, so that no cancel is lost while none is up; keeps its place over reconnects. Runs
 * no job itself.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/failpoint.h"
#include "common/json.h"
#include "common/mem.h"
#include "worker/daemon/daemon.h"

#define BLOCK_MS "2000"
#define READ_TIMEOUT_MS 6000
#define SAID_EVERY_US INT64_C(10000000)
#define MESSAGE_MAX (1 << 20)

static void control_read(struct daemon *d);

/* Tried again every second; said now and then. */
static void
refused(struct daemon *d, const struct cs_reply *reply)
{
    int64_t now_us = cs_clock_mono_us();

    event_add(d->control_again, &(struct timeval){.tv_sec = 1});
    if (d->control_said_us && now_us < d->control_said_us + SAID_EVERY_US)
        return;
    d->control_said_us = now_us;
    CS_LOG(CS_LOG_WARN, "control_refused", NULL, cs_kv_s("error", cs_reply_str(reply, NULL)));
}

static void
obey(struct daemon *d, const struct cs_reply *entry)
{
    const char *id = cs_reply_str(cs_reply_at(entry, 0), NULL);
    const struct cs_reply *fields = cs_reply_at(entry, 1);
    size_t count = cs_reply_len(fields) / 2;
    struct cs_field *list = cs_xcalloc(count + 1, sizeof(*list));
    struct cs_err err = {0};
    struct cs_command cmd;

    for (size_t i = 0; i < count; i++) {
        list[i].name = cs_reply_str(cs_reply_at(fields, 2 * i), &list[i].name_len);
        list[i].value = cs_reply_str(cs_reply_at(fields, 2 * i + 1), &list[i].value_len);
    }
    cs_command_init(&cmd, d->cfg.environment, "stream");
    if (cs_command_decode(&cmd, list, count, &err) != CS_OK)
        CS_LOG(CS_LOG_WARN, "control_invalid", NULL, cs_kv_s("entry", id), cs_kv_s("error", err.msg));
    else if (cmd.verb == CS_VERB_CANCEL)
        cancel_job(d, cmd.job_id);
    else
        CS_LOG(CS_LOG_WARN, "control_ignored", NULL, cs_kv_s("entry", id),
               cs_kv_s("command", cs_verb_name(cmd.verb)));
    free(list);
    if (id)
        snprintf(d->control_id, sizeof(d->control_id), "%s", id);
}

/* For the next worker; one that reads a little behind sets it back, and a cancel does no harm twice. */
static void
remember_place(struct daemon *d)
{
    const char *argv[] = {"SET", d->keys.control_read, d->control_id};

    if (cs_redis_call(d->control, NULL, NULL, 0, 3, argv, NULL) != CS_OK)
        return; /* with the next ones */
}

static void
on_control_reply(const struct cs_reply *reply, void *arg)
{
    struct daemon *d = arg;
    const struct cs_reply *entries = cs_reply_at(cs_reply_at(reply, 0), 1);

    if (!reply)
        return;
    if (cs_reply_is_error(reply, NULL)) {
        refused(d, reply);
        return;
    }
    if (cs_reply_len(entries) && CS_FAILPOINT("control.read")) {
        cs_redis_drop(d->control, "fail point: the commands are lost");
        return;
    }
    for (size_t i = 0; i < cs_reply_len(entries); i++)
        obey(d, cs_reply_at(entries, i));
    if (cs_reply_len(entries))
        remember_place(d);
    control_read(d);
}

void
on_control_timer(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    control_up(arg);
}

static void
control_read(struct daemon *d)
{
    const char *argv[] = {"XREAD",  "COUNT",   "100",           "BLOCK",
                          BLOCK_MS, "STREAMS", d->keys.control, d->control_id};

    if (cs_redis_call(d->control, on_control_reply, d, READ_TIMEOUT_MS, 8, argv, NULL) != CS_OK)
        return; /* control_up reads again */
}

static void
on_newest_reply(const struct cs_reply *reply, void *arg)
{
    struct daemon *d = arg;
    const char *id = cs_reply_str(cs_reply_at(cs_reply_at(reply, 0), 0), NULL);

    if (!reply)
        return;
    if (cs_reply_is_error(reply, NULL)) {
        refused(d, reply);
        return;
    }
    snprintf(d->control_id, sizeof(d->control_id), "%s", id ? id : "0-0");
    remember_place(d);
    control_read(d);
}

static void
on_place_reply(const struct cs_reply *reply, void *arg)
{
    struct daemon *d = arg;
    const char *newest[] = {"XREVRANGE", d->keys.control, "+", "-", "COUNT", "1"};
    const char *place = cs_reply_str(reply, NULL);
    struct cs_entry_id id;

    if (!reply)
        return;
    if (cs_reply_is_error(reply, NULL)) {
        refused(d, reply);
    } else if (place && cs_entry_id_parse(place, &id) == CS_OK) {
        cs_entry_id_format(&id, d->control_id);
        control_read(d);
    } else if (cs_redis_call(d->control, on_newest_reply, d, 0, 6, newest, NULL) != CS_OK) {
        return; /* the next up asks again */
    }
}

void
control_up(struct daemon *d)
{
    if (d->control_id[0])
        control_read(d);
    else if (cs_redis_call(d->control, on_place_reply, d, 0, 2, (const char *[]){"GET", d->keys.control_read},
                           NULL) != CS_OK)
        return; /* the next up asks again */
}

static void
on_autostart_reply(const struct cs_reply *reply, void *arg)
{
    (void)arg;
    if (cs_reply_type(reply) == CS_REPLY_STRING)
        CS_LOG(CS_LOG_INFO, "autostart", cs_reply_str(reply, NULL));
    else if (cs_reply_is_error(reply, NULL))
        CS_LOG(CS_LOG_WARN, "autostart_refused", NULL, cs_kv_s("error", cs_reply_str(reply, NULL)));
}

void
control_on_message(const char *channel, const char *payload, size_t len_bytes, void *arg)
{
    struct daemon *d = arg;
    json_t *m = cs_json_parse(payload, len_bytes, MESSAGE_MAX, NULL), *run;
    const char *event = json_string_value(json_object_get(m, "event"));
    struct args a = {0};

    if (strcmp(channel, CS_CH_IMPORT_DONE) == 0 || (event && strcmp(event, "data_import_completed") == 0)) {
        run = json_object_get(json_object_get(m, "payload"), "run_id");
        if (!run)
            run = json_object_get(m, "run_id");
        args_add(&a, d->keys.commands);
        args_add(&a, d->keys.metrics);
        args_give(&a, cs_xasprintf("%s:idem:", d->keys.prefix));
        if (json_is_integer(run))
            args_int(&a, json_integer_value(run));
        else
            args_add(&a, json_is_string(run) ? json_string_value(run) : "");
        args_bytes(&a, payload, len_bytes);
        if (cs_redis_eval(d->redis, "worker/lua/autostart.lua", on_autostart_reply, d, 2, (int)a.count, a.v,
                          a.len) != CS_OK)
            CS_LOG(CS_LOG_WARN, "autostart_missed", NULL, cs_kv_s("reason", "Redis is away"));
        args_fini(&a);
    }
    json_decref(m);
}
