/* SPDX-License-Identifier: MIT */
/*
 * err - filling the error record. Allocates nothing, logs nothing; any thread.
 */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const rc_names[] = {
    [CS_OK] = "ok",
    [CS_EINVAL] = "invalid",
    [CS_ENOMEM] = "out of memory",
    [CS_EIO] = "io",
    [CS_ENOTFOUND] = "not found",
    [CS_EFULL] = "full",
    [CS_ESTOP] = "stopping",
    [CS_ETIMEOUT] = "timeout",
    [CS_ECANCELED] = "cancelled",
    [CS_EDOWN] = "down",
    [CS_EREDIS] = "redis",
    [CS_EDB] = "database",
    [CS_EREFUSED] = "refused",
};

/* One line, whatever stood in the input: a message ends in logs, hashes and HTTP bodies. */
static void
flatten(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
        if (*p < ' ' || *p == 0x7f)
            *p = '?';
}

static enum cs_rc fill(struct cs_err *err, enum cs_rc rc, const char *fmt, va_list args) CS_PRINTF(3, 0);

static enum cs_rc
fill(struct cs_err *err, enum cs_rc rc, const char *fmt, va_list args)
{
    char msg[sizeof err->msg]; /* an argument may point into err->msg */

    vsnprintf(msg, sizeof msg, fmt, args);
    flatten(msg);
    memset(err, 0, sizeof *err);
    err->rc = rc;
    memcpy(err->msg, msg, sizeof msg);
    return rc;
}

enum cs_rc
cs_err_set(struct cs_err *err, enum cs_rc rc, const char *fmt, ...)
{
    va_list args;

    if (err == NULL)
        return rc;
    va_start(args, fmt);
    fill(err, rc, fmt, args);
    va_end(args);
    return rc;
}

enum cs_rc
cs_err_errno(struct cs_err *err, int sys_errno, const char *fmt, ...)
{
    va_list args;
    char buf[128];
    size_t len;

    if (err == NULL)
        return CS_EIO;
    va_start(args, fmt);
    fill(err, CS_EIO, fmt, args);
    va_end(args);
    err->sys_errno = sys_errno;
    len = strlen(err->msg);
    snprintf(err->msg + len, sizeof err->msg - len, ": %s", strerror_r(sys_errno, buf, sizeof buf));
    return CS_EIO;
}

enum cs_rc
cs_err_code(struct cs_err *err, enum cs_rc rc, const char *code, const char *fmt, ...)
{
    va_list args;

    if (err == NULL)
        return rc;
    va_start(args, fmt);
    fill(err, rc, fmt, args);
    va_end(args);
    snprintf(err->code, sizeof err->code, "%s", code);
    return rc;
}

enum cs_rc
cs_err_prefix(struct cs_err *err, const char *fmt, ...)
{
    char msg[sizeof err->msg];
    size_t len, tail;
    va_list args;

    va_start(args, fmt);
    vsnprintf(msg, sizeof msg - 2, fmt, args);
    va_end(args);
    strcat(msg, ": ");
    len = strlen(msg);
    tail = strnlen(err->msg, sizeof msg - len - 1);
    memcpy(msg + len, err->msg, tail);
    msg[len + tail] = '\0';
    flatten(msg);
    memcpy(err->msg, msg, sizeof msg);
    return err->rc;
}

const char *
cs_rc_name(enum cs_rc rc)
{
    size_t i = (size_t)rc;

    return i < sizeof rc_names / sizeof rc_names[0] ? rc_names[i] : "unknown";
}
