/* SPDX-License-Identifier: MIT */
/*
 * job - the one table of the job hash's fields.
 *
 * Owns: names and types. Does not: read Redis. Any thread.
 */
#include "common/job.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"

enum type { TEXT, INTEGER, NUMBER, BOOLEAN, JSON };

static const struct {
    const char *name;
    enum type type;
} table[] = {
    {"job_id", TEXT},           {"entry_id", TEXT},
    {"command", TEXT},          {"mode", TEXT},
    {"force", BOOLEAN},         {"dry_run", BOOLEAN},
    {"environment", TEXT},      {"as_of", TEXT},
    {"triggered_by", TEXT},     {"status", TEXT},
    {"created_at", TEXT},       {"start_time", TEXT},
    {"end_time", TEXT},         {"duration_seconds", NUMBER},
    {"attempts", INTEGER},      {"worker", TEXT},
    {"progress", JSON},         {"error_details", JSON},
    {"total_changes", INTEGER}, {"universes_updated", JSON},
    {"summary", JSON},          {"coalesced_into", TEXT},
};

static json_t *
typed(enum type type, const struct cs_field *f)
{
    char text[64];
    if (type == JSON)
        return json_loadb(f->value, f->value_len, JSON_DECODE_ANY, NULL);
    if (type == TEXT)
        return json_stringn(f->value, f->value_len);
    if (!f->value_len || f->value_len >= sizeof text)
        return NULL;
    memcpy(text, f->value, f->value_len);
    text[f->value_len] = '\0';
    char *end;
    json_t *value = type == NUMBER    ? json_real(strtod(text, &end))
                    : type == INTEGER ? json_integer(strtoll(text, &end, 10))
                                      : json_boolean(strcmp(text, "1") == 0 || strcmp(text, "true") == 0);
    if (type != BOOLEAN && *end) {
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
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        json_t *value = NULL;
        for (size_t k = 0; k < count && !value; k++)
            if (strlen(table[i].name) == fields[k].name_len &&
                memcmp(table[i].name, fields[k].name, fields[k].name_len) == 0)
                value = typed(table[i].type, &fields[k]);
        json_object_set_new(job, table[i].name, value ? value : json_null());
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
