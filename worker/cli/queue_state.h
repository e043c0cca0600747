/* SPDX-License-Identifier: MIT */
/*
 * queue_state - how many commands wait and for how long, read off the stream and its group. Main thread.
 */
#ifndef CS_CLI_QUEUE_STATE_H
#define CS_CLI_QUEUE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/cli/cli.h"

struct queue_state {
    bool has_group;
    int64_t waiting;        /* entries that no worker has read */
    int64_t held;           /* entries that workers hold */
    int64_t oldest_wait_ms; /* age of the oldest that waits; 0: none */
};

/* Read it. A stream that is not there is empty and has no group. Returns CS_OK; as cli_call. */
enum cs_rc queue_state_read(struct cli *cli, struct queue_state *q, struct cs_err *err) CS_MUSTCHECK;

/* How long ago the entry was written by the clock of Redis; never below 0. */
int64_t entry_age_ms(const char *entry_id);

#endif
