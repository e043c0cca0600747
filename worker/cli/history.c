/* SPDX-License-Identifier: MIT */
/*
 * history - the verbs that read the job index, the universes and the counters of the days. Main thread.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/command.h"
#include "common/json.h"
#include "worker/cli/cli.h"

#define DAYS 7
#define LIMIT_DEFAULT 10
#define LIMIT_MAX 1000

struct history_args {
    long limit;
    const char *universe; /* NULL: jobs */
    const char *environment;
};

/* Returns CLI_OK or CLI_USAGE (said). stats takes --environment alone. */
static int
read_args(const char *verb, const struct option *options, int argc, char **argv, struct history_args *args)
{
    int opt;

    opterr = 0;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'l':
            if (!cli_number(optarg, 1, LIMIT_MAX, &args->limit))
                return cli_usage(verb, "--limit is a number from 1 to %d", LIMIT_MAX);
            break;
        case 'u':
            args->universe = optarg;
            break;
        case 'e':
            args->environment = optarg;
            break;
        default:
            return cli_usage(verb, "%s is no option, or its value is missing", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return cli_usage(verb, "\"%s\" is too much", argv[optind]);
    if (strlen(args->environment) > CS_ENVIRONMENT_MAX)
        return cli_usage(verb, "environment \"%s\" is longer than %d", args->environment, CS_ENVIRONMENT_MAX);
    return CLI_OK;
}

/* The newest jobs of the index as an array. A hash that expired between the two reads is left out. */
static enum cs_rc
read_jobs(struct cli *cli, long limit, json_t *jobs, struct cs_err *err)
{
    char last[24];
    const char *argv[] = {"ZREVRANGE", cli->keys.jobs, "0", last};
    struct cs_reply *reply = NULL;
    enum cs_rc rc;

    snprintf(last, sizeof last, "%ld", limit - 1);
    rc = cli_call(cli, &reply, err, 4, argv, NULL);
    for (size_t i = 0; rc == CS_OK && i < cs_reply_len(reply); i++) {
        json_t *job;

        rc = cli_job_read(cli, cs_reply_str(cs_reply_at(reply, i), NULL), &job, err);
        if (rc == CS_OK)
            json_array_append_new(jobs, job);
        else if (rc == CS_ENOTFOUND)
            rc = CS_OK;
    }
    cs_reply_free(reply);
    return rc;
}

int
verb_history(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"limit", required_argument, NULL, 'l'},
                                            {"universe", required_argument, NULL, 'u'},
                                            {"environment", required_argument, NULL, 'e'},
                                            {NULL, 0, NULL, 0}};
    static const struct cli_column columns[] = {
        {"job_id", "JOB"},
        {"mode", "MODE"},
        {"status", "STATUS"},
        {"created_at", "CREATED"},
        {"duration_seconds", "SECONDS"},
        {"total_changes", "CHANGES"},
        {"triggered_by", "TRIGGERED BY"},
    };
    struct history_args args = {.limit = LIMIT_DEFAULT, .environment = cli->cfg.environment};
    struct cs_err err = {0};
    json_t *jobs;
    int code = CLI_OK;

    if (read_args("history", options, argc, argv, &args) != CLI_OK)
        return CLI_USAGE;
    if (args.universe != NULL)
        return cli_universe_history(cli, args.universe, args.environment, (int)args.limit);
    jobs = json_array();
    if (read_jobs(cli, args.limit, jobs, &err) != CS_OK)
        code = cli_fail(cli, "history", &err);
    else if (cli->json)
        cli_print_json(jobs);
    else
        cli_table(jobs, columns, sizeof columns / sizeof columns[0]);
    json_decref(jobs);
    return code;
}

static enum cs_rc
read_universes(struct cli *cli, const char *environment, json_t *universes, struct cs_err *err)
{
    char key[CS_KEY_MAX];
    const char *argv[] = {"HGETALL", cs_key_universes(&cli->keys, environment, key)};
    struct cs_reply *reply = NULL;

    if (cli_call(cli, &reply, err, 2, argv, NULL) != CS_OK)
        return err->rc;
    for (size_t i = 1; i < cs_reply_len(reply); i += 2) {
        const char *text = cs_reply_str(cs_reply_at(reply, i), NULL);
        json_t *universe = text ? json_loads(text, 0, NULL) : NULL;

        if (json_is_object(universe))
            json_array_append(universes, universe);
        json_decref(universe);
    }
    cs_reply_free(reply);
    return CS_OK;
}

struct totals {
    int64_t total, completed, failed, duration_ms;
};

static enum cs_rc
add_day(struct cli *cli, int32_t day, struct totals *sum, struct cs_err *err)
{
    char key[CS_KEY_MAX], date[CS_DATE_LEN + 1];
    const char *argv[] = {"HMGET", key, "total", "completed", "failed", "duration_ms"};
    struct cs_reply *reply = NULL;

    cs_date_format(day, date);
    cs_key_daily(&cli->keys, date, key);
    if (cli_call(cli, &reply, err, 6, argv, NULL) != CS_OK)
        return err->rc;
    sum->total += cs_reply_int(cs_reply_at(reply, 0));
    sum->completed += cs_reply_int(cs_reply_at(reply, 1));
    sum->failed += cs_reply_int(cs_reply_at(reply, 2));
    sum->duration_ms += cs_reply_int(cs_reply_at(reply, 3));
    cs_reply_free(reply);
    return CS_OK;
}

static enum cs_rc
read_days(struct cli *cli, struct totals *sum, struct cs_err *err)
{
    int32_t today = (int32_t)(cs_clock_wall_ms() / 86400000);

    for (int32_t day = today - DAYS + 1; day <= today; day++)
        if (add_day(cli, day, sum, err) != CS_OK)
            return err->rc;
    return CS_OK;
}

static void
print_stats(const struct cli *cli, json_t *universes, const struct totals *sum)
{
    static const struct cli_column columns[] = {{"universe", "UNIVERSE"},
                                                {"type", "TYPE"},
                                                {"symbol_count", "SYMBOLS"},
                                                {"last_updated", "LAST UPDATED"}};
    double average = sum->total > 0 ? (double)sum->duration_ms / 1000 / (double)sum->total : 0;

    if (cli->json) {
        json_t *doc =
            json_pack("{s:O,s:{s:I,s:I,s:I,s:f}}", "universes", universes, "job_statistics", "total_jobs_7d",
                      (json_int_t)sum->total, "successful_jobs_7d", (json_int_t)sum->completed,
                      "failed_jobs_7d", (json_int_t)sum->failed, "avg_duration_seconds", average);

        cli_print_json(doc);
        json_decref(doc);
        return;
    }
    cli_table(universes, columns, sizeof columns / sizeof columns[0]);
    printf("\njobs of %d days: %lld, completed %lld, failed %lld, average %.3f s\n", DAYS,
           (long long)sum->total, (long long)sum->completed, (long long)sum->failed, average);
}

int
verb_stats(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"environment", required_argument, NULL, 'e'},
                                            {NULL, 0, NULL, 0}};
    struct history_args args = {.environment = cli->cfg.environment};
    struct totals sum = {0};
    struct cs_err err = {0};
    json_t *universes;
    int code = CLI_OK;

    if (read_args("stats", options, argc, argv, &args) != CLI_OK)
        return CLI_USAGE;
    universes = json_array();
    if (read_universes(cli, args.environment, universes, &err) != CS_OK ||
        read_days(cli, &sum, &err) != CS_OK)
        code = cli_fail(cli, "stats", &err);
    else
        print_stats(cli, universes, &sum);
    json_decref(universes);
    return code;
}
