/* SPDX-License-Identifier: MIT */
/*
 * watch - follow one job to its end: a live line on a terminal, plain lines elsewhere. Main thread.
 *
 * It asks for the job's hash ten times a second; messages could be missed, the hash cannot.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/command.h"
#include "worker/cli/cli.h"

#define ASK_EVERY_MS 100
#define APPEAR_WITHIN_US (10 * 1000000LL) /* a job that was just sent, whose id its producer chose */

struct watch {
    bool live;
    bool drawn;
    char last[160];
};

static void
show(struct watch *w, const json_t *job)
{
    const json_t *progress = json_object_get(job, "progress");
    const char *status = json_string_value(json_object_get(job, "status"));
    const char *task = json_string_value(json_object_get(progress, "current_task"));
    char line[sizeof w->last];

    snprintf(line, sizeof line, "%-9.16s %3.0f %%  %.60s", status ? status : "?",
             json_number_value(json_object_get(progress, "percentage")), task ? task : "");
    if (strcmp(line, w->last) == 0)
        return;
    memcpy(w->last, line, sizeof line);
    fprintf(stderr, w->live ? "\r\033[K%s" : "%s\n", line);
    w->drawn = true;
}

static void
clear(struct watch *w)
{
    if (w->live && w->drawn)
        fputs("\r\033[K", stderr);
}

static bool
ended(const json_t *job)
{
    const char *text = json_string_value(json_object_get(job, "status"));
    enum cs_status status;

    return text != NULL && cs_status_parse(text, &status) && cs_status_final(status);
}

int
cli_follow(struct cli *cli, const char *verb, const char *job_id, bool accepted)
{
    struct watch w = {.live = isatty(STDERR_FILENO) != 0};
    int64_t give_up_us = cs_clock_mono_us() + APPEAR_WITHIN_US;
    struct cs_err err = {0};
    json_t *job = NULL;
    int code;

    for (;;) {
        enum cs_rc rc = cli_job_read(cli, job_id, &job, &err);
        bool awaited = rc == CS_ENOTFOUND && accepted && cs_clock_mono_us() < give_up_us;

        if (rc == CS_OK)
            accepted = false;
        if ((rc != CS_OK && !awaited) || ended(job))
            break;
        if (rc == CS_OK && !cli->json)
            show(&w, job);
        json_decref(job);
        job = NULL;
        (void)poll(NULL, 0, ASK_EVERY_MS);
    }
    clear(&w);
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
    char job_id[CS_UUID_LEN + 1];
    struct cs_err err = {0};

    if (argc > 2)
        return cli_usage("watch", "one job at a time");
    if (argc == 2 && cs_uuid_normalize(argv[1], strlen(argv[1]), job_id) != CS_OK)
        return cli_usage("watch", "\"%s\" is no job id (a UUID)", argv[1]);
    if (argc == 1 && newest(cli, job_id, &err) != CS_OK)
        return cli_fail(cli, "watch", &err);
    return cli_follow(cli, "watch", job_id, false);
}
