/* SPDX-License-Identifier: MIT */
/*
 * health - what the workers say of themselves; needs no key. Loop thread.
 */
#include <string.h>

#include "worker/http/http.h"

#define WORKERS_MAX "99" /* index of the last one looked at */

enum { LIVE, BUSY, DATABASE_UP };

static void
on_redis_worker(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    const char *database = cs_reply_str(cs_reply_at(reply, 2), NULL);

    (void)index;
    if (cs_clock_wall_ms() - cs_reply_int(cs_reply_at(reply, 0)) > CS_WORKER_LIVE_MS)
        return;
    call->number[LIVE]++;
    call->number[BUSY] += cs_reply_int(cs_reply_at(reply, 1));
    call->number[DATABASE_UP] += database && strcmp(database, "up") == 0;
}

static void
reply_health(struct http_call *call, bool redis_up)
{
    bool live = call->number[LIVE] > 0, database = call->number[DATABASE_UP] > 0;
    const char *status = !redis_up || !live ? "unhealthy" : database ? "healthy" : "degraded";

    http_reply_json(call, redis_up && live ? 200 : 503,
                    json_pack("{s:s,s:{s:s,s:s,s:s},s:s,s:I,s:s}", "status", status, "services", "redis",
                              redis_up ? "up" : "down", "database",
                              !live      ? "unknown"
                              : database ? "up"
                                         : "down",
                              "api", "up", "processing_status", call->number[BUSY] > 0 ? "running" : "idle",
                              "workers", (json_int_t)call->number[LIVE], "version", CS_VERSION));
}

static void
reply_workers(struct http_call *call)
{
    reply_health(call, true);
}

static void
on_redis_names(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    (void)index;
    for (size_t i = 0; i < cs_reply_len(reply); i++) {
        const char *name = cs_reply_str(cs_reply_at(reply, i), NULL);

        if (name)
            json_array_append_new(call->result, json_string(name));
    }
}

static void
ask_workers(struct http_call *call)
{
    char key[CS_KEY_MAX];
    json_t *name;
    size_t i;

    http_expect(call, on_redis_worker, reply_workers);
    json_array_foreach (call->result, i, name)
        http_ask(call, 5,
                 (const char *[]){"HMGET", cs_key_worker(&call->app->keys, json_string_value(name), key),
                                  "last_read_ms", "busy", "database"});
}

static void
reply_down(struct http_call *call)
{
    http_reply_header(call, "Retry-After", "1");
    reply_health(call, false);
}

void
http_health(struct http_call *call)
{
    call->on_down = reply_down;
    call->result = json_array();
    http_expect(call, on_redis_names, ask_workers);
    http_ask(call, 4, (const char *[]){"ZREVRANGE", call->app->keys.workers, "0", WORKERS_MAX});
}
