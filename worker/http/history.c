/* SPDX-License-Identifier: MIT */
/*
 * history - a page of P:jobs, newest first. Costs what the page holds, however long the history. Loop thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/job.h"
#include "worker/http/http.h"
#include "worker/http/job_text.h"

enum { LIMIT, OFFSET, TOTAL };
enum { Q_IDS, Q_TOTAL };

#define DIGITS_MAX 18 /* what a page adds to it still fits */

/* What a row shows of a job, then whether it has error_details, the last one. */
static const struct cs_job_field columns[] = {
    {"job_id", 6, CS_JOB_TEXT},
    {"mode", 4, CS_JOB_TEXT},
    {"status", 6, CS_JOB_TEXT},
    {"created_at", 10, CS_JOB_TEXT},
    {"start_time", 10, CS_JOB_TEXT},
    {"end_time", 8, CS_JOB_TEXT},
    {"duration_seconds", 16, CS_JOB_NUMBER},
    {"triggered_by", 12, CS_JOB_TEXT},
    {"error_details", 13, CS_JOB_JSON},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static bool
read_number(struct http_slice query, const char *name, int64_t low, int64_t high, int64_t *value)
{
    char text[24];
    int found = http_query_find(query, name, text, sizeof text);

    if (found <= 0)
        return found == 0;
    if (*text == '\0' || strlen(text) > DIGITS_MAX || text[strspn(text, "0123456789")] != '\0')
        return false;
    *value = strtoll(text, NULL, 10);
    return *value >= low && *value <= high;
}

static bool
has_errors(const struct cs_reply *details)
{
    const char *text = cs_reply_str(details, NULL);

    return text && *text && strcmp(text, "null") != 0;
}

static void
on_redis_row(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    struct text *out = &call->text;

    (void)index;
    if (!cs_reply_str(cs_reply_at(reply, 0), NULL))
        return; /* expired since the index was read */
    text_add(out, out->at[out->len - 1] == '[' ? "{" : ",{", out->at[out->len - 1] == '[' ? 1 : 2);
    for (size_t i = 0; i + 1 < COLUMNS; i++) {
        struct cs_field value = {columns[i].name, columns[i].name_len, NULL, 0};

        value.value = cs_reply_str(cs_reply_at(reply, i), &value.value_len);
        http_job_member(out, &columns[i], value.value ? &value : NULL);
        text_add(out, ",", 1);
    }
    text_puts(out,
              has_errors(cs_reply_at(reply, COLUMNS - 1)) ? "\"has_errors\":true}" : "\"has_errors\":false}");
}

static void
reply_page(struct http_call *call)
{
    text_printf(&call->text, "],\"total\":%lld,\"limit\":%lld,\"offset\":%lld}",
                (long long)call->number[TOTAL], (long long)call->number[LIMIT],
                (long long)call->number[OFFSET]);
    http_reply(call, 200, "application/json", call->text.at, call->text.len);
}

static void
ask_row(struct http_call *call, const char *job_id)
{
    const char *argv[2 + COLUMNS] = {"HMGET"};
    char key[CS_KEY_MAX], id[CS_UUID_LEN + 1];

    if (cs_uuid_normalize(job_id, strlen(job_id), id) != CS_OK)
        return;
    argv[1] = cs_key_job(&call->app->keys, id, key);
    for (size_t i = 0; i < COLUMNS; i++)
        argv[2 + i] = columns[i].name;
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
    json_t *id;
    size_t i;

    text_puts(&call->text, "{\"jobs\":[");
    http_expect(call, on_redis_row, reply_page);
    json_array_foreach (call->result, i, id)
        ask_row(call, json_string_value(id));
}

void
http_history(struct http_call *call)
{
    const char *jobs = call->app->keys.jobs;
    struct http_slice query = call->request->query;
    char first[24], last[24];

    call->number[LIMIT] = 10;
    if (!read_number(query, "limit", 1, 100, &call->number[LIMIT]) ||
        !read_number(query, "offset", 0, INT64_MAX, &call->number[OFFSET])) {
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
