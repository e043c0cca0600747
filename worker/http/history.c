/* SPDX-License-Identifier: MIT */
/*
 * history - a page of P:jobs, newest first. Costs what the page holds, however long the history. Loop thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/job.h"
#include "worker/http/http.h"

enum { LIMIT, OFFSET, TOTAL };
enum { Q_IDS, Q_TOTAL };

static const char *const columns[] = {"job_id",           "mode",         "status",
                                      "created_at",       "start_time",   "end_time",
                                      "duration_seconds", "triggered_by", "error_details"};
#define COLUMNS (sizeof columns / sizeof columns[0])

static bool
read_number(struct http_slice query, const char *name, int64_t low, int64_t high, int64_t *value)
{
    char text[16];
    int found = http_query_find(query, name, text, sizeof text);

    if (found <= 0)
        return found == 0;
    if (*text == '\0' || strlen(text) > 12 || text[strspn(text, "0123456789")] != '\0')
        return false;
    *value = strtoll(text, NULL, 10);
    return *value >= low && *value <= high;
}

static void
on_redis_row(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    struct cs_field fields[COLUMNS];
    size_t count = 0;
    json_t *job, *row;

    (void)index;
    for (size_t i = 0; i < COLUMNS; i++) {
        struct cs_field f = {columns[i], strlen(columns[i]), NULL, 0};

        f.value = cs_reply_str(cs_reply_at(reply, i), &f.value_len);
        if (f.value)
            fields[count++] = f;
    }
    job = cs_job_to_json(fields, count);
    if (!job)
        return; /* expired since the index was read */
    row = json_object();
    for (size_t i = 0; i + 1 < COLUMNS; i++) {
        json_t *value = json_object_get(job, columns[i]);

        json_object_set_new(row, columns[i], value ? json_incref(value) : json_null());
    }
    json_t *details = json_object_get(job, "error_details");
    json_object_set_new(row, "has_errors", json_boolean(details && !json_is_null(details)));
    json_array_append_new(call->result, row);
    json_decref(job);
}

static void
reply_page(struct http_call *call)
{
    http_reply_json(call, 200,
                    json_pack("{s:O,s:I,s:I,s:I}", "jobs", call->result, "total",
                              (json_int_t)call->number[TOTAL], "limit", (json_int_t)call->number[LIMIT],
                              "offset", (json_int_t)call->number[OFFSET]));
}

static void
ask_row(struct http_call *call, const char *job_id)
{
    const char *argv[2 + COLUMNS] = {"HMGET"};
    char key[CS_KEY_MAX], id[CS_UUID_LEN + 1];

    if (cs_uuid_normalize(job_id, strlen(job_id), id) != CS_OK)
        return;
    argv[1] = cs_key_job(&call->app->keys, id, key);
    memcpy(argv + 2, columns, sizeof columns);
    http_ask(call, 2 + COLUMNS, argv);
}

/* Ids wait in call->result until the total is in as well. */
static void
on_redis_page(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    if (index == Q_TOTAL) {
        call->number[TOTAL] = cs_reply_int(reply);
        return;
    }
    for (size_t i = 0; i < cs_reply_len(reply); i++) {
        const char *id = cs_reply_str(cs_reply_at(reply, i), NULL);

        if (id)
            json_array_append_new(call->result, json_string(id));
    }
}

static void
ask_rows(struct http_call *call)
{
    json_t *ids = call->result, *id;
    size_t i;

    call->result = json_array();
    http_expect(call, on_redis_row, reply_page);
    json_array_foreach(ids, i, id) ask_row(call, json_string_value(id));
    json_decref(ids);
}

void
http_history(struct http_call *call)
{
    const char *jobs = call->app->keys.jobs;
    struct http_slice query = call->request->query;
    char first[24], last[24];

    call->number[LIMIT] = 10;
    if (!read_number(query, "limit", 1, 100, &call->number[LIMIT]) ||
        !read_number(query, "offset", 0, INT64_C(1) << 40, &call->number[OFFSET])) {
        http_reply_error(call, 400, "invalid_request", "limit must be 1 to 100 and offset 0 or more.");
        return;
    }
    snprintf(first, sizeof first, "%lld", (long long)call->number[OFFSET]);
    snprintf(last, sizeof last, "%lld", (long long)(call->number[OFFSET] + call->number[LIMIT] - 1));
    call->result = json_array();
    http_expect(call, on_redis_page, ask_rows);
    http_ask(call, 4, (const char *[]){"ZREVRANGE", jobs, first, last});
    http_ask(call, 2, (const char *[]){"ZCARD", jobs});
}
