/* SPDX-License-Identifier: MIT */
/*
 * trigger_read - the members of a trigger's body, one row each.
 */
#include "worker/http/trigger_read.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"

static const struct member {
    const char *name;
    bool boolean;
    const char *code;
} members[] = {
    {"mode", false, "invalid_mode"},           {"force", true, "invalid_request"},
    {"dry_run", true, "invalid_request"},      {"as_of", false, "invalid_request"},
    {"environment", false, "invalid_request"}, {"triggered_by", false, "invalid_request"},
};

static bool
refuse(struct http_refusal *why, int status, const char *code, const char *message)
{
    why->status = status;
    why->code = code;
    snprintf(why->message, sizeof why->message, "%s", message);
    return false;
}

static bool
set_member(struct cs_command *cmd, const struct member *m, const json_t *value, struct http_refusal *why)
{
    struct cs_err err = {0};
    char message[128];
    enum cs_rc rc;

    if (!value || json_is_null(value))
        return true;
    if (json_is_boolean(value) && m->boolean) {
        rc = cs_command_set(cmd, m->name, json_is_true(value) ? "1" : "0", 1, &err);
    } else if (json_is_string(value)) {
        rc = cs_command_set(cmd, m->name, json_string_value(value), json_string_length(value), &err);
    } else {
        snprintf(message, sizeof message, "%s must be a %s.", m->name, m->boolean ? "boolean" : "string");
        return refuse(why, 400, m->code, message);
    }
    return rc == CS_OK || refuse(why, 400, m->code, err.msg);
}

static bool
is_json(struct http_slice type)
{
    static const char wanted[] = "application/json";
    size_t len = sizeof wanted - 1;

    return type.len >= len && strncasecmp(type.at, wanted, len) == 0 &&
           (type.len == len || strchr("; \t", type.at[len]));
}

static bool
read_body(struct cs_command *cmd, const struct http_request *request, struct http_refusal *why)
{
    struct cs_err err = {0};
    bool good = true;
    json_t *body;

    if (request->body.len == 0)
        return true;
    if (!is_json(http_request_header(request, "content-type")))
        return refuse(why, 415, "unsupported_media_type", "Send the body as Content-Type: application/json.");
    body = cs_json_parse(request->body.at, request->body.len, HTTP_BODY_MAX_BYTES, &err);
    if (!json_is_object(body))
        good = refuse(why, 400, "invalid_request", body ? "The body must be a JSON object." : err.msg);
    for (size_t i = 0; good && i < sizeof members / sizeof members[0]; i++)
        good = set_member(cmd, &members[i], json_object_get(body, members[i].name), why);
    json_decref(body);
    return good;
}

bool
http_trigger_read(struct cs_command *cmd, const struct http_request *request, struct http_refusal *why)
{
    struct http_slice key = http_request_header(request, "idempotency-key");
    struct cs_err err = {0};

    if (!read_body(cmd, request, why))
        return false;
    if (!key.at || cs_command_set(cmd, "idempotency_key", key.at, key.len, &err) == CS_OK)
        return true;
    return refuse(why, 400, "invalid_request", err.msg);
}
