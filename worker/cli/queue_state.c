/* SPDX-License-Identifier: MIT */
/*
 * queue_state - reads XINFO GROUPS, XLEN and the first entry after the last that was delivered. Main thread.
 */
#include "worker/cli/queue_state.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"

int64_t
entry_age_ms(const char *entry_id)
{
    struct cs_entry_id id;
    int64_t age_ms = 0;

    if (entry_id != NULL && cs_entry_id_parse(entry_id, &id) == CS_OK)
        age_ms = cs_clock_wall_ms() - (int64_t)id.ms;
    return age_ms > 0 ? age_ms : 0;
}

/* A field of the group's row in XINFO GROUPS; NULL without the group. */
static const struct cs_reply *
group_field(const struct cs_reply *groups, const char *field)
{
    for (size_t i = 0; i < cs_reply_len(groups); i++) {
        const struct cs_reply *row = cs_reply_at(groups, i), *found = NULL;
        bool ours = false;

        for (size_t k = 0; k + 1 < cs_reply_len(row); k += 2) {
            const char *name = cli_text(cs_reply_at(row, k), NULL);
            const char *value = cli_text(cs_reply_at(row, k + 1), NULL);

            ours = ours || (strcmp(name, "name") == 0 && strcmp(value, CS_GROUP) == 0);
            if (strcmp(name, field) == 0)
                found = cs_reply_at(row, k + 1);
        }
        if (ours)
            return found;
    }
    return NULL;
}

/* The group's last delivered id ("0-0" without a group), in text of CS_ENTRY_ID_LEN + 1 bytes. */
static enum cs_rc
read_group(struct cli *cli, struct queue_state *q, char *last, struct cs_err *err)
{
    const char *argv[] = {"XINFO", "GROUPS", cli->keys.commands};
    struct cs_reply *groups = NULL;
    const char *text;

    if (cli_call(cli, &groups, err, 3, argv, NULL) != CS_OK && strstr(err->msg, "no such key") == NULL)
        return err->rc;
    *err = (struct cs_err){0};
    q->has_group = group_field(groups, "pending") != NULL;
    q->held = cs_reply_int(group_field(groups, "pending"));
    text = cs_reply_str(group_field(groups, "last-delivered-id"), NULL);
    snprintf(last, CS_ENTRY_ID_LEN + 1, "%s", text != NULL ? text : "0-0");
    cs_reply_free(groups);
    return CS_OK;
}

enum cs_rc
queue_state_read(struct cli *cli, struct queue_state *q, struct cs_err *err)
{
    char from[CS_ENTRY_ID_LEN + 2] = "(";
    const char *xlen[] = {"XLEN", cli->keys.commands};
    const char *xrange[] = {"XRANGE", cli->keys.commands, from, "+", "COUNT", "1"};
    struct cs_reply *reply = NULL;
    int64_t length;

    *q = (struct queue_state){0};
    if (read_group(cli, q, from + 1, err) != CS_OK || cli_call(cli, &reply, err, 2, xlen, NULL) != CS_OK)
        return err->rc;
    length = cs_reply_int(reply);
    cs_reply_free(reply);
    if (cli_call(cli, &reply, err, 6, xrange, NULL) != CS_OK)
        return err->rc;
    if (cs_reply_len(reply) > 0) {
        q->waiting = length > q->held ? length - q->held : 1;
        q->oldest_wait_ms = entry_age_ms(cs_reply_str(cs_reply_at(cs_reply_at(reply, 0), 0), NULL));
    }
    cs_reply_free(reply);
    return CS_OK;
}
