/* SPDX-License-Identifier: MIT */
/*
 * cli - what the verbs of the command-line tool share: configuration, output form, exit codes, the Redis connection.
 *
 * cachesync [--config FILE] [--json] VERB [ARGUMENTS]. main.c holds the one table of verbs; a verb family is a file.
 */
#ifndef CS_CLI_CLI_H
#define CS_CLI_CLI_H

#include <stdbool.h>

#include "common/config.h"
#include "common/err.h"
#include "common/keys.h"
#include "common/redis.h"

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_UNREACHABLE = 3 };

struct cli {
    struct cs_config cfg;
    struct cs_keys keys;
    bool json;                    /* --json, before or after the verb */
    struct cs_redis_sync *redis;  /* opened by cli_redis */
};

/* argv[0] is the verb. Returns an exit code. Errors: one line "cachesync VERB: ..." on standard error. */
typedef int cli_verb_fn(struct cli *cli, int argc, char **argv);

cli_verb_fn verb_trigger, verb_status, verb_watch, verb_cancel, verb_ping; /* jobs.c, watch.c */
cli_verb_fn verb_history, verb_stats;                                      /* history.c: jobs and counters from Redis */
cli_verb_fn verb_dead;                                                     /* dead.c */
cli_verb_fn verb_migrate;                                                  /* migrate.c */
cli_verb_fn verb_members;                                                  /* universes.c */
cli_verb_fn verb_rules;                                                    /* rules.c */
cli_verb_fn verb_doctor, verb_top;                                         /* doctor.c, top.c */

/* history --universe U, from sync_changes_log; verb_history hands over to it (universes.c). */
int cli_universe_history(struct cli *cli, const char *universe, const char *environment, int limit);

/* Connect to Redis once; prints the error itself and returns NULL on failure (exit CLI_UNREACHABLE). */
struct cs_redis_sync *cli_redis(struct cli *cli);

/* Print "cachesync VERB: message" (or {"error":..} with --json) and return the exit code that fits err->rc. */
int cli_fail(const struct cli *cli, const char *verb, const struct cs_err *err);

/* Print "cachesync VERB: message" with the verb's usage line; returns CLI_USAGE. */
int cli_usage(const char *verb, const char *fmt, ...) CS_PRINTF(2, 3);

#endif
