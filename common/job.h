/* SPDX-License-Identifier: MIT */
/*
 * job - the hash P:job:<id> as a typed JSON object, for every reader (adapter, command line).
 *
 * One table of the hash's fields: name, type (string, integer, number, boolean, JSON). Any thread.
 */
#ifndef CS_COMMON_JOB_H
#define CS_COMMON_JOB_H

#include <jansson.h>
#include <stddef.h>

#include "common/command.h"

enum cs_job_type { CS_JOB_TEXT, CS_JOB_INTEGER, CS_JOB_NUMBER, CS_JOB_BOOLEAN, CS_JOB_JSON };

/* The fields of the hash, in the order in which readers are given them. For who writes JSON without a tree. */
struct cs_job_field {
    const char *name;
    size_t name_len;
    enum cs_job_type type;
};
#define CS_JOB_FIELDS 22
extern const struct cs_job_field cs_job_fields[CS_JOB_FIELDS];

/*
 * Typed object of all fields of the table, in its order; absent fields are null, unknown ones are left
 * out, text that does not parse as its type (or is not UTF-8) becomes null. progress is null unless status is running.
 * fields   name/value pairs of HGETALL, borrowed.
 * Returns  new reference; NULL only when count is 0 (no such hash).
 */
json_t *cs_job_to_json(const struct cs_field *fields, size_t count);

/*
 * The same for a command that no worker has read: status pending, created_at from the entry id. cmd is the decoded
 * entry (decode errors do not matter here). New reference, never NULL.
 */
json_t *cs_job_pending_json(const char *job_id, const struct cs_entry_id *entry,
                            const struct cs_command *cmd);

#endif
