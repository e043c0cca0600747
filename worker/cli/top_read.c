/* SPDX-License-Identifier: MIT */
/*
 * top_read - one look at the queue, the workers and the newest jobs. Main thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/job.h"
#include "common/json.h"
#include "worker/cli/queue_state.h"
#include "worker/cli/top.h"
#include "worker/cli/workers.h"

#define NEWEST "49" /* rank of the last job of the index that is looked at */
#define JOBS_MAX_BYTES 65536
#define MS_PER_DAY INT64_C(86400000)

static enum cs_rc
read_queue(struct cli *cli, json_t *look, struct cs_err *err)
{
    const char *xlen[] = {"XLEN", cli->keys.dead};
    struct cs_reply *reply = NULL;
    struct queue_state q;

    if (queue_state_read(cli, &q, err) != CS_OK || cli_call(cli, &reply, err, 2, xlen, NULL) != CS_OK)
        return err->rc;
    json_object_set_new(look, "queue",
                        json_pack("{s:I,s:I,s:I,s:I}", "waiting", (json_int_t)q.waiting, "held",
                                  (json_int_t)q.held, "oldest_wait_ms", (json_int_t)q.oldest_wait_ms, "dead",
                                  (json_int_t)cs_reply_int(reply)));
    cs_reply_free(reply);
    return CS_OK;
}

/* How many jobs of the index were created since then. */
static enum cs_rc
count_since(struct cli *cli, json_t *jobs, const char *name, int64_t since_ms, struct cs_err *err)
{
    char from[24];
    const char *argv[] = {"ZCOUNT", cli->keys.jobs, from, "+inf"};
    struct cs_reply *reply = NULL;

    snprintf(from, sizeof from, "%" PRId64, since_ms);
    if (cli_call(cli, &reply, err, 4, argv, NULL) != CS_OK)
        return err->rc;
    json_object_set_new(jobs, name, json_integer(cs_reply_int(reply)));
    cs_reply_free(reply);
    return CS_OK;
}

static enum cs_rc
read_counts(struct cli *cli, json_t *look, int64_t now_ms, struct cs_err *err)
{
    char key[CS_KEY_MAX], date[CS_DATE_LEN + 1];
    const char *argv[] = {"HMGET", key, "completed", "failed"};
    const struct {
        const char *name;
        int64_t ms;
    } spans[] = {{"minute", 60000}, {"hour", 3600000}, {"day", MS_PER_DAY}};
    struct cs_reply *reply = NULL;
    json_t *jobs = json_object();

    json_object_set_new(look, "jobs", jobs);
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
        if (count_since(cli, jobs, spans[i].name, now_ms - spans[i].ms, err) != CS_OK)
            return err->rc;
    cs_date_format((int32_t)(now_ms / MS_PER_DAY), date);
    cs_key_daily(&cli->keys, date, key);
    if (cli_call(cli, &reply, err, 4, argv, NULL) != CS_OK)
        return err->rc;
    json_object_set_new(jobs, "completed_today", json_integer(cs_reply_int(cs_reply_at(reply, 0))));
    json_object_set_new(jobs, "failed_today", json_integer(cs_reply_int(cs_reply_at(reply, 1))));
    cs_reply_free(reply);
    return CS_OK;
}

static enum cs_rc
read_totals(struct cli *cli, json_t *look, struct cs_err *err)
{
    const char *argv[] = {"HGETALL", cli->keys.metrics};
    struct cs_reply *reply = NULL;

    if (cli_call(cli, &reply, err, 2, argv, NULL) != CS_OK)
        return err->rc;
    json_object_set_new(look, "totals", cli_fields_object(reply));
    cs_reply_free(reply);
    return CS_OK;
}

/* The fields that a line of the view shows, the small ones: a summary has kilobytes. */
static enum cs_rc
read_job(struct cli *cli, const char *job_id, json_t **job, struct cs_err *err)
{
    static const char *const names[] = {"job_id",           "status",        "mode",       "environment",
                                        "triggered_by",     "created_at",    "start_time", "progress",
                                        "duration_seconds", "total_changes", "attempts",   "error_details"};
    enum { COUNT = sizeof names / sizeof names[0] };
    char key[CS_KEY_MAX];
    const char *argv[2 + COUNT] = {"HMGET", cs_key_job(&cli->keys, job_id, key)};
    struct cs_field fields[COUNT];
    struct cs_reply *reply = NULL;
    size_t n = 0;

    for (size_t i = 0; i < COUNT; i++)
        argv[2 + i] = names[i];
    if (cli_call(cli, &reply, err, 2 + COUNT, argv, NULL) != CS_OK)
        return err->rc;
    for (size_t i = 0; i < COUNT; i++) {
        fields[n] = (struct cs_field){.name = names[i], .name_len = strlen(names[i])};
        fields[n].value = cs_reply_str(cs_reply_at(reply, i), &fields[n].value_len);
        n += fields[n].value != NULL;
    }
    *job = cs_job_to_json(fields, n); /* NULL: the hash is gone */
    cs_reply_free(reply);
    return CS_OK;
}

/* A job to where it belongs, once. */
static enum cs_rc
add_job(struct cli *cli, json_t *look, json_t *seen, const char *job_id, struct cs_err *err)
{
    enum cs_status status = CS_STATUS_PENDING;
    const char *text;
    json_t *job;

    if (job_id == NULL || json_object_get(seen, job_id) != NULL)
        return CS_OK;
    json_object_set_new(seen, job_id, json_true());
    if (read_job(cli, job_id, &job, err) != CS_OK || job == NULL)
        return err->rc;
    text = json_string_value(json_object_get(job, "status"));
    if (text == NULL || !cs_status_parse(text, &status))
        status = CS_STATUS_PENDING;
    json_array_append_new(json_object_get(look, cs_status_final(status) ? "recent" : "running"), job);
    return CS_OK;
}

/* What the workers hold, then the newest of the index. */
static enum cs_rc
read_jobs(struct cli *cli, json_t *look, json_t *seen, struct cs_err *err)
{
    const char *argv[] = {"ZREVRANGE", cli->keys.jobs, "0", NEWEST};
    struct cs_reply *reply = NULL;
    json_t *worker, *id;
    size_t i, k;

    json_array_foreach (json_object_get(look, "workers"), i, worker) {
        const char *text = worker_text(worker, "jobs");
        json_t *held = cs_json_parse(text, strlen(text), JOBS_MAX_BYTES, NULL);

        json_array_foreach (held, k, id)
            if (err->rc == CS_OK)
                (void)!add_job(cli, look, seen, json_string_value(id), err);
        json_decref(held);
    }
    if (err->rc != CS_OK || cli_call(cli, &reply, err, 4, argv, NULL) != CS_OK)
        return err->rc;
    for (i = 0; i < cs_reply_len(reply) && err->rc == CS_OK; i++)
        (void)!add_job(cli, look, seen, cs_reply_str(cs_reply_at(reply, i), NULL), err);
    cs_reply_free(reply);
    return err->rc;
}

static enum cs_rc
read_all(struct cli *cli, json_t *look, int64_t now_ms, struct cs_err *err)
{
    json_t *workers, *seen;
    enum cs_rc rc;

    if (read_queue(cli, look, err) != CS_OK || read_counts(cli, look, now_ms, err) != CS_OK ||
        read_totals(cli, look, err) != CS_OK || workers_read(cli, &workers, err) != CS_OK)
        return err->rc;
    json_object_set_new(look, "workers", workers);
    seen = json_object();
    rc = read_jobs(cli, look, seen, err);
    json_decref(seen);
    return rc;
}

enum cs_rc
top_read(struct cli *cli, json_t **look, struct cs_err *err)
{
    char when[CS_TIME_LEN + 1], address[256];
    int64_t now_ms = cs_clock_wall_ms();

    cs_time_format(now_ms, when);
    cs_redis_addr_format(&cli->cfg.redis, address, sizeof address);
    *look = json_pack("{s:s,s:s,s:s,s:[],s:[],s:[]}", "time", when, "redis", address, "prefix",
                      cli->keys.prefix, "workers", "running", "recent");
    if (read_all(cli, *look, now_ms, err) == CS_OK)
        return CS_OK;
    json_decref(*look);
    *look = NULL;
    return err->rc;
}
