/* SPDX-License-Identifier: MIT */
/*
 * command - what stands in an entry of P:commands and P:control, decoded and checked; and back.
 *
 * Knows the fields, their types, bounds and defaults (docs/protocol.md); knows no Redis. Any thread.
 */
#ifndef CS_COMMON_COMMAND_H
#define CS_COMMON_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/keys.h"
#include "common/uuid.h"

#define CS_ENVIRONMENT_MAX 10
#define CS_TRIGGERED_BY_MAX 64
#define CS_IDEMPOTENCY_KEY_MAX 128

enum cs_verb { CS_VERB_SYNC, CS_VERB_PING, CS_VERB_CANCEL, CS_VERB_COUNT };

const char *cs_verb_name(enum cs_verb verb);

/* A field and its value as they stand in the stream: bytes with lengths, not NUL-terminated. Borrowed. */
struct cs_field {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

/* A decoded command. Plain data. Empty strings: absent. */
struct cs_command {
    enum cs_verb verb;
    enum cs_mode mode;
    bool force;
    bool dry_run;
    char as_of[CS_DATE_LEN + 1];
    char environment[CS_ENVIRONMENT_MAX + 1];
    char job_id[CS_UUID_LEN + 1];
    char idempotency_key[CS_IDEMPOTENCY_KEY_MAX + 1];
    char triggered_by[CS_TRIGGERED_BY_MAX + 1];
};

/* All defaults: sync, full, environment as given, triggered_by as given. */
void cs_command_init(struct cs_command *cmd, const char *environment, const char *triggered_by);

/*
 * Decode fields over the defaults in cmd (cs_command_init first). A field given twice: the last one counts.
 * Unknown fields are ignored. Decoding goes on after the first bad field, so that cmd holds whatever was good
 * (job_id, idempotency_key) for the failed job's hash.
 *
 * Returns CS_OK; CS_EINVAL with err->code "invalid_command" and a message naming field, value (cut, escaped) and
 *         remedy. cancel without a job_id is CS_EINVAL.
 */
enum cs_rc cs_command_decode(struct cs_command *cmd, const struct cs_field *fields, size_t count,
                             struct cs_err *err) CS_MUSTCHECK;

/* Check and store one field by name (also used for REST bodies and CLI options). CS_ENOTFOUND: not a field of ours. */
enum cs_rc cs_command_set(struct cs_command *cmd, const char *name, const char *value, size_t value_len,
                          struct cs_err *err) CS_MUSTCHECK;

/*
 * Write the fields that differ from a bare command as name, value, name, value ... for XADD.
 * argv     room for CS_COMMAND_ARGV_MAX pointers into cmd or static text; valid while cmd is.
 * Returns  how many were written (even). mode and force are always written.
 */
#define CS_COMMAND_ARGV_MAX 18
size_t cs_command_encode(const struct cs_command *cmd, const char *argv[CS_COMMAND_ARGV_MAX]);

#endif
