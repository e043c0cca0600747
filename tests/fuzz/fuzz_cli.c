/* SPDX-License-Identifier: MIT */
/* link: worker/cli/cli worker/cli/dead worker/cli/doctor worker/cli/doctor_acl worker/cli/doctor_daemons worker/cli/doctor_queue */
/* link: worker/cli/doctor_redis worker/cli/history worker/cli/job_print worker/cli/job_read worker/cli/jobs worker/cli/options */
/* link: worker/cli/output worker/cli/ping worker/cli/queue_state worker/cli/stats worker/cli/term worker/cli/top */
/* link: worker/cli/top_frame worker/cli/top_read worker/cli/watch worker/cli/workers worker/sync/rules worker/sync/rules_parse */
/* link: worker/sync/rules_read common/redis_reply common/config common/config_file common/resolve common/uri common/embed embed common/job common/command */
/* link: common/keys common/uuid common/clock common/json common/json_valid common/log common/mem common/err */
/*
 * fuzz_cli - what the verbs make of what servers answer. The first line of the input is the verb with its arguments, the rest
 * what Redis answers, reply after reply (RESP), and at the end what the adapter says of its health.
 *
 * Whatever that is, the verb ends; what it prints is UTF-8 without control characters, and with --json each line is JSON.
 */
#include <getopt.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "worker/cli/cli.h"
#include "worker/cli/doctor.h"
#include "worker/sync/inspect.h"

#define WORDS_MAX 12
#define COUNT_DIGITS 4 /* of elements: a count alone must not take gigabytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct cli_verb verbs[] = {
    {"status", "", "", verb_status, false},   {"watch", "", "", verb_watch, false},
    {"history", "", "", verb_history, false}, {"stats", "", "", verb_stats, false},
    {"dead", "", "", verb_dead, false},       {"top", "", "", verb_top, false},
    {"doctor", "", "", verb_doctor, false},   {"cancel", "", "", verb_cancel, false},
    {"trigger", "", "", verb_trigger, false}, {"ping", "", "", verb_ping, false},
};

/* ---- in place of the servers ---- */

struct cs_redis_sync {
    redisReader *reader;
};
static struct cs_redis_sync server;
static const char *health; /* what the adapter answers */

enum cs_rc
cs_redis_sync_open(struct cs_redis_sync **out, const struct cs_redis_addr *addr, uint32_t timeout_ms,
                   struct cs_err *err)
{
    (void)addr, (void)timeout_ms, (void)err;
    *out = &server;
    return CS_OK;
}

void
cs_redis_sync_close(struct cs_redis_sync *s)
{
    (void)s;
}

enum cs_rc
cs_redis_sync_call(struct cs_redis_sync *s, struct cs_reply **out, struct cs_err *err, int argc,
                   const char **argv, const size_t *argvlen)
{
    void *reply = NULL;

    for (int i = 0; i < argc; i++)
        if (argvlen == NULL && strlen(argv[i]) > 1000000)
            abort();
    if (redisReaderGetReply(s->reader, &reply) != REDIS_OK || reply == NULL)
        return cs_err_set(err, CS_EREDIS, "there is no other reply");
    *out = reply;
    return CS_OK;
}

enum cs_rc
cs_redis_sync_eval(struct cs_redis_sync *s, struct cs_reply **out, struct cs_err *err, const char *script,
                   int nkeys, int argc, const char **argv, const size_t *argvlen)
{
    (void)script, (void)nkeys;
    return cs_redis_sync_call(s, out, err, argc, argv, argvlen);
}

enum cs_rc
health_get(const char *host, int port, int timeout_ms, char **answer, struct cs_err *err)
{
    (void)host, (void)port, (void)timeout_ms, (void)err;
    *answer = cs_xstrdup(health);
    return CS_OK;
}

void
inspect_database(const struct inspect_request *req)
{
    (void)req;
}

int
cli_universe_history(struct cli *cli, const char *universe, const char *environment, int limit)
{
    (void)cli, (void)universe, (void)environment, (void)limit;
    return CLI_OK;
}

const struct cli_verb *
cli_verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* Nobody waits. */
int
poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)fds, (void)count, (void)timeout_ms;
    return 0;
}

/* ---- what must hold ---- */

static void
check_harmless(const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        const unsigned char *c = (const unsigned char *)text + i;

        n = cs_utf8_len(c, len - i);
        if (n == 0 || (n == 1 && ((*c < ' ' && *c != '\n') || *c == 0x7f)) ||
            (n == 2 && *c == 0xc2 && c[1] < 0xa0))
            abort();
    }
}

static void
check_json(const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        if (!cs_json_valid(text, len) || text[len] != '\n')
            abort();
        text += len + 1;
    }
}

/* ---- a run ---- */

/* Words of a line, in place; "--json" is taken out, as main does. Returns how many. */
static int
split(char *line, char *words[WORDS_MAX + 1], bool *json)
{
    char *save = NULL;
    int n = 0;

    for (char *word = strtok_r(line, " ", &save); word != NULL && n < WORDS_MAX;
         word = strtok_r(NULL, " ", &save)) {
        if (strcmp(word, "--json") == 0)
            *json = true;
        else
            words[n++] = word;
    }
    words[n] = NULL;
    return n;
}

static void
run(struct cli *cli, const struct cli_verb *verb, int argc, char **argv)
{
    FILE *out = stdout, *err = stderr;
    char *printed = NULL, *said = NULL;
    size_t printed_len = 0, said_len = 0;

    stdout = open_memstream(&printed, &printed_len);
    stderr = open_memstream(&said, &said_len);
    if (stdout == NULL || stderr == NULL)
        abort();
    optind = 0;
    (void)verb->run(cli, argc, argv);
    fclose(stdout);
    fclose(stderr);
    stdout = out;
    stderr = err;
    check_harmless(printed, printed_len);
    check_harmless(said, said_len);
    if (cli->json)
        check_json(printed);
    free(printed);
    free(said);
}

/* A line that people could type, and counts that memory can hold. */
static bool
is_tame(const char *text, size_t line_len, size_t len)
{
    for (size_t i = 0; i < line_len; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    for (size_t i = line_len; i < len; i++)
        if (text[i] == '*' && strspn(text + i + 1, "0123456789+-") > COUNT_DIGITS)
            return false;
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct cs_config cfg;
    struct cli cli = {.redis = &server};
    char *text = cs_xmalloc(len + 1), *words[WORDS_MAX + 1];
    size_t line_len;
    const struct cli_verb *verb = NULL;
    struct cs_err err;
    int argc = 0;

    if (cfg.key_prefix == NULL && (clearenv() != 0 || cs_config_load(&cfg, NULL, &err) != CS_OK))
        abort();
    memcpy(text, data, len);
    text[len] = '\0';
    line_len = strcspn(text, "\n");
    if (line_len < len && is_tame(text, line_len, len)) {
        text[line_len] = '\0';
        argc = split(text, words, &cli.json);
        verb = argc > 0 ? cli_verb_find(words[0]) : NULL;
    }
    if (verb != NULL) {
        cli.cfg = cfg;
        cs_keys_init(&cli.keys, cfg.key_prefix);
        server.reader = redisReaderCreate();
        if (server.reader == NULL ||
            redisReaderFeed(server.reader, text + line_len + 1, len - line_len - 1) != REDIS_OK)
            abort();
        health = strstr(text + line_len + 1, "HTTP/");
        health = health != NULL ? health : "";
        run(&cli, verb, argc, words);
        redisReaderFree(server.reader);
    }
    free(text);
    return 0;
}
