/* SPDX-License-Identifier: MIT */
/*
 * ping - the verb that measures the way through stream, worker thread and job hash. Main thread.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "worker/cli/cli.h"
#include "worker/cli/options.h"

#define WITHIN_US (5 * 1000000LL)
#define EAGER_US 5000 /* so long it asks without a pause: a pause would be most of what is measured */
#define ASK_EVERY_MS 1

/* Whether the job has ended. */
static enum cs_rc
has_ended(struct cli *cli, const char *job_id, bool *ended, struct cs_err *err)
{
    char key[CS_KEY_MAX];
    const char *hget[] = {"HGET", cs_key_job(&cli->keys, job_id, key), "status"};
    struct cs_reply *reply = NULL;
    enum cs_status status;
    const char *text;

    if (cli_call(cli, &reply, err, 3, hget, NULL) != CS_OK)
        return err->rc;
    text = cs_reply_str(reply, NULL);
    *ended = text != NULL && cs_status_parse(text, &status) && cs_status_final(status);
    cs_reply_free(reply);
    return CS_OK;
}

/* One round trip: the entry is written, a worker thread ends the job, its hash says so. */
static enum cs_rc
ping_once(struct cli *cli, int64_t *took_us, struct cs_err *err)
{
    char job_id[CS_UUID_LEN + 1];
    int64_t start_us = cs_clock_mono_us();
    struct cs_command cmd;
    bool ended = false;

    cs_command_init(&cmd, cli->cfg.environment, "cli");
    cmd.verb = CS_VERB_PING;
    if (cli_send(cli, &cmd, job_id, err) != CS_OK)
        return err->rc;
    for (;;) {
        if (has_ended(cli, job_id, &ended, err) != CS_OK)
            return err->rc;
        *took_us = cs_clock_mono_us() - start_us;
        if (ended)
            return CS_OK;
        if (*took_us > WITHIN_US)
            return cs_err_set(err, CS_ETIMEOUT, "no worker answered within 5 s; is cachesyncd running?");
        if (*took_us > EAGER_US)
            (void)poll(NULL, 0, ASK_EVERY_MS);
    }
}

static int
by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The smallest time that percent of them do not exceed (nearest rank). sorted: ascending, count > 0. */
static double
percentile_ms(const int64_t *sorted, long count, int percent)
{
    long rank = (count * percent + 99) / 100;

    return (double)sorted[rank > 0 ? rank - 1 : 0] / 1000;
}

static void
print_statistics(const struct cli *cli, int64_t *took_us, long count)
{
    qsort(took_us, (size_t)count, sizeof *took_us, by_time);
    printf(cli->json ? "{\"count\":%ld,\"min_ms\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n"
                     : "%ld round trips: min %.3f ms, p50 %.3f ms, p99 %.3f ms, max %.3f ms\n",
           count, percentile_ms(took_us, count, 0), percentile_ms(took_us, count, 50),
           percentile_ms(took_us, count, 99), percentile_ms(took_us, count, 100));
}

int
verb_ping(struct cli *cli, int argc, char **argv)
{
    long count = 1, done = 0;
    const struct cli_option options[] = {{"c", cli_read_count, &count, "a number from 1 to 1000000"}};
    struct cs_err err = {0};
    int64_t *took_us;

    if (cli_options("ping", argc, argv, options, 1, 0) < 0)
        return CLI_USAGE;
    took_us = cs_xcalloc((size_t)count, sizeof *took_us);
    for (; done < count && ping_once(cli, &took_us[done], &err) == CS_OK; done++)
        printf(cli->json ? "{\"round_trip_ms\":%.3f}\n" : "pong after %.3f ms\n",
               (double)took_us[done] / 1000);
    if (done > 1)
        print_statistics(cli, took_us, done);
    free(took_us);
    return done == count ? CLI_OK : cli_fail(cli, "ping", &err);
}
