/* SPDX-License-Identifier: MIT */
/*
 * stats - the verb that lists the universes of an environment and counts the jobs of the last days. Main thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "worker/cli/options.h"
#include "worker/cli/output.h"

#define DAYS_DEFAULT 7
#define DAYS_MAX 366
#define UNIVERSE_MAX_BYTES 4096
#define MS_PER_DAY INT64_C(86400000)

struct stats {
    const char *environment;
    const char *type; /* of the universes; NULL: any */
    long days;
    json_t *universes, *by_day;
    int64_t completed, failed, ran, duration_ms; /* of all the days */
};

static bool
read_days(const char *text, void *target)
{
    return cli_number(text, 1, DAYS_MAX, target);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The members of an object in the order of their names. */
static json_t *
sorted_values(const json_t *object)
{
    size_t count = json_object_size(object), n = 0;
    const char **names = calloc(count + 1, sizeof *names), *name;
    json_t *list = json_array(), *value;

    if (names == NULL)
        return list;
    json_object_foreach ((json_t *)(uintptr_t)object, name, value)
        names[n++] = name;
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++)
        json_array_append(list, json_object_get(object, names[i]));
    free(names);
    return list;
}

static enum cs_rc
read_universes(struct cli *cli, struct stats *s, struct cs_err *err)
{
    char key[CS_KEY_MAX];
    const char *argv[] = {"HGETALL", cs_key_universes(&cli->keys, s->environment, key)};
    struct cs_reply *reply = NULL;
    json_t *all = json_object();

    if (cli_call(cli, &reply, err, 2, argv, NULL) != CS_OK) {
        json_decref(all);
        return err->rc;
    }
    for (size_t i = 1; i < cs_reply_len(reply); i += 2) {
        size_t len;
        const char *text = cs_reply_str(cs_reply_at(reply, i), &len);
        json_t *universe = text ? cs_json_parse(text, len, UNIVERSE_MAX_BYTES, NULL) : NULL;
        const char *name = json_string_value(json_object_get(universe, "universe"));
        const char *type = json_string_value(json_object_get(universe, "type"));

        if (name != NULL && (s->type == NULL || (type != NULL && strcmp(type, s->type) == 0)))
            json_object_set(all, name, universe);
        json_decref(universe);
    }
    cs_reply_free(reply);
    s->universes = sorted_values(all);
    json_decref(all);
    return CS_OK;
}

static enum cs_rc
add_day(struct cli *cli, struct stats *s, int32_t day, struct cs_err *err)
{
    char key[CS_KEY_MAX], date[CS_DATE_LEN + 1];
    const char *argv[] = {"HMGET", key, "completed", "failed", "ran", "duration_ms"};
    struct cs_reply *reply = NULL;
    int64_t n[4];

    cs_date_format(day, date);
    cs_key_daily(&cli->keys, date, key);
    if (cli_call(cli, &reply, err, 6, argv, NULL) != CS_OK)
        return err->rc;
    for (size_t i = 0; i < 4; i++)
        n[i] = cs_reply_int(cs_reply_at(reply, i));
    /* A day that another program counted has no ran: all its jobs are taken to have run. */
    if (cs_reply_str(cs_reply_at(reply, 3), NULL) != NULL &&
        cs_reply_str(cs_reply_at(reply, 2), NULL) == NULL)
        n[2] = n[0] + n[1];
    cs_reply_free(reply);
    s->completed += n[0], s->failed += n[1], s->ran += n[2], s->duration_ms += n[3];
    if (n[0] + n[1] > 0)
        json_array_append_new(s->by_day, json_pack("{s:s,s:I,s:I,s:I,s:f}", "date", date, "total",
                                                   (json_int_t)(n[0] + n[1]), "completed", (json_int_t)n[0],
                                                   "failed", (json_int_t)n[1], "avg_duration_seconds",
                                                   n[2] > 0 ? (double)n[3] / 1000 / (double)n[2] : 0.0));
    return CS_OK;
}

static enum cs_rc
read_by_day(struct cli *cli, struct stats *s, struct cs_err *err)
{
    int32_t today = (int32_t)(cs_clock_wall_ms() / MS_PER_DAY);

    for (int32_t day = today; day > today - s->days; day--)
        if (add_day(cli, s, day, err) != CS_OK)
            return err->rc;
    return CS_OK;
}

/* The adapter's shape for 7 days; another count of days stands in the names. */
static json_t *
statistics(const struct stats *s, double average_s)
{
    char name[48];
    json_t *jobs = json_object();
    const struct {
        const char *word;
        int64_t value;
    } counts[] = {{"total", s->completed + s->failed}, {"successful", s->completed}, {"failed", s->failed}};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        snprintf(name, sizeof name, "%s_jobs_%ldd", counts[i].word, s->days);
        json_object_set_new(jobs, name, json_integer(counts[i].value));
    }
    json_object_set_new(jobs, "avg_duration_seconds", json_real(average_s));
    return jobs;
}

static void
print_stats(const struct cli *cli, const struct stats *s)
{
    static const struct cli_column universe_columns[] = {{"universe", "UNIVERSE", false, false},
                                                         {"type", "TYPE", false, false},
                                                         {"symbol_count", "SYMBOLS", true, false},
                                                         {"last_updated", "LAST UPDATED", false, false}};
    static const struct cli_column day_columns[] = {{"date", "DAY (UTC)", false, false},
                                                    {"total", "JOBS", true, false},
                                                    {"completed", "COMPLETED", true, false},
                                                    {"failed", "FAILED", true, false},
                                                    {"avg_duration_seconds", "SECONDS", true, false}};
    double average_s = s->ran > 0 ? (double)s->duration_ms / 1000 / (double)s->ran : 0;

    if (cli->json) {
        json_t *doc = json_pack("{s:O,s:o,s:O}", "universes", s->universes, "job_statistics",
                                statistics(s, average_s), "days", s->by_day);

        cli_print_json(doc);
        json_decref(doc);
        return;
    }
    cli_table(s->universes, universe_columns, sizeof universe_columns / sizeof universe_columns[0]);
    putchar('\n');
    if (json_array_size(s->by_day) > 0)
        cli_table(s->by_day, day_columns, sizeof day_columns / sizeof day_columns[0]);
    printf("%ld days: %lld jobs, %lld completed, %lld failed, %.3f s on average\n", s->days,
           (long long)(s->completed + s->failed), (long long)s->completed, (long long)s->failed, average_s);
}

int
verb_stats(struct cli *cli, int argc, char **argv)
{
    struct stats s = {.environment = cli->cfg.environment, .days = DAYS_DEFAULT};
    const struct cli_option options[] = {
        {"environment", cli_read_environment, &s.environment, CLI_EXPECTED_ENVIRONMENT},
        {"type", cli_read_text, &s.type, "a universe's type"},
        {"days", read_days, &s.days, "a number from 1 to 366"},
    };
    struct cs_err err = {0};
    int code = CLI_OK;

    if (cli_options("stats", argc, argv, options, sizeof options / sizeof options[0], 0) < 0)
        return CLI_USAGE;
    s.by_day = json_array();
    if (read_universes(cli, &s, &err) != CS_OK || read_by_day(cli, &s, &err) != CS_OK)
        code = cli_fail(cli, "stats", &err);
    else
        print_stats(cli, &s);
    json_decref(s.universes);
    json_decref(s.by_day);
    return code;
}
