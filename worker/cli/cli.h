/* SPDX-License-Identifier: MIT */
/*
 * cli - what the verbs of the command-line tool share: configuration, output form, exit codes, the Redis connection.
 *
 * cachesync [--config FILE] [--json] VERB [ARGUMENTS]. main.c holds the one table of verbs; a verb family is
 * a file.
 */
#ifndef CS_CLI_CLI_H
#define CS_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>

#include "common/command.h"
#include "common/config.h"
#include "common/err.h"
#include "common/keys.h"
#include "common/redis.h"

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_UNREACHABLE = 3 };

struct cli {
    struct cs_config cfg;
    struct cs_keys keys;
    bool json;                   /* --json, before or after the verb */
    const char *config_path;     /* --config; NULL: none */
    struct cs_err config_err;    /* why the configuration could not be read: for the doctor alone */
    struct cs_redis_sync *redis; /* opened by the first command */
};

/* argv[0] is the verb. Returns an exit code. Errors: one line "cachesync VERB: ..." on standard error. */
typedef int cli_verb_fn(struct cli *cli, int argc, char **argv);

cli_verb_fn verb_trigger, verb_status, verb_cancel; /* jobs.c */
cli_verb_fn verb_watch;                             /* watch.c */
cli_verb_fn verb_ping;                              /* ping.c */
cli_verb_fn verb_history;                           /* history.c */
cli_verb_fn verb_stats;                             /* stats.c */
cli_verb_fn verb_dead;                              /* dead.c */
cli_verb_fn verb_migrate;                           /* migrate.c */
cli_verb_fn verb_members;                           /* universes.c */
cli_verb_fn verb_rules;                             /* rules.c */
cli_verb_fn verb_doctor;                            /* doctor.c */
cli_verb_fn verb_top;                               /* top.c */

/* history --universe U, from sync_changes_log; verb_history hands over to it (universes.c). */
int cli_universe_history(struct cli *cli, const char *universe, const char *environment, int limit);

/* Connect to Redis once. CS_OK; as cs_redis_sync_open. */
enum cs_rc cli_redis_open(struct cli *cli, struct cs_err *err) CS_MUSTCHECK;

/* Print "cachesync VERB: message" (or {"error":..} with --json) and return the exit code that fits err->rc. */
int cli_fail(const struct cli *cli, const char *verb, const struct cs_err *err);

/* Print "cachesync VERB: message" with the verb's usage line; returns CLI_USAGE. */
int cli_usage(const char *verb, const char *fmt, ...) CS_PRINTF(2, 3);

/* One line of the table of verbs (main.c). */
struct cli_verb {
    const char *name;
    const char *usage; /* what follows the name */
    const char *help;
    cli_verb_fn *run;
    bool any_config; /* runs with a bad configuration too (config_err) */
};

const struct cli_verb *cli_verb_find(const char *name); /* NULL: no such verb */

/*
 * One command on the connection of cli_redis_open; an error reply counts as a failure (CS_EREDIS).
 * Gives a reply to cs_reply_free on CS_OK.
 */
enum cs_rc cli_call(struct cli *cli, struct cs_reply **out, struct cs_err *err, int argc, const char **argv,
                    const size_t *argvlen) CS_MUSTCHECK;

/* The same for a script by its embedded name; keys first in argv, then arguments. */
enum cs_rc cli_eval(struct cli *cli, struct cs_reply **out, struct cs_err *err, const char *script, int nkeys,
                    int argc, const char **argv) CS_MUSTCHECK;

/*
 * The job as a reader sees it: its hash or, unread, its entry (both in one MULTI). job_id in lower case.
 * Gives a reference in *job. CS_ENOTFOUND when neither is there.
 */
enum cs_rc cli_job_read(struct cli *cli, const char *job_id, json_t **job, struct cs_err *err) CS_MUSTCHECK;

/*
 * Send cmd and tell which job it is: its own job_id, or the one of the entry. job_id holds CS_UUID_LEN + 1 bytes.
 * Returns CS_OK; as cli_call.
 */
enum cs_rc cli_send(struct cli *cli, const struct cs_command *cmd, char *job_id,
                    struct cs_err *err) CS_MUSTCHECK;

/*
 * Follow a job to its end and print how it ended. accepted: the command was just sent, so a job that is not
 * there yet (its id was chosen by the producer) is waited for. Returns an exit code.
 */
int cli_follow(struct cli *cli, const char *verb, const char *job_id, bool accepted);

/* Text of a reply, "" where it is none, so that what a server says instead of a text is harmless. len_bytes may be NULL. */
const char *cli_text(const struct cs_reply *reply, size_t *len_bytes);

/* name, value, ... of a reply as fields that point into it. NULL when there are none; free() it. */
struct cs_field *cli_fields(const struct cs_reply *reply, size_t *count);
/* The same as an object of text; new reference. */
json_t *cli_fields_object(const struct cs_reply *fields);

/* Read a whole number within min..max. */
bool cli_number(const char *text, long min, long max, long *value);

#endif
