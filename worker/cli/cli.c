/* SPDX-License-Identifier: MIT */
/*
 * cli - errors, exit codes, tables and the Redis connection that the verbs share. Main thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/job.h"
#include "common/json.h"
#include "common/mem.h"
#include "worker/cli/cli.h"

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
        char *text = cs_json_dump(doc);

        fprintf(stderr, "%s\n", text);
        free(text);
        json_decref(doc);
    } else {
        fprintf(stderr, "cachesync %s: %s\n", verb, err->msg);
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

static enum cs_rc
open_redis(struct cli *cli, struct cs_err *err)
{
    if (cli->redis != NULL)
        return CS_OK;
    return cs_redis_sync_open(&cli->redis, &cli->cfg.redis, REDIS_TIMEOUT_MS, err);
}

struct cs_redis_sync *
cli_redis(struct cli *cli)
{
    struct cs_err err = {0};

    if (open_redis(cli, &err) != CS_OK) {
        cli->redis = NULL;
        cli_fail(cli, "redis", &err);
    }
    return cli->redis;
}

enum cs_rc
cli_call(struct cli *cli, struct cs_reply **out, struct cs_err *err, int argc, const char **argv,
         const size_t *argvlen)
{
    enum cs_rc rc;

    *out = NULL;
    if (open_redis(cli, err) != CS_OK)
        return err->rc;
    rc = cs_redis_sync_call(cli->redis, out, err, argc, argv, argvlen);
    if (rc == CS_OK && cs_reply_is_error(*out, NULL)) {
        rc = cs_err_set(err, CS_EREDIS, "Redis refused %s: %s", argv[0], cs_reply_str(*out, NULL));
        cs_reply_free(*out);
        *out = NULL;
    }
    return rc;
}

/* name, value, ... of a reply as fields that point into it. NULL when there are none; free() it. */
static struct cs_field *
fields_of(const struct cs_reply *reply, size_t *count)
{
    struct cs_field *fields;

    *count = cs_reply_len(reply) / 2;
    if (*count == 0)
        return NULL;
    fields = cs_xcalloc(*count, sizeof *fields);
    for (size_t i = 0; i < *count; i++) {
        fields[i].name = cs_reply_str(cs_reply_at(reply, 2 * i), &fields[i].name_len);
        fields[i].value = cs_reply_str(cs_reply_at(reply, 2 * i + 1), &fields[i].value_len);
    }
    return fields;
}

json_t *
cli_fields_object(const struct cs_reply *reply)
{
    json_t *object = json_object();
    size_t count;
    struct cs_field *fields = fields_of(reply, &count);

    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, fields[i].name, cs_json_text(fields[i].value, fields[i].value_len));
    free(fields);
    return object;
}

static json_t *
job_from_hash(const struct cs_reply *hash)
{
    size_t count;
    struct cs_field *fields = fields_of(hash, &count);
    json_t *job = cs_job_to_json(fields, count);

    free(fields);
    return job;
}

/* The job of an entry that no worker has read; NULL when the entry stands for another job or for none. */
static json_t *
job_from_entry(struct cli *cli, const char *job_id, const struct cs_entry_id *id,
               const struct cs_reply *entries)
{
    struct cs_command cmd;
    struct cs_err ignored = {0};
    size_t count;
    struct cs_field *fields;

    if (cs_reply_len(entries) == 0)
        return NULL;
    fields = fields_of(cs_reply_at(cs_reply_at(entries, 0), 1), &count);
    cs_command_init(&cmd, cli->cfg.environment, "stream");
    if (cs_command_decode(&cmd, fields, count, &ignored) != CS_OK)
        ignored.rc = CS_OK; /* a worker will say what is wrong with it */
    free(fields);
    if (cmd.verb == CS_VERB_CANCEL || (cmd.job_id[0] != '\0' && strcmp(cmd.job_id, job_id) != 0))
        return NULL;
    return cs_job_pending_json(job_id, id, &cmd);
}

static enum cs_rc
read_unread(struct cli *cli, const char *job_id, const struct cs_entry_id *id, json_t **job,
            struct cs_err *err)
{
    char key[CS_KEY_MAX], entry[CS_ENTRY_ID_LEN + 1];
    const char *multi[] = {"MULTI"}, *exec[] = {"EXEC"};
    const char *xrange[] = {"XRANGE", cli->keys.commands, entry, entry};
    const char *hgetall[] = {"HGETALL", cs_key_job(&cli->keys, job_id, key)};
    const struct {
        int argc;
        const char **argv;
    } steps[] = {{1, multi}, {4, xrange}, {2, hgetall}, {1, exec}};
    struct cs_reply *reply = NULL;

    cs_entry_id_format(id, entry);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        cs_reply_free(reply);
        if (cli_call(cli, &reply, err, steps[i].argc, steps[i].argv, NULL) != CS_OK)
            return err->rc;
    }
    *job = job_from_hash(cs_reply_at(reply, 1));
    if (*job == NULL)
        *job = job_from_entry(cli, job_id, id, cs_reply_at(reply, 0));
    cs_reply_free(reply);
    return CS_OK;
}

enum cs_rc
cli_job_read(struct cli *cli, const char *job_id, json_t **job, struct cs_err *err)
{
    char key[CS_KEY_MAX];
    const char *hgetall[] = {"HGETALL", cs_key_job(&cli->keys, job_id, key)};
    struct cs_entry_id id;
    struct cs_reply *reply = NULL;

    *job = NULL;
    if (cs_uuid_to_entry(job_id, &id) == CS_OK) {
        if (read_unread(cli, job_id, &id, job, err) != CS_OK)
            return err->rc;
    } else {
        if (cli_call(cli, &reply, err, 2, hgetall, NULL) != CS_OK)
            return err->rc;
        *job = job_from_hash(reply);
        cs_reply_free(reply);
    }
    if (*job == NULL)
        return cs_err_set(err, CS_ENOTFOUND, "no job %s; cachesync history lists the newest", job_id);
    return CS_OK;
}

void
cli_print_json(const json_t *value)
{
    char *text = cs_json_dump(value);

    puts(text);
    free(text);
}

/* A value as a cell of a table. Gives a string to free(). */
static char *
cell_text(const json_t *value)
{
    char *text;

    if (value == NULL || json_is_null(value))
        return cs_xstrdup("-");
    if (!json_is_string(value))
        return cs_json_dump(value);
    text = cs_xstrdup(json_string_value(value));
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?'; /* text of a producer must not steer the terminal */
    return text;
}

void
cli_table(const json_t *rows, const struct cli_column *columns, size_t count)
{
    size_t *widths = cs_xcalloc(count, sizeof *widths);
    size_t nrows = json_array_size(rows);
    char **cells = cs_xcalloc(nrows * count + 1, sizeof *cells);

    for (size_t c = 0; c < count; c++)
        widths[c] = strlen(columns[c].title);
    for (size_t i = 0; i < nrows * count; i++) {
        cells[i] = cell_text(json_object_get(json_array_get(rows, i / count), columns[i % count].key));
        if (strlen(cells[i]) > widths[i % count])
            widths[i % count] = strlen(cells[i]);
    }
    for (size_t c = 0; c < count; c++)
        printf("%-*s%s", c + 1 < count ? (int)widths[c] : 0, columns[c].title, c + 1 < count ? "  " : "\n");
    for (size_t i = 0; i < nrows * count; i++) {
        bool last = i % count + 1 == count;

        printf("%-*s%s", last ? 0 : (int)widths[i % count], cells[i], last ? "\n" : "  ");
        free(cells[i]);
    }
    free(cells);
    free(widths);
}

int
cli_print_job(const struct cli *cli, const json_t *job)
{
    const char *text = json_string_value(json_object_get(job, "status")), *key;
    enum cs_status status = CS_STATUS_PENDING;
    json_t *value;

    if (cli->json) {
        cli_print_json(job);
    } else {
        json_object_foreach((json_t *)(uintptr_t)job, key, value)
        {
            char *cell = cell_text(value);

            if (!json_is_null(value))
                printf("%-18s %s\n", key, cell);
            free(cell);
        }
    }
    if (text == NULL || !cs_status_parse(text, &status) || status == CS_STATUS_COMPLETED)
        return CLI_OK;
    return cs_status_final(status) ? CLI_FAILED : CLI_OK;
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
