/* SPDX-License-Identifier: MIT */
/*
 * workers - what the daemons say of themselves: their hashes, found by the index P:workers. Main thread.
 */
#ifndef CS_CLI_WORKERS_H
#define CS_CLI_WORKERS_H

#include <jansson.h>
#include <stdbool.h>

#include "worker/cli/cli.h"

/*
 * Every worker whose hash is there, newest read first, as an object of its fields (text) and "name".
 * Gives a new array in *workers on CS_OK.
 */
enum cs_rc workers_read(struct cli *cli, json_t **workers, struct cs_err *err) CS_MUSTCHECK;

/* A number of the hash; 0 when it is absent. */
long long worker_number(const json_t *worker, const char *field);
const char *worker_text(const json_t *worker, const char *field); /* "?" when it is absent */

/* It has read the stream, or started and not read yet, within CS_WORKER_LIVE_MS of now_ms. */
bool worker_is_live(const json_t *worker, long long now_ms);

#endif
