/* SPDX-License-Identifier: MIT */
/*
 * dead - the verb that looks after the dead letters: list, show, send again, throw away. Main thread.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/uuid.h"
#include "worker/cli/cli.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 10000

static json_t *
letter_from(const struct cs_reply *entry)
{
    json_t *letter = cli_fields_object(cs_reply_at(entry, 1));

    json_object_set_new(letter, "id", json_string(cs_reply_str(cs_reply_at(entry, 0), NULL)));
    return letter;
}

static int
list(struct cli *cli, const char *limit)
{
    static const struct cli_column columns[] = {
        {"id", "ID"},      {"failed_at", "FAILED AT"}, {"reason", "REASON"},
        {"job_id", "JOB"}, {"attempts", "ATTEMPTS"},   {"error", "ERROR"}};
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
    (void)cli_print_job(cli, letter);
    json_decref(letter);
    return CLI_OK;
}

static int
said(const struct cli *cli, const char *id, const char *what)
{
    printf(cli->json ? "{\"id\":\"%s\",\"action\":\"%s\"}\n" : "dead letter %s %s\n", id, what);
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
    return err.rc == CS_OK ? said(cli, id, "discarded") : cli_fail(cli, "dead", &err);
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

/* MULTI, XADD of the fields, XDEL of the letter, EXEC. */
static enum cs_rc
move(struct cli *cli, const char *id, const struct cs_reply *fields, struct cs_err *err)
{
    size_t count = cs_reply_len(fields), n = 3;
    const char **argv = cs_xcalloc(count + 5, sizeof *argv);
    size_t *lens = cs_xcalloc(count + 5, sizeof *lens);
    const char *multi[] = {"MULTI"}, *exec[] = {"EXEC"}, *xdel[] = {"XDEL", cli->keys.dead, id};
    struct cs_reply *reply = NULL;

    argv[0] = "XADD", argv[1] = cli->keys.commands, argv[2] = "*";
    for (size_t i = 0; i + 1 < count; i += 2) {
        if (left_behind(cs_reply_str(cs_reply_at(fields, i), NULL)))
            continue;
        argv[n] = cs_reply_str(cs_reply_at(fields, i), &lens[n]);
        n++;
        argv[n] = cs_reply_str(cs_reply_at(fields, i + 1), &lens[n]);
        n++;
    }
    if (n == 3) { /* a command of defaults alone still needs a field */
        argv[n++] = "command";
        argv[n++] = "sync";
        lens[3] = strlen(argv[3]), lens[4] = strlen(argv[4]);
    }
    for (size_t i = 0; i < 3; i++)
        lens[i] = strlen(argv[i]);
    const struct {
        int argc;
        const char **argv;
        const size_t *lens;
    } steps[] = {{1, multi, NULL}, {(int)n, argv, lens}, {3, xdel, NULL}, {1, exec, NULL}};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && err->rc == CS_OK; i++) {
        cs_reply_free(reply);
        if (cli_call(cli, &reply, err, steps[i].argc, steps[i].argv, steps[i].lens) != CS_OK)
            break;
    }
    if (err->rc == CS_OK && cs_reply_len(reply) == 0)
        cs_err_set(err, CS_EREFUSED, "the dead letters changed meanwhile; nothing was sent, try again");
    cs_reply_free(reply);
    free(argv);
    free(lens);
    return err->rc;
}

/* WATCH keeps two people from sending one letter twice. */
static int
requeue(struct cli *cli, const char *id)
{
    const char *watch[] = {"WATCH", cli->keys.dead};
    struct cs_reply *reply = NULL;
    struct cs_err err = {0};

    if (cli_call(cli, &reply, &err, 2, watch, NULL) != CS_OK)
        return cli_fail(cli, "dead", &err);
    cs_reply_free(reply);
    if (read_letter(cli, id, &reply, &err) != CS_OK)
        return cli_fail(cli, "dead", &err);
    move(cli, id, cs_reply_at(cs_reply_at(reply, 0), 1), &err);
    cs_reply_free(reply);
    return err.rc == CS_OK ? said(cli, id, "requeued") : cli_fail(cli, "dead", &err);
}

static int
verb_list(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"limit", required_argument, NULL, 'l'}, {NULL, 0, NULL, 0}};
    long limit = LIMIT_DEFAULT;
    char text[24];
    int opt;

    opterr = 0;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (opt != 'l' || !cli_number(optarg, 1, LIMIT_MAX, &limit))
            return cli_usage("dead", "--limit is a number from 1 to %d", LIMIT_MAX);
    if (optind < argc)
        return cli_usage("dead", "\"%s\" is too much", argv[optind]);
    snprintf(text, sizeof text, "%ld", limit);
    return list(cli, text);
}

int
verb_dead(struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct cli *cli, const char *id);
    } actions[] = {{"show", show}, {"requeue", requeue}, {"discard", discard}};
    struct cs_entry_id id;

    if (argc < 2)
        return cli_usage("dead", "what to do is missing");
    if (strcmp(argv[1], "list") == 0)
        return verb_list(cli, argc - 1, argv + 1);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(actions[i].name, argv[1]) != 0)
            continue;
        if (argc != 3 || cs_entry_id_parse(argv[2], &id) != CS_OK)
            return cli_usage("dead", "%s needs one ID as dead list shows it", argv[1]);
        return actions[i].run(cli, argv[2]);
    }
    return cli_usage("dead", "\"%s\" is nothing it does", argv[1]);
}
