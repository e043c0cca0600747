/* SPDX-License-Identifier: MIT */
/*
 * stats - the universes of the configured environment, and the counters of 7 UTC days. Loop thread.
 */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/http/http.h"

#define DAYS 7
#define UNIVERSE_MAX_BYTES 4096
#define MS_PER_DAY INT64_C(86400000)

static const char *const counters[] = {"completed", "failed", "duration_ms", "ran"};
enum { COMPLETED, FAILED, DURATION_MS, RAN, COUNTERS };

static int
by_name(const void *a, const void *b)
{
    const struct cs_field *x = a, *y = b;
    size_t len = x->name_len < y->name_len ? x->name_len : y->name_len;
    int order = memcmp(x->name, y->name, len);

    return order ? order : (x->name_len > y->name_len) - (x->name_len < y->name_len);
}

static void
take_universes(struct http_call *call, const struct cs_reply *reply)
{
    size_t count;
    struct cs_field *fields = http_fields(reply, &count);

    qsort(fields, count, sizeof *fields, by_name);
    for (size_t i = 0; i < count; i++) {
        json_t *universe = cs_json_parse(fields[i].value, fields[i].value_len, UNIVERSE_MAX_BYTES, NULL);

        if (universe)
            json_array_append_new(call->result, universe);
    }
    free(fields);
}

static void
on_redis_stats(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    if (index == 0) {
        take_universes(call, reply);
        return;
    }
    for (size_t i = 0; i < COUNTERS; i++)
        call->number[i] += cs_reply_int(cs_reply_at(reply, i));
    /* A day that another program counted has no ran: all its jobs are taken to have run. */
    if (cs_reply_str(cs_reply_at(reply, DURATION_MS), NULL) && !cs_reply_str(cs_reply_at(reply, RAN), NULL))
        for (size_t i = COMPLETED; i <= FAILED; i++)
            call->number[RAN] += cs_reply_int(cs_reply_at(reply, i));
}

static void
reply_stats(struct http_call *call)
{
    const int64_t *n = call->number;
    double average_s = n[RAN] > 0 ? (double)n[DURATION_MS] / (double)n[RAN] / 1000.0 : 0.0;
    json_t *jobs = json_pack("{s:I,s:I,s:I,s:f}", "total_jobs_7d", (json_int_t)(n[COMPLETED] + n[FAILED]),
                             "successful_jobs_7d", (json_int_t)n[COMPLETED], "failed_jobs_7d",
                             (json_int_t)n[FAILED], "avg_duration_seconds", average_s);

    http_reply_json(call, 200, json_pack("{s:O,s:o}", "universes", call->result, "job_statistics", jobs));
}

void
http_stats(struct http_call *call)
{
    const struct http_app *app = call->app;
    int32_t today = (int32_t)(cs_clock_wall_ms() / MS_PER_DAY);
    char key[CS_KEY_MAX], date[CS_DATE_LEN + 1];

    call->result = json_array();
    http_expect(call, on_redis_stats, reply_stats);
    http_ask(call, 2, (const char *[]){"HGETALL", cs_key_universes(&app->keys, app->cfg.environment, key)});
    for (int32_t day = today; day > today - DAYS; day--) {
        cs_date_format(day, date);
        http_ask(call, 6,
                 (const char *[]){"HMGET", cs_key_daily(&app->keys, date, key), counters[0], counters[1],
                                  counters[2], counters[3]});
    }
}
