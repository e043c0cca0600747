/* SPDX-License-Identifier: MIT */
/*
 * job_read - a job as a reader sees it: its hash, or the entry that no worker has read. Main thread.
 */
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/job.h"
#include "worker/cli/cli.h"

static json_t *
job_from_hash(const struct cs_reply *hash)
{
    size_t count;
    struct cs_field *fields = cli_fields(hash, &count);
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
    fields = cli_fields(cs_reply_at(cs_reply_at(entries, 0), 1), &count);
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
