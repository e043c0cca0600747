/* SPDX-License-Identifier: MIT */
/*
 * cli - errors, exit codes and the Redis connection that the verbs share. Main thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "worker/cli/output.h"
#include "worker/cli/term.h"

#define REDIS_TIMEOUT_MS 5000u
#define SCHEMA_CODE "schema_" /* codes of a database that must be migrated: no mistake in the usage */

static int
exit_code(const struct cs_err *err)
{
    if (err->rc == CS_EDOWN || err->rc == CS_ETIMEOUT)
        return CLI_UNREACHABLE;
    if (err->rc == CS_EINVAL && strncmp(err->code, SCHEMA_CODE, strlen(SCHEMA_CODE)) != 0)
        return CLI_USAGE;
    return CLI_FAILED;
}

int
cli_fail(const struct cli *cli, const char *verb, const struct cs_err *err)
{
    if (cli->json) {
        json_t *doc = json_pack("{s:s,s:o}", "error", err->code[0] ? err->code : cs_rc_name(err->rc),
                                "message", cs_json_text(err->msg, strlen(err->msg)));

        cli_write_json(stderr, doc);
        json_decref(doc);
    } else {
        char *text = term_harmless(cs_xstrdup(err->msg)); /* it may hold what a server said */

        fprintf(stderr, "cachesync %s: %s\n", verb, text);
        free(text);
    }
    return exit_code(err);
}

int
cli_usage(const char *verb, const char *fmt, ...)
{
    const struct cli_verb *entry = cli_verb_find(verb);
    va_list ap;

    fprintf(stderr, "cachesync %s: ", verb);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "; usage: cachesync %s %s\n", verb, entry ? entry->usage : "");
    return CLI_USAGE;
}

enum cs_rc
cli_redis_open(struct cli *cli, struct cs_err *err)
{
    if (cli->redis != NULL)
        return CS_OK;
    return cs_redis_sync_open(&cli->redis, &cli->cfg.redis, REDIS_TIMEOUT_MS, err);
}

/* An error reply is a failure too. */
static enum cs_rc
judge(struct cs_reply **out, const char *what, enum cs_rc rc, struct cs_err *err)
{
    if (rc == CS_OK && cs_reply_is_error(*out, NULL)) {
        rc = cs_err_set(err, CS_EREDIS, "Redis refused %s: %s", what, cs_reply_str(*out, NULL));
        cs_reply_free(*out);
        *out = NULL;
    }
    return rc;
}

enum cs_rc
cli_call(struct cli *cli, struct cs_reply **out, struct cs_err *err, int argc, const char **argv,
         const size_t *argvlen)
{
    *out = NULL;
    if (cli_redis_open(cli, err) != CS_OK)
        return err->rc;
    return judge(out, argv[0], cs_redis_sync_call(cli->redis, out, err, argc, argv, argvlen), err);
}

enum cs_rc
cli_eval(struct cli *cli, struct cs_reply **out, struct cs_err *err, const char *script, int nkeys, int argc,
         const char **argv)
{
    *out = NULL;
    if (cli_redis_open(cli, err) != CS_OK)
        return err->rc;
    return judge(out, script, cs_redis_sync_eval(cli->redis, out, err, script, nkeys, argc, argv, NULL), err);
}

const char *
cli_text(const struct cs_reply *reply, size_t *len_bytes)
{
    const char *text = cs_reply_str(reply, len_bytes);

    return text != NULL ? text : "";
}

struct cs_field *
cli_fields(const struct cs_reply *reply, size_t *count)
{
    struct cs_field *fields;

    *count = cs_reply_len(reply) / 2;
    if (*count == 0)
        return NULL;
    fields = cs_xcalloc(*count, sizeof *fields);
    for (size_t i = 0; i < *count; i++) {
        fields[i].name = cli_text(cs_reply_at(reply, 2 * i), &fields[i].name_len);
        fields[i].value = cli_text(cs_reply_at(reply, 2 * i + 1), &fields[i].value_len);
    }
    return fields;
}

json_t *
cli_fields_object(const struct cs_reply *reply)
{
    json_t *object = json_object();
    size_t count;
    struct cs_field *fields = cli_fields(reply, &count);

    for (size_t i = 0; fields != NULL && i < count; i++)
        json_object_set_new(object, fields[i].name, cs_json_text(fields[i].value, fields[i].value_len));
    free(fields);
    return object;
}

bool
cli_number(const char *text, long min, long max, long *value)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < min || n > max)
        return false;
    *value = n;
    return true;
}
