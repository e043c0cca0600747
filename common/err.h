/* SPDX-License-Identifier: MIT */
/*
 * err - one return code and one error record for the whole house.
 *
 * A function that can fail returns enum cs_rc and fills a caller-owned struct cs_err where it happens.
 * The record travels up unchanged but for prefixes; whoever handles it logs it, once.
 */
#ifndef CS_COMMON_ERR_H
#define CS_COMMON_ERR_H

#include <stddef.h>

#define CS_MUSTCHECK __attribute__((warn_unused_result))
#define CS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum cs_rc {
    CS_OK = 0,
    CS_EINVAL, /* a value is not what it must be: the message names it and the remedy */
    CS_ENOMEM, /* an allocation whose size comes from input failed */
    CS_EIO,    /* a system call failed: sys_errno */
    CS_ENOTFOUND,
    CS_EFULL,    /* a bounded thing is full */
    CS_ESTOP,    /* the thing is stopping or stopped */
    CS_ETIMEOUT, /* a deadline passed */
    CS_ECANCELED,
    CS_EDOWN,    /* a server cannot be reached */
    CS_EREDIS,   /* Redis answered with an error: message holds it */
    CS_EDB,      /* PostgreSQL answered with an error: sqlstate */
    CS_EREFUSED, /* a rule or a validation check says no: code */
};

/* A failure. Plain data; zero-initialised means none. */
struct cs_err {
    enum cs_rc rc;
    int sys_errno;    /* 0 when no system call is to blame */
    char sqlstate[6]; /* "" when PostgreSQL is not to blame */
    char code[48];    /* word for machines (error_details.code); "" when the rc says it all */
    char msg[512];    /* one sentence for people: names the thing and the remedy; no line breaks */
};

/*
 * Fill err (may be NULL) and return rc, so that "return cs_err_set(...)" is the usual form.
 * Control characters in the formatted message become '?'. Any thread.
 */
enum cs_rc cs_err_set(struct cs_err *err, enum cs_rc rc, const char *fmt, ...) CS_PRINTF(3, 4);

/* The same with errno (strerror is appended). */
enum cs_rc cs_err_errno(struct cs_err *err, int sys_errno, const char *fmt, ...) CS_PRINTF(3, 4);

/* The same with a code word for error_details.code. */
enum cs_rc cs_err_code(struct cs_err *err, enum cs_rc rc, const char *code, const char *fmt, ...)
    CS_PRINTF(4, 5);

/* Put "prefix: " in front of err->msg. Returns err->rc. */
enum cs_rc cs_err_prefix(struct cs_err *err, const char *fmt, ...) CS_PRINTF(2, 3);

/* Static name of a code: "invalid", "timeout" ... Never NULL. */
const char *cs_rc_name(enum cs_rc rc);

#endif
