/* SPDX-License-Identifier: MIT */
/*
 * job - the one table of the job hash's fields.
 *
 * Owns: names and types. Does not: read Redis. Any thread.
 */
#include "common/job.h"

#include <stdlib.h>
#include <string.h>

#define F(name, type)                                                                                        \
    {                                                                                                        \
#name, sizeof #name - 1, type                                                                        \
    }
const struct cs_job_field cs_job_fields[CS_JOB_FIELDS] = {
    F(job_id, CS_JOB_TEXT),           F(entry_id, CS_JOB_TEXT),
    F(command, CS_JOB_TEXT),          F(mode, CS_JOB_TEXT),
    F(force, CS_JOB_BOOLEAN),         F(dry_run, CS_JOB_BOOLEAN),
    F(environment, CS_JOB_TEXT),      F(as_of, CS_JOB_TEXT),
    F(triggered_by, CS_JOB_TEXT),     F(status, CS_JOB_TEXT),
    F(created_at, CS_JOB_TEXT),       F(start_time, CS_JOB_TEXT),
    F(end_time, CS_JOB_TEXT),         F(duration_seconds, CS_JOB_NUMBER),
    F(attempts, CS_JOB_INTEGER),      F(worker, CS_JOB_TEXT),
    F(progress, CS_JOB_JSON),         F(error_details, CS_JOB_JSON),
    F(total_changes, CS_JOB_INTEGER), F(universes_updated, CS_JOB_JSON),
    F(summary, CS_JOB_JSON),          F(coalesced_into, CS_JOB_TEXT),
};
#undef F

static json_t *
typed(enum cs_job_type type, const struct cs_field *f)
{
    char text[64];
    if (type == CS_JOB_JSON)
        return json_loadb(f->value, f->value_len, JSON_DECODE_ANY, NULL);
    if (type == CS_JOB_TEXT) /* with a NUL it would be JSON that most readers refuse, ours among them */
        return memchr(f->value, '\0', f->value_len) ? NULL : json_stringn(f->value, f->value_len);
    if (!f->value_len || f->value_len >= sizeof text)
        return NULL;
    memcpy(text, f->value, f->value_len);
    text[f->value_len] = '\0';
    char *end = text;
    json_t *value = type == CS_JOB_NUMBER ? json_real(strtod(text, &end))
                    : type == CS_JOB_INTEGER
                        ? json_integer(strtoll(text, &end, 10))
                        : json_boolean(strcmp(text, "1") == 0 || strcmp(text, "true") == 0);
    if (type != CS_JOB_BOOLEAN && *end) {
        json_decref(value);
        return NULL;
    }
    return value;
}

json_t *
cs_job_to_json(const struct cs_field *fields, size_t count)
{
    if (!count)
        return NULL;
    json_t *job = json_object();
    for (size_t i = 0; i < CS_JOB_FIELDS; i++) {
        json_t *value = NULL;
        for (size_t k = 0; k < count && !value; k++)
            if (cs_job_fields[i].name_len == fields[k].name_len &&
                memcmp(cs_job_fields[i].name, fields[k].name, fields[k].name_len) == 0)
                value = typed(cs_job_fields[i].type, &fields[k]);
        json_object_set_new(job, cs_job_fields[i].name, value ? value : json_null());
    }
    const char *status = json_string_value(json_object_get(job, "status"));
    if (!status || strcmp(status, cs_status_name(CS_STATUS_RUNNING)) != 0)
        json_object_set_new(job, "progress", json_null());
    return job;
}

json_t *
cs_job_pending_json(const char *job_id, const struct cs_entry_id *entry, const struct cs_command *cmd)
{
    char created[CS_TIME_LEN + 1], entry_id[CS_ENTRY_ID_LEN + 1];
    cs_time_format((int64_t)entry->ms, created);
    cs_entry_id_format(entry, entry_id);
    const struct {
        const char *name, *value;
    } known[] = {
        {"job_id", job_id},
        {"entry_id", entry_id},
        {"command", cs_verb_name(cmd->verb)},
        {"mode", cs_mode_name(cmd->mode)},
        {"force", cmd->force ? "1" : "0"},
        {"dry_run", cmd->dry_run ? "1" : "0"},
        {"environment", cmd->environment},
        {"as_of", cmd->as_of},
        {"triggered_by", cmd->triggered_by},
        {"status", cs_status_name(CS_STATUS_PENDING)},
        {"created_at", created},
    };
    struct cs_field fields[sizeof known / sizeof *known];
    size_t count = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (*known[i].value)
            fields[count++] = (struct cs_field){known[i].name, strlen(known[i].name), known[i].value,
                                                strlen(known[i].value)};
    return cs_job_to_json(fields, count);
}
