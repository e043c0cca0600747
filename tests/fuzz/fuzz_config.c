/* SPDX-License-Identifier: MIT */
/* link: common/config common/config_file common/uri common/log common/clock common/mem common/err */
/*
 * fuzz_config - a configuration file, read from memory, without an environment.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static int fd = -1;
    static FILE *nowhere;
    static char path[32];
    struct cs_config cfg = {0};
    struct cs_err err = {0};

    if (fd < 0) {
        clearenv();
        fd = memfd_create("config", MFD_CLOEXEC);
        nowhere = fopen("/dev/null", "w");
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || nowhere == NULL || ftruncate(fd, 0) < 0 || pwrite(fd, data, len, 0) != (ssize_t)len)
        return 0;
    if (cs_config_load(&cfg, path, &err) == CS_OK) {
        if (cfg.workers < 1 || cfg.port < 1 || cfg.port > 65535 || cfg.lease_ms < 500 ||
            cfg.environment == NULL)
            abort();
        cs_config_print(&cfg, nowhere);
    } else if (err.msg[0] == '\0' || strpbrk(err.msg, "\r\n") != NULL) {
        abort();
    }
    cs_config_fini(&cfg);
    return 0;
}
