/* SPDX-License-Identifier: MIT */
/*
 * jobs - the verbs that send commands and read one job: trigger, status, cancel. Main thread.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/command.h"
#include "worker/cli/output.h"

enum cs_rc
cli_send(struct cli *cli, const struct cs_command *cmd, char *job_id, struct cs_err *err)
{
    const char *argv[3 + CS_COMMAND_ARGV_MAX] = {"XADD", cli->keys.commands, "*"};
    size_t count = cs_command_encode(cmd, argv + 3);
    struct cs_reply *reply = NULL;
    struct cs_entry_id id;
    const char *entry;

    if (cli_call(cli, &reply, err, 3 + (int)count, argv, NULL) != CS_OK)
        return err->rc;
    entry = cs_reply_str(reply, NULL);
    if (cmd->job_id[0] != '\0')
        memcpy(job_id, cmd->job_id, CS_UUID_LEN + 1);
    else if (entry == NULL || cs_entry_id_parse(entry, &id) != CS_OK ||
             cs_uuid_from_entry(&id, job_id) != CS_OK)
        cs_err_set(err, CS_EREDIS,
                   "Redis gave the entry id %s, which fits no job id; check the server's clock",
                   entry ? entry : "(none)");
    cs_reply_free(reply);
    return err->rc;
}

/* Fill cmd from the options; each is a field of the command. Returns CLI_OK or CLI_USAGE (said). */
static int
read_trigger(int argc, char **argv, struct cs_command *cmd, bool *wait)
{
    static const struct option options[] = {{"mode", required_argument, NULL, 'f'},
                                            {"as-of", required_argument, NULL, 'f'},
                                            {"environment", required_argument, NULL, 'f'},
                                            {"job-id", required_argument, NULL, 'f'},
                                            {"idempotency-key", required_argument, NULL, 'f'},
                                            {"triggered-by", required_argument, NULL, 'f'},
                                            {"force", no_argument, NULL, 'b'},
                                            {"dry-run", no_argument, NULL, 'b'},
                                            {"wait", no_argument, NULL, 'w'},
                                            {NULL, 0, NULL, 0}};
    int opt, index = 0;

    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":", options, &index)) != -1) {
        const char *value = opt == 'b' ? "1" : optarg;
        struct cs_err err = {0};
        char name[32];

        if (opt == '?')
            return cli_usage("trigger", "%s is no option of it", argv[optind - 1]);
        if (opt == ':')
            return cli_usage("trigger", "%s needs a value", argv[optind - 1]);
        if (opt == 'w') {
            *wait = true;
            continue;
        }
        snprintf(name, sizeof name, "%s", options[index].name);
        for (char *c = name; *c != '\0'; c++)
            if (*c == '-')
                *c = '_';
        if (cs_command_set(cmd, name, value, strlen(value), &err) != CS_OK)
            return cli_usage("trigger", "%s", err.msg);
    }
    if (optind < argc)
        return cli_usage("trigger", "\"%s\" is too much", argv[optind]);
    return CLI_OK;
}

int
verb_trigger(struct cli *cli, int argc, char **argv)
{
    char job_id[CS_UUID_LEN + 1];
    struct cs_command cmd;
    struct cs_err err = {0};
    bool wait = false;

    cs_command_init(&cmd, cli->cfg.environment, "cli");
    if (read_trigger(argc, argv, &cmd, &wait) != CLI_OK)
        return CLI_USAGE;
    if (cli_send(cli, &cmd, job_id, &err) != CS_OK)
        return cli_fail(cli, "trigger", &err);
    if (wait)
        return cli_follow(cli, "trigger", job_id, true);
    if (cli->json)
        printf("{\"job_id\":\"%s\",\"mode\":\"%s\"}\n", job_id, cs_mode_name(cmd.mode));
    else
        printf("%s\n", job_id);
    return CLI_OK;
}

/* The one argument of status and cancel. Returns CLI_OK or CLI_USAGE (said). */
static int
read_job_id(const char *verb, int argc, char **argv, char job_id[CS_UUID_LEN + 1])
{
    if (argc != 2)
        return cli_usage(verb, "one job id is needed");
    if (cs_uuid_normalize(argv[1], strlen(argv[1]), job_id) != CS_OK)
        return cli_usage(verb, "\"%s\" is no job id (a UUID)", argv[1]);
    return CLI_OK;
}

int
verb_status(struct cli *cli, int argc, char **argv)
{
    char job_id[CS_UUID_LEN + 1];
    struct cs_err err = {0};
    json_t *job;

    if (read_job_id("status", argc, argv, job_id) != CLI_OK)
        return CLI_USAGE;
    if (cli_job_read(cli, job_id, &job, &err) != CS_OK)
        return cli_fail(cli, "status", &err);
    cli_print_job(cli, job);
    json_decref(job);
    return CLI_OK; /* the question was answered, however the job ended */
}

static enum cs_rc
check_cancellable(struct cli *cli, const char *job_id, struct cs_err *err)
{
    enum cs_status status;
    const char *text;
    json_t *job;

    if (cli_job_read(cli, job_id, &job, err) != CS_OK)
        return err->rc;
    text = json_string_value(json_object_get(job, "status"));
    if (text != NULL && cs_status_parse(text, &status) && cs_status_final(status))
        cs_err_code(err, CS_EREFUSED, "already_ended", "job %s has already ended: %s", job_id, text);
    json_decref(job);
    return err->rc;
}

int
verb_cancel(struct cli *cli, int argc, char **argv)
{
    char job_id[CS_UUID_LEN + 1];
    const char *xadd[] = {"XADD",
                          cli->keys.control,
                          "MAXLEN",
                          CS_CONTROL_MAXLEN,
                          "*",
                          "command",
                          cs_verb_name(CS_VERB_CANCEL),
                          "job_id",
                          job_id};
    struct cs_reply *reply = NULL;
    struct cs_err err = {0};

    if (read_job_id("cancel", argc, argv, job_id) != CLI_OK)
        return CLI_USAGE;
    if (check_cancellable(cli, job_id, &err) != CS_OK ||
        cli_call(cli, &reply, &err, (int)(sizeof xadd / sizeof xadd[0]), xadd, NULL) != CS_OK)
        return cli_fail(cli, "cancel", &err);
    cs_reply_free(reply);
    if (cli->json)
        printf("{\"job_id\":\"%s\",\"cancel\":\"sent\"}\n", job_id);
    else
        printf("cancel sent to %s\n", job_id);
    return CLI_OK;
}
