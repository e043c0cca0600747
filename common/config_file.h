/* SPDX-License-Identifier: MIT */
/*
 * config_file - lines of KEY=VALUE, as systemd's EnvironmentFile= and a shell read them: quotes, "export", comments.
 *
 * Knows no key. Main thread, at start.
 */
#ifndef CS_COMMON_CONFIG_FILE_H
#define CS_COMMON_CONFIG_FILE_H

#include <stddef.h>

#include "common/err.h"

struct config_line {
    const char *name; /* len bytes, not terminated */
    size_t len;
    const char *value; /* without its quotes; NULL: wrong says why */
    const char *wrong; /* NULL: nothing */
};

/* A line that is neither empty nor a comment; borrowed. Anything but CS_OK ends the reading. */
typedef enum cs_rc config_line_cb(const struct config_line *line, void *arg, struct cs_err *err);

/*
 * Give each line of the file to take.
 * Returns  CS_OK; what take returned, with "path:line: " in front; CS_EIO with --config and path when it cannot be read.
 */
enum cs_rc config_file_read(const char *path, config_line_cb *take, void *arg,
                            struct cs_err *err) CS_MUSTCHECK;

#endif
