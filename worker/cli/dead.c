/* SPDX-License-Identifier: MIT */
/*
 * dead - the verb that looks after the dead letters: list, show, send again, throw away. Main thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/uuid.h"
#include "worker/cli/options.h"
#include "worker/cli/output.h"

#define LIST_DEFAULT 20
#define LIST_MAX 10000
#define REQUEUE_TRIES 20

static json_t *
letter_from(const struct cs_reply *entry)
{
    json_t *letter = cli_fields_object(cs_reply_at(entry, 1));

    json_object_set_new(letter, "id", json_string(cli_text(cs_reply_at(entry, 0), NULL)));
    return letter;
}

static int
list(struct cli *cli, const char *limit)
{
    static const struct cli_column columns[] = {{"id", "ID", false, false},
                                                {"failed_at", "FAILED AT", false, false},
                                                {"reason", "REASON", false, false},
                                                {"job_id", "JOB", false, false},
                                                {"attempts", "ATTEMPTS", true, false},
                                                {"error", "ERROR", false, false}};
    const char *argv[] = {"XREVRANGE", cli->keys.dead, "+", "-", "COUNT", limit};
    struct cs_reply *reply = NULL;
    struct cs_err err = {0};
    json_t *letters;

    if (cli_call(cli, &reply, &err, 6, argv, NULL) != CS_OK)
        return cli_fail(cli, "dead", &err);
    letters = json_array();
    for (size_t i = 0; i < cs_reply_len(reply); i++)
        json_array_append_new(letters, letter_from(cs_reply_at(reply, i)));
    cs_reply_free(reply);
    if (cli->json)
        cli_print_json(letters);
    else
        cli_table(letters, columns, sizeof columns / sizeof columns[0]);
    json_decref(letters);
    return CLI_OK;
}

/* Gives the reply of XRANGE with exactly that letter. */
static enum cs_rc
read_letter(struct cli *cli, const char *id, struct cs_reply **reply, struct cs_err *err)
{
    const char *argv[] = {"XRANGE", cli->keys.dead, id, id};

    if (cli_call(cli, reply, err, 4, argv, NULL) != CS_OK)
        return err->rc;
    if (cs_reply_len(*reply) > 0)
        return CS_OK;
    cs_reply_free(*reply);
    *reply = NULL;
    return cs_err_set(err, CS_ENOTFOUND, "no dead letter %s; cachesync dead list shows them", id);
}

static int
show(struct cli *cli, const char *id)
{
    struct cs_reply *reply = NULL;
    struct cs_err err = {0};
    json_t *letter;

    if (read_letter(cli, id, &reply, &err) != CS_OK)
        return cli_fail(cli, "dead", &err);
    letter = letter_from(cs_reply_at(reply, 0));
    cs_reply_free(reply);
    if (cli->json)
        cli_print_json(letter);
    else
        cli_print_fields(letter);
    json_decref(letter);
    return CLI_OK;
}

static int
discard(struct cli *cli, const char *id)
{
    const char *argv[] = {"XDEL", cli->keys.dead, id};
    struct cs_reply *reply = NULL;
    struct cs_err err = {0};

    if (cli_call(cli, &reply, &err, 3, argv, NULL) == CS_OK && cs_reply_int(reply) == 0)
        cs_err_set(&err, CS_ENOTFOUND, "no dead letter %s; cachesync dead list shows them", id);
    cs_reply_free(reply);
    if (err.rc != CS_OK)
        return cli_fail(cli, "dead", &err);
    printf(cli->json ? "{\"id\":\"%s\",\"action\":\"discarded\"}\n" : "dead letter %s discarded\n", id);
    return CLI_OK;
}

/* Not sent again: what the worker added, and the names under which the command is already known and would not
 * run. */
static bool
left_behind(const char *name)
{
    static const char *const names[] = {"job_id", "idempotency_key", "reason",
                                        "error",  "attempts",        "failed_at"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* XADD P:commands * with the original fields. argv and lens have room for 3 + the fields, or for 5. Returns
 * argc. */
static size_t
command_again(const struct cli *cli, const struct cs_reply *fields, const char **argv, size_t *lens)
{
    const char *head[] = {"XADD", cli->keys.commands, "*"}, *bare[] = {"command", "sync"};
    size_t n = 0;

    for (; n < 3; n++)
        argv[n] = head[n];
    for (size_t i = 0; i + 1 < cs_reply_len(fields); i += 2)
        if (!left_behind(cli_text(cs_reply_at(fields, i), NULL)))
            for (size_t k = 0; k < 2; k++, n++)
                argv[n] = cli_text(cs_reply_at(fields, i + k), &lens[n]);
    for (size_t i = 0; n < 5; i++, n++) /* a command of defaults alone still needs a field */
        argv[n] = bare[i], lens[n] = strlen(bare[i]);
    for (size_t i = 0; i < 3; i++)
        lens[i] = strlen(argv[i]);
    return n;
}

/* MULTI, XADD of the fields, XDEL of the letter, EXEC. Gives the reply of EXEC: nil when the letters had
 * changed. */
static enum cs_rc
move(struct cli *cli, const char *id, const struct cs_reply *fields, struct cs_reply **reply,
     struct cs_err *err)
{
    size_t room = cs_reply_len(fields) + 5;
    const char **argv = cs_xcalloc(room, sizeof *argv);
    size_t *lens = cs_xcalloc(room, sizeof *lens);
    int argc = (int)command_again(cli, fields, argv, lens);
    const char *multi[] = {"MULTI"}, *exec[] = {"EXEC"}, *xdel[] = {"XDEL", cli->keys.dead, id};
    const struct {
        int argc;
        const char **argv;
        const size_t *lens;
    } steps[] = {{1, multi, NULL}, {argc, argv, lens}, {3, xdel, NULL}, {1, exec, NULL}};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && err->rc == CS_OK; i++) {
        cs_reply_free(*reply);
        if (cli_call(cli, reply, err, steps[i].argc, steps[i].argv, steps[i].lens) != CS_OK)
            break;
    }
    free(argv);
    free(lens);
    return err->rc;
}

/* WATCH keeps two people from sending one letter twice. *reply as move gives it. */
static enum cs_rc
try_requeue(struct cli *cli, const char *id, struct cs_reply **reply, struct cs_err *err)
{
    const char *watch[] = {"WATCH", cli->keys.dead};
    struct cs_reply *letter = NULL;

    *reply = NULL;
    if (cli_call(cli, &letter, err, 2, watch, NULL) != CS_OK)
        return err->rc;
    cs_reply_free(letter);
    if (read_letter(cli, id, &letter, err) != CS_OK)
        return err->rc;
    move(cli, id, cs_reply_at(cs_reply_at(letter, 0), 1), reply, err);
    cs_reply_free(letter);
    return err->rc;
}

static int
requeue(struct cli *cli, const char *id)
{
    char job_id[CS_UUID_LEN + 1] = "";
    struct cs_reply *reply = NULL;
    struct cs_entry_id entry;
    struct cs_err err = {0};
    const char *text = NULL;

    for (int i = 0; i < REQUEUE_TRIES && err.rc == CS_OK && cs_reply_len(reply) == 0; i++) {
        cs_reply_free(reply);
        try_requeue(cli, id, &reply, &err);
    }
    if (err.rc == CS_OK)
        text = cs_reply_str(cs_reply_at(reply, 0), NULL);
    if (err.rc == CS_OK && cs_reply_len(reply) == 0)
        cs_err_set(&err, CS_EREFUSED, "the dead letters kept changing; nothing was sent, try again");
    else if (err.rc == CS_OK && cs_reply_is_error(cs_reply_at(reply, 0), NULL))
        cs_err_set(&err, CS_EREDIS, "Redis refused the command: %s", text);
    else if (err.rc == CS_OK && (text == NULL || cs_entry_id_parse(text, &entry) != CS_OK ||
                                 cs_uuid_from_entry(&entry, job_id) != CS_OK))
        cs_err_set(&err, CS_EREDIS, "sent, but Redis named an entry that fits no job id");
    cs_reply_free(reply);
    if (err.rc != CS_OK)
        return cli_fail(cli, "dead", &err);
    printf(cli->json ? "{\"id\":\"%s\",\"action\":\"requeued\",\"job_id\":\"%s\"}\n"
                     : "dead letter %s requeued as job %s\n",
           id, job_id);
    return CLI_OK;
}

static bool
read_list_limit(const char *text, void *target)
{
    return cli_number(text, 1, LIST_MAX, target);
}

static int
verb_list(struct cli *cli, int argc, char **argv)
{
    long limit = LIST_DEFAULT;
    const struct cli_option options[] = {{"limit", read_list_limit, &limit, "a number from 1 to 10000"}};
    char text[24];

    if (cli_options("dead", argc, argv, options, 1, 0) < 0)
        return CLI_USAGE;
    snprintf(text, sizeof text, "%ld", limit);
    return list(cli, text);
}

/* Each id must be one before anything is done to the first. */
static bool
are_ids(int count, char **ids)
{
    struct cs_entry_id id;

    for (int i = 0; i < count; i++)
        if (cs_entry_id_parse(ids[i], &id) != CS_OK) {
            cli_usage("dead", "\"%.80s\" is no ID as dead list shows it", ids[i]);
            return false;
        }
    return true;
}

int
verb_dead(struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct cli *cli, const char *id);
    } actions[] = {{"show", show}, {"requeue", requeue}, {"discard", discard}};
    int code = CLI_OK;

    if (argc < 2)
        return cli_usage("dead", "what to do is missing");
    if (strcmp(argv[1], "list") == 0)
        return verb_list(cli, argc - 1, argv + 1);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(actions[i].name, argv[1]) != 0)
            continue;
        if (argc == 2)
            return cli_usage("dead", "%s needs an ID as dead list shows it", argv[1]);
        if (!are_ids(argc - 2, argv + 2))
            return CLI_USAGE;
        for (int k = 2; k < argc && code == CLI_OK; k++)
            code = actions[i].run(cli, argv[k]);
        return code;
    }
    return cli_usage("dead", "\"%.80s\" is nothing it does", argv[1]);
}
