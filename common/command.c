/* SPDX-License-Identifier: MIT */
/*
 * command - one table of fields: name, check, where the value goes.
 *
 * Owns: what a field may hold. Does not: know where commands come from. Any thread.
 */
#include "common/command.h"

#include <stdio.h>
#include <string.h>

static const char *const verbs[CS_VERB_COUNT] = {"sync", "ping", "cancel"};

const char *
cs_verb_name(enum cs_verb verb)
{
    return verbs[verb];
}

void
cs_command_init(struct cs_command *cmd, const char *environment, const char *triggered_by)
{
    *cmd = (struct cs_command){0};
    snprintf(cmd->environment, sizeof cmd->environment, "%s", environment);
    snprintf(cmd->triggered_by, sizeof cmd->triggered_by, "%s", triggered_by);
}

/* A check gets NUL-terminated text without NUL bytes inside, at most 255 bytes. */
typedef bool check_fn(struct cs_command *cmd, const char *value);

static bool
set_verb(struct cs_command *cmd, const char *value)
{
    for (int i = 0; i < CS_VERB_COUNT; i++)
        if (strcmp(value, verbs[i]) == 0) {
            cmd->verb = (enum cs_verb)i;
            return true;
        }
    return false;
}

static bool
set_mode(struct cs_command *cmd, const char *value)
{
    return cs_mode_parse(value, &cmd->mode);
}

static bool
parse_bool(const char *value, bool *out)
{
    *out = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
    return *out || strcmp(value, "0") == 0 || strcmp(value, "false") == 0;
}

static bool
set_force(struct cs_command *cmd, const char *value)
{
    return parse_bool(value, &cmd->force);
}

static bool
set_dry_run(struct cs_command *cmd, const char *value)
{
    return parse_bool(value, &cmd->dry_run);
}

static bool
set_as_of(struct cs_command *cmd, const char *value)
{
    if (!cs_date_valid(value))
        return false;
    memcpy(cmd->as_of, value, CS_DATE_LEN + 1);
    return true;
}

/* Copy when 1..max characters of the set. */
static bool
set_text(char *out, size_t max, const char *value, const char *allowed)
{
    size_t len = strlen(value);
    if (!len || len > max || strspn(value, allowed) != len)
        return false;
    memcpy(out, value, len + 1);
    return true;
}

static bool
set_environment(struct cs_command *cmd, const char *value)
{
    return set_text(cmd->environment, CS_ENVIRONMENT_MAX, value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

static bool
set_triggered_by(struct cs_command *cmd, const char *value)
{
    return set_text(cmd->triggered_by, CS_TRIGGERED_BY_MAX, value,
                    "abcdefghijklmnopqrstuvwxyz0123456789_.:-");
}

static bool
set_job_id(struct cs_command *cmd, const char *value)
{
    return cs_uuid_normalize(value, strlen(value), cmd->job_id) == CS_OK;
}

static bool
set_idempotency_key(struct cs_command *cmd, const char *value)
{
    size_t len = strlen(value);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)value[i] < 0x20 || (unsigned char)value[i] > 0x7e)
            return false;
    if (!len || len > CS_IDEMPOTENCY_KEY_MAX)
        return false;
    memcpy(cmd->idempotency_key, value, len + 1);
    return true;
}

static const struct {
    const char *name;
    check_fn *set;
    const char *remedy;
} table[] = {
    {"command", set_verb, "use sync, ping or cancel"},
    {"mode", set_mode, "use full, market_cap, themes or ipos"},
    {"force", set_force, "use 1, 0, true or false"},
    {"dry_run", set_dry_run, "use 1, 0, true or false"},
    {"as_of", set_as_of, "use a date YYYY-MM-DD"},
    {"environment", set_environment, "use 1 to 10 of A-Z, 0-9 and _"},
    {"job_id", set_job_id, "use a UUID"},
    {"idempotency_key", set_idempotency_key, "use 1 to 128 printable ASCII characters"},
    {"triggered_by", set_triggered_by, "use 1 to 64 of a-z, 0-9 and _.:-"},
};

/* At most 40 bytes of a value, made printable. */
static void
printable(const char *value, size_t len, char out[48])
{
    size_t n = 0;
    for (; n < len && n < 40; n++)
        out[n] = (unsigned char)value[n] >= 0x20 && (unsigned char)value[n] < 0x7f ? value[n] : '?';
    memcpy(out + n, len > 40 ? "..." : "", len > 40 ? 4 : 1);
}

enum cs_rc
cs_command_set(struct cs_command *cmd, const char *name, const char *value, size_t value_len,
               struct cs_err *err)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[256], shown[48];
        if (strcmp(name, table[i].name) != 0)
            continue;
        bool fits = value_len < sizeof text && !memchr(value, 0, value_len);
        if (fits) {
            memcpy(text, value, value_len);
            text[value_len] = '\0';
        }
        if (fits && table[i].set(cmd, text))
            return CS_OK;
        printable(value, value_len, shown);
        return cs_err_code(err, CS_EINVAL, "invalid_command", "%s '%s' is not valid: %s", table[i].name,
                           shown, table[i].remedy);
    }
    return CS_ENOTFOUND;
}

enum cs_rc
cs_command_decode(struct cs_command *cmd, const struct cs_field *fields, size_t count, struct cs_err *err)
{
    enum cs_rc first = CS_OK;
    for (size_t i = 0; i < count; i++) {
        char name[32];
        struct cs_err later;
        if (fields[i].name_len >= sizeof name || memchr(fields[i].name, 0, fields[i].name_len))
            continue;
        memcpy(name, fields[i].name, fields[i].name_len);
        name[fields[i].name_len] = '\0';
        enum cs_rc rc =
            cs_command_set(cmd, name, fields[i].value, fields[i].value_len, first == CS_OK ? err : &later);
        if (rc == CS_EINVAL && first == CS_OK)
            first = rc;
    }
    if (first == CS_OK && cmd->verb == CS_VERB_CANCEL && !*cmd->job_id)
        first =
            cs_err_code(err, CS_EINVAL, "invalid_command", "cancel has no job_id: name the job to cancel");
    return first;
}

size_t
cs_command_encode(const struct cs_command *cmd, const char *argv[CS_COMMAND_ARGV_MAX])
{
    size_t n = 0;
    const struct {
        const char *name, *value;
        bool wanted;
    } fields[] = {
        {"command", cs_verb_name(cmd->verb), cmd->verb != CS_VERB_SYNC},
        {"mode", cs_mode_name(cmd->mode), true},
        {"force", cmd->force ? "1" : "0", true},
        {"dry_run", "1", cmd->dry_run},
        {"as_of", cmd->as_of, *cmd->as_of},
        {"environment", cmd->environment, *cmd->environment},
        {"job_id", cmd->job_id, *cmd->job_id},
        {"idempotency_key", cmd->idempotency_key, *cmd->idempotency_key},
        {"triggered_by", cmd->triggered_by, *cmd->triggered_by},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].wanted) {
            argv[n++] = fields[i].name;
            argv[n++] = fields[i].value;
        }
    return n;
}
