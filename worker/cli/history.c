/* SPDX-License-Identifier: MIT */
/*
 * history - the verb that lists jobs of the index, newest first, by what their hashes hold. Main thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "worker/cli/options.h"
#include "worker/cli/output.h"

#define LIMIT_DEFAULT 10
#define PAGE "500" /* index entries that one call of the script looks at */
#define FILTERS 4

struct history {
    long limit;
    const char *universe; /* NULL: jobs */
    int64_t since_ms;
    const char *status, *mode, *environment, *triggered_by; /* NULL: any */
};

/* One page. Gives a reply: the next rank (-1: the end), then ids. */
static enum cs_rc
find_page(struct cli *cli, const struct history *h, int64_t rank, struct cs_reply **reply, struct cs_err *err)
{
    char prefix[CS_KEY_MAX], from[24], since[24];
    const char *argv[5 + 2 * FILTERS] = {cli->keys.jobs, cs_key_job(&cli->keys, "", prefix), from, PAGE,
                                         since};
    const struct {
        const char *field, *value;
    } filters[FILTERS] = {{"status", h->status},
                          {"mode", h->mode},
                          {"environment", h->environment},
                          {"triggered_by", h->triggered_by}};
    int argc = 5;

    snprintf(from, sizeof from, "%" PRId64, rank);
    snprintf(since, sizeof since, "%" PRId64, h->since_ms);
    for (size_t i = 0; i < FILTERS; i++)
        if (filters[i].value != NULL) {
            argv[argc++] = filters[i].field;
            argv[argc++] = filters[i].value;
        }
    return cli_eval(cli, reply, err, "worker/lua/find_jobs.lua", 1, argc, argv);
}

/*
 * Add the job to jobs unless it is there: ranks move while new jobs come in. A hash that expired between the
 * two reads is left out.
 */
static enum cs_rc
add_job(struct cli *cli, const char *job_id, json_t *seen, json_t *jobs, struct cs_err *err)
{
    json_t *job;
    enum cs_rc rc;

    if (json_object_get(seen, job_id) != NULL)
        return CS_OK;
    json_object_set_new(seen, job_id, json_true());
    rc = cli_job_read(cli, job_id, &job, err);
    if (rc == CS_OK)
        json_array_append_new(jobs, job);
    return rc == CS_ENOTFOUND ? CS_OK : rc;
}

static enum cs_rc
read_jobs(struct cli *cli, const struct history *h, json_t *jobs, struct cs_err *err)
{
    json_t *seen = json_object();
    enum cs_rc rc = CS_OK;

    for (int64_t rank = 0; rc == CS_OK && rank >= 0 && json_array_size(jobs) < (size_t)h->limit;) {
        struct cs_reply *reply = NULL;

        rc = find_page(cli, h, rank, &reply, err);
        if (rc == CS_OK)
            rank = cs_reply_int(cs_reply_at(reply, 0));
        for (size_t i = 1; rc == CS_OK && i < cs_reply_len(reply) && json_array_size(jobs) < (size_t)h->limit;
             i++)
            rc = add_job(cli, cli_text(cs_reply_at(reply, i), NULL), seen, jobs, err);
        cs_reply_free(reply);
    }
    json_decref(seen);
    return rc;
}

static int
job_history(struct cli *cli, const struct history *h)
{
    static const struct cli_column columns[] = {
        {"job_id", "JOB", false, false},
        {"mode", "MODE", false, false},
        {"status", "STATUS", false, true},
        {"created_at", "CREATED", false, false},
        {"duration_seconds", "SECONDS", true, false},
        {"total_changes", "CHANGES", true, false},
        {"environment", "ENVIRONMENT", false, false},
        {"triggered_by", "TRIGGERED BY", false, false},
    };
    struct cs_err err = {0};
    json_t *jobs = json_array();
    int code = CLI_OK;

    if (read_jobs(cli, h, jobs, &err) != CS_OK)
        code = cli_fail(cli, "history", &err);
    else if (cli->json)
        cli_print_json(jobs);
    else
        cli_table(jobs, columns, sizeof columns / sizeof columns[0]);
    json_decref(jobs);
    return code;
}

int
verb_history(struct cli *cli, int argc, char **argv)
{
    struct history h = {.limit = LIMIT_DEFAULT, .since_ms = INT64_MIN};
    const struct cli_option options[] = {
        {"limit", cli_read_limit, &h.limit, CLI_EXPECTED_LIMIT},
        {"status", cli_read_status, &h.status, CLI_EXPECTED_STATUS},
        {"mode", cli_read_mode, &h.mode, CLI_EXPECTED_MODE},
        {"environment", cli_read_environment, &h.environment, CLI_EXPECTED_ENVIRONMENT},
        {"since", cli_read_since, &h.since_ms, CLI_EXPECTED_SINCE},
        {"triggered-by", cli_read_text, &h.triggered_by, "a name"},
        {"universe", cli_read_text, &h.universe, "a universe's key"},
    };

    if (cli_options("history", argc, argv, options, sizeof options / sizeof options[0], 0) < 0)
        return CLI_USAGE;
    if (h.universe == NULL)
        return job_history(cli, &h);
    if (h.status != NULL || h.mode != NULL || h.triggered_by != NULL || h.since_ms != INT64_MIN)
        return cli_usage("history",
                         "--universe lists changes, not jobs; only --limit and --environment go with it");
    return cli_universe_history(cli, h.universe, h.environment, (int)h.limit);
}
