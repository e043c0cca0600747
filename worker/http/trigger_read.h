/* SPDX-License-Identifier: MIT */
/*
 * trigger_read - the request of a trigger as a command. Knows no Redis, no connection. Any one thread.
 */
#ifndef CS_HTTP_TRIGGER_READ_H
#define CS_HTTP_TRIGGER_READ_H

#include "common/command.h"
#include "worker/http/request.h"

/* Why a trigger is refused. */
struct http_refusal {
    int status;
    const char *code; /* static */
    char message[512];
};

/* Read body and Idempotency-Key over the defaults in cmd. False with why: 400 or 415. */
bool http_trigger_read(struct cs_command *cmd, const struct http_request *request, struct http_refusal *why);

#endif
