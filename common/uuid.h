/* SPDX-License-Identifier: MIT */
/*
 * uuid - job ids: UUID text, and the RFC 9562 version 7 form of a Redis stream entry id. Any thread.
 *
 *   unix_ts_ms (48 bits) = milliseconds of the entry id
 *   rand_a     (12 bits) = 0
 *   rand_b     (62 bits) = sequence number of the entry id
 */
#ifndef CS_COMMON_UUID_H
#define CS_COMMON_UUID_H

#include <stdint.h>

#include "common/err.h"

#define CS_UUID_LEN 36
#define CS_ENTRY_ID_LEN 41 /* two 64-bit numbers and a dash */

struct cs_entry_id {
    uint64_t ms;
    uint64_t seq;
};

/* Read "ms-seq" (both decimal, 64 bits). CS_EINVAL otherwise. */
enum cs_rc cs_entry_id_parse(const char *text, struct cs_entry_id *id) CS_MUSTCHECK;
void cs_entry_id_format(const struct cs_entry_id *id, char out[CS_ENTRY_ID_LEN + 1]);

/* Entry id to job id, lower case. CS_EINVAL when ms >= 2^48 or seq >= 2^62. */
enum cs_rc cs_uuid_from_entry(const struct cs_entry_id *id, char out[CS_UUID_LEN + 1]) CS_MUSTCHECK;

/* The inverse. CS_ENOTFOUND when the UUID is not of that form (another version or variant, rand_a not 0). */
enum cs_rc cs_uuid_to_entry(const char *uuid, struct cs_entry_id *id) CS_MUSTCHECK;

/* Check 8-4-4-4-12 hexadecimal text of any version and copy it in lower case. CS_EINVAL otherwise. */
enum cs_rc cs_uuid_normalize(const char *text, size_t len_bytes, char out[CS_UUID_LEN + 1]) CS_MUSTCHECK;

#endif
