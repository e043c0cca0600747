/* SPDX-License-Identifier: MIT */
/*
 * watch - follow one job to its end: a progress bar on a terminal, plain lines elsewhere. Main thread.
 *
 * It asks for the job's hash ten times a second; messages could be missed, the hash cannot. Progress goes to
 * standard error, the job to standard output.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "worker/cli/options.h"
#include "worker/cli/output.h"
#include "worker/cli/term.h"

#define ASK_EVERY_MS 100
#define AWAY_WITHIN_US (60 * 1000000LL)   /* Redis may be restarted while a job is followed */
#define APPEAR_WITHIN_US (10 * 1000000LL) /* a job that was just sent, whose id its producer chose */
#define BAR_MIN 10
#define BAR_MAX 40
#define STATUS_COLUMNS 16
#define TASK_COLUMNS 40
#define ABOUT_BYTES (4 * TASK_COLUMNS + 120) /* UTF-8; two counts and the time left */
#define LINE_BYTES (ABOUT_BYTES + BAR_MAX + 16)

struct watch {
    bool live, drawn;
    bool seen;          /* the job was there once */
    int64_t give_up_us; /* when a job, or Redis, that is not there is given up */
    int64_t since_us;   /* since when it is seen running; 0: not yet */
    double since_percent;
    char last[LINE_BYTES];
};

/* "ETA 1 min 20 s" from the pace since it was first seen running; "" until there is a pace. */
static void
format_eta(struct watch *w, double percent, char *out, size_t out_bytes)
{
    int64_t now_us = cs_clock_mono_us();
    double pace, left_s;

    *out = '\0';
    if (w->since_us == 0) {
        w->since_us = now_us;
        w->since_percent = percent;
    }
    if (percent <= w->since_percent || percent >= 100)
        return;
    pace = (percent - w->since_percent) / (double)(now_us - w->since_us);
    left_s = (100 - percent) / pace / 1e6;
    if (left_s < 1)
        snprintf(out, out_bytes, "ETA under 1 s");
    else if (left_s < 60)
        snprintf(out, out_bytes, "ETA %.0f s", left_s);
    else if (left_s < 86400)
        snprintf(out, out_bytes, "ETA %.0f min %02d s", left_s / 60, (int)left_s % 60);
}

/* "[#####-----]" of width characters between the brackets. */
static void
format_bar(double percent, int width, char *out)
{
    int full = (int)(percent / 100 * width);

    *out++ = '[';
    for (int i = 0; i < width; i++)
        *out++ = i < full ? '#' : '-';
    memcpy(out, "]", 2);
}

/* The rest of a line: phase, symbols, time left. */
static void
format_about(struct watch *w, const json_t *job, const json_t *progress, double percent, char *out,
             size_t bytes)
{
    long long total = json_integer_value(json_object_get(progress, "total_symbols"));
    char *task = cli_cell(json_object_get(progress, "current_task")), done_text[32], total_text[32], eta[40];
    char *status = cli_cell(json_object_get(job, "status"));

    if (!json_is_object(progress)) {
        snprintf(out, bytes, "%s", term_cut(status, STATUS_COLUMNS));
    } else {
        int n = snprintf(out, bytes, "%s", term_cut(task, TASK_COLUMNS));

        if (total > 0)
            n += snprintf(out + n, bytes - (size_t)n, "  %s/%s symbols",
                          cli_grouped(json_integer_value(json_object_get(progress, "processed")), done_text),
                          cli_grouped(total, total_text));
        format_eta(w, percent, eta, sizeof eta);
        if (*eta != '\0')
            snprintf(out + n, bytes - (size_t)n, "  %s", eta);
    }
    free(task);
    free(status);
}

/* On a terminal one line, drawn in place; else a line whenever percent or phase changes. */
static void
show(struct watch *w, const json_t *job)
{
    const json_t *progress = json_object_get(job, "progress");
    double percent = json_number_value(json_object_get(progress, "percentage"));
    char line[LINE_BYTES], about[ABOUT_BYTES], bar[BAR_MAX + 3];
    int columns, lines, room;

    percent = percent < 0 ? 0 : percent > 100 ? 100 : percent;
    format_about(w, job, progress, percent, about, sizeof about);
    if (!w->live) {
        char *eta = strstr(about, "  ETA");

        if (eta != NULL)
            *eta = '\0'; /* it changes with every look */
        snprintf(line, sizeof line, "%3.0f %%  %s", percent, about);
        if (strcmp(line, w->last) != 0)
            fprintf(stderr, "%s\n", line);
        memcpy(w->last, line, sizeof line);
        return;
    }
    term_size(stderr, &columns, &lines);
    room = columns - (int)term_width(about) - 12;
    format_bar(percent, room < BAR_MIN ? BAR_MIN : room > BAR_MAX ? BAR_MAX : room, bar);
    snprintf(line, sizeof line, "%s %3.0f %%  %s", bar, percent, about);
    term_cut(line, columns > 1 ? (size_t)columns - 1 : 0); /* a wrapped line could not be drawn over */
    fprintf(stderr, TERM_CLEAR_LINE "%s%s%s", term_begin(stderr, TERM_CYAN), line,
            term_end(stderr, TERM_CYAN));
    w->drawn = true;
}

static bool
ended(const json_t *job)
{
    const char *text = json_string_value(json_object_get(job, "status"));
    enum cs_status status;

    return text != NULL && cs_status_parse(text, &status) && cs_status_final(status);
}

/* Whether a failed look is worth another one; says once that Redis is away. accepted as in cli_follow. */
static bool
may_look_again(struct cli *cli, struct watch *w, const struct cs_err *err, bool accepted)
{
    int64_t now_us = cs_clock_mono_us();

    if (err->rc == CS_ENOTFOUND)
        return accepted && now_us < w->give_up_us;
    if ((err->rc != CS_EDOWN && err->rc != CS_ETIMEOUT && strstr(err->msg, "LOADING") == NULL) || !w->seen ||
        now_us > w->give_up_us)
        return false;
    if (cli->redis != NULL && !cli->json) {
        char *text = term_harmless(cs_xstrdup(err->msg)); /* it may hold what a server said */

        fprintf(stderr, "%s%s; looking again for %lld s\n", w->drawn ? TERM_CLEAR_LINE : "", text,
                (long long)(AWAY_WITHIN_US / 1000000));
        free(text);
    }
    cs_redis_sync_close(cli->redis);
    cli->redis = NULL;
    return true;
}

/* One look: true while the job is to be followed on; else *job is its end, or NULL with err. */
static bool
look(struct cli *cli, struct watch *w, const char *job_id, bool accepted, json_t **job, struct cs_err *err)
{
    *err = (struct cs_err){0};
    if (cli_job_read(cli, job_id, job, err) != CS_OK)
        return may_look_again(cli, w, err, accepted && !w->seen);
    w->seen = true;
    w->give_up_us = cs_clock_mono_us() + AWAY_WITHIN_US;
    if (ended(*job))
        return false;
    if (!cli->json)
        show(w, *job);
    json_decref(*job);
    *job = NULL;
    return true;
}

int
cli_follow(struct cli *cli, const char *verb, const char *job_id, bool accepted)
{
    struct watch w = {.live = term_is_terminal(stderr), .give_up_us = cs_clock_mono_us() + APPEAR_WITHIN_US};
    struct cs_err err = {0};
    json_t *job = NULL;
    int code;

    while (look(cli, &w, job_id, accepted, &job, &err))
        (void)poll(NULL, 0, ASK_EVERY_MS);
    if (w.drawn)
        fputs(TERM_CLEAR_LINE, stderr);
    if (job == NULL)
        return cli_fail(cli, verb, &err);
    code = cli_print_job(cli, job);
    json_decref(job);
    return code;
}

/* The newest job of the index. */
static enum cs_rc
newest(struct cli *cli, char job_id[CS_UUID_LEN + 1], struct cs_err *err)
{
    const char *argv[] = {"ZREVRANGE", cli->keys.jobs, "0", "0"};
    struct cs_reply *reply = NULL;
    const char *text;
    size_t len = 0;

    if (cli_call(cli, &reply, err, 4, argv, NULL) != CS_OK)
        return err->rc;
    text = cs_reply_str(cs_reply_at(reply, 0), &len);
    if (text == NULL || cs_uuid_normalize(text, len, job_id) != CS_OK)
        cs_err_set(err, CS_ENOTFOUND, "there is no job yet; cachesync trigger sends one");
    cs_reply_free(reply);
    return err->rc;
}

int
verb_watch(struct cli *cli, int argc, char **argv)
{
    int at = cli_options("watch", argc, argv, NULL, 0, 1);
    char job_id[CS_UUID_LEN + 1];
    struct cs_err err = {0};

    if (at < 0)
        return CLI_USAGE;
    if (at < argc && cs_uuid_normalize(argv[at], strlen(argv[at]), job_id) != CS_OK)
        return cli_usage("watch", "\"%s\" is no job id (a UUID)", argv[at]);
    if (at == argc && newest(cli, job_id, &err) != CS_OK)
        return cli_fail(cli, "watch", &err);
    return cli_follow(cli, "watch", job_id, false);
}
