/* SPDX-License-Identifier: MIT */
/*
 * fields - bytes of a fuzzer as field and value pairs: name NUL value NUL ... Any thread.
 */
#ifndef CS_TESTS_FUZZ_FIELDS_H
#define CS_TESTS_FUZZ_FIELDS_H

#include <stdint.h>
#include <string.h>

#include "common/command.h"

#define FUZZ_FIELDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Borrows data. Returns how many pairs. */
static inline size_t
fuzz_fields(const uint8_t *data, size_t len, struct cs_field fields[FUZZ_FIELDS_MAX])
{
    const char *at = (const char *)data, *end = at + len;
    size_t count = 0;

    while (at < end && count < FUZZ_FIELDS_MAX) {
        struct cs_field *f = &fields[count++];

        f->name = at;
        f->name_len = strnlen(at, (size_t)(end - at));
        at += f->name_len + (at + f->name_len < end);
        f->value = at;
        f->value_len = strnlen(at, (size_t)(end - at));
        at += f->value_len + (at + f->value_len < end);
    }
    return count;
}

#endif
