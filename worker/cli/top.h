/* SPDX-License-Identifier: MIT */
/*
 * top - what the files of the live view share. Main thread.
 *
 *   top.c  terminal, keys, signals, the turns     top_read.c  one look at Redis     top_frame.c  one frame of it
 */
#ifndef CS_CLI_TOP_H
#define CS_CLI_TOP_H

#include <jansson.h>
#include <stdio.h>

#include "worker/cli/cli.h"

/*
 * One look:
 * {"time", "redis", "prefix",
 *  "queue": {"waiting", "held", "oldest_wait_ms", "dead"},
 *  "jobs": {"minute", "hour", "day", "completed_today", "failed_today"},
 *  "totals": {"retries": n, ...}                 P:metrics, whole
 *  "workers": [{"name", "busy": "1", ...}, ...]  the hashes as they stand
 *  "running": [job, ...], "recent": [job, ...]}  running and waiting ones; ended ones, newest first
 * Gives it in *look. Returns CS_OK; as cli_call.
 */
enum cs_rc top_read(struct cli *cli, json_t **look, struct cs_err *err) CS_MUSTCHECK;

struct top_screen {
    FILE *out;          /* where the frame goes */
    FILE *styled;       /* whose terminal decides about colours */
    int columns, lines; /* lines 0: no bound */
    bool in_place;      /* each line clears its rest, the frame clears what is below */
};

/* Draw a look; trouble (NULL: none) is a line on top of it. */
void top_frame(const struct top_screen *screen, const json_t *look, const char *trouble);

#endif
