/* SPDX-License-Identifier: MIT */
/*
 * workers - reads the index and the hashes of the daemons. Main thread.
 */
#include "worker/cli/workers.h"

#include <stdlib.h>

#include "common/clock.h"

#define WORKERS_LAST "99" /* rank of the last one looked at */

enum cs_rc
workers_read(struct cli *cli, json_t **workers, struct cs_err *err)
{
    const char *names[] = {"ZREVRANGE", cli->keys.workers, "0", WORKERS_LAST};
    struct cs_reply *index = NULL, *hash;

    *workers = NULL;
    if (cli_call(cli, &index, err, 4, names, NULL) != CS_OK)
        return err->rc;
    *workers = json_array();
    for (size_t i = 0; i < cs_reply_len(index); i++) {
        char key[CS_KEY_MAX];
        const char *name = cli_text(cs_reply_at(index, i), NULL);
        const char *argv[] = {"HGETALL", cs_key_worker(&cli->keys, name, key)};

        if (cli_call(cli, &hash, err, 2, argv, NULL) != CS_OK)
            break;
        if (cs_reply_len(hash) > 0) {
            json_t *worker = cli_fields_object(hash);

            json_object_set_new(worker, "name", json_string(name));
            json_array_append_new(*workers, worker);
        }
        cs_reply_free(hash);
    }
    cs_reply_free(index);
    if (err->rc == CS_OK)
        return CS_OK;
    json_decref(*workers);
    *workers = NULL;
    return err->rc;
}

const char *
worker_text(const json_t *worker, const char *field)
{
    const char *text = json_string_value(json_object_get(worker, field));

    return text != NULL ? text : "?";
}

long long
worker_number(const json_t *worker, const char *field)
{
    return strtoll(worker_text(worker, field), NULL, 10);
}

bool
worker_is_live(const json_t *worker, long long now_ms)
{
    int64_t since_ms = worker_number(worker, "last_read_ms");

    if (since_ms == 0 && cs_time_parse(worker_text(worker, "started_at"), &since_ms) != CS_OK)
        return false;
    return now_ms - since_ms <= CS_WORKER_LIVE_MS;
}
