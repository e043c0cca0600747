/* SPDX-License-Identifier: MIT */
/* link: common/uri common/config common/config_file common/log common/clock common/mem common/err */
/*
 * fuzz_uri - REDIS_URL, and the masking of DATABASE_URI for the log.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1), *masked, out[128];
    struct cs_redis_addr addr = {0};
    struct cs_err err = {0};

    if (text == NULL)
        return 0;
    if (len != 0)
        memcpy(text, data, len);
    text[len] = '\0';
    if (cs_redis_addr_parse(&addr, text, &err) == CS_OK) {
        if ((addr.host == NULL) == (addr.unix_path == NULL) || addr.port < 0 || addr.port > 65535)
            abort();
        cs_redis_addr_format(&addr, out, sizeof out);
        if (strlen(out) >= sizeof out)
            abort();
    } else if (err.msg[0] == '\0' || strpbrk(err.msg, "\r\n") != NULL) {
        abort();
    }
    cs_redis_addr_fini(&addr);
    masked = cs_uri_masked(text);
    free(masked);
    free(text);
    return 0;
}
