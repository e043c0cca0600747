/* SPDX-License-Identifier: MIT */
/*
 * log - one line an event: time, level, event id, job id, key=value pairs.
 *
 * text: 2024-05-09T20:00:00.000Z info  job_finished job=0190... status=completed changes=12
 * json: {"ts":"...","level":"info","event":"job_finished","job_id":"...","status":"completed","changes":12}
 *
 * Values are escaped (control characters, quotes, invalid UTF-8), so that no input can forge a line. Level is
 * tested before anything is formatted. Any thread: one write(2) a line.
 */
#ifndef CS_COMMON_LOG_H
#define CS_COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum cs_log_level { CS_LOG_DEBUG, CS_LOG_INFO, CS_LOG_WARN, CS_LOG_ERROR };
enum cs_log_format { CS_LOG_TEXT, CS_LOG_JSON };

struct cs_kv {
    const char *key; /* NULL ends the list */
    enum { CS_KV_STR, CS_KV_INT, CS_KV_NUM, CS_KV_BOOL } type;
    union {
        const char *s;
        int64_t i;
        double f;
    } v;
};

static inline struct cs_kv
cs_kv_s(const char *key, const char *value)
{
    return (struct cs_kv){key, CS_KV_STR, {.s = value}};
}

static inline struct cs_kv
cs_kv_i(const char *key, int64_t value)
{
    return (struct cs_kv){key, CS_KV_INT, {.i = value}};
}

static inline struct cs_kv
cs_kv_f(const char *key, double value)
{
    return (struct cs_kv){key, CS_KV_NUM, {.f = value}};
}

static inline struct cs_kv
cs_kv_b(const char *key, bool value)
{
    return (struct cs_kv){key, CS_KV_BOOL, {.i = value}};
}

extern enum cs_log_level cs_log_threshold; /* set by cs_log_open and cs_log_set_level only */

/*
 * Direct the log. path NULL is standard error; a file is opened for appending, mode 0640.
 * Returns CS_OK, or CS_EIO with the path in err (the log stays where it was).
 */
enum cs_rc cs_log_open(const char *path, enum cs_log_format format, enum cs_log_level level,
                       struct cs_err *err) CS_MUSTCHECK;
/* After rotation (SIGHUP); keeps the old file on error. */
enum cs_rc cs_log_reopen(struct cs_err *err) CS_MUSTCHECK;
void cs_log_set_level(enum cs_log_level level);

/* Write one line. job_id may be NULL. kv ends with a NULL key. */
void cs_log_write(enum cs_log_level level, const char *event, const char *job_id, const struct cs_kv *kv);

/* CS_LOG(CS_LOG_INFO, "job_started", job_id, cs_kv_s("mode", "full"), cs_kv_i("attempt", 1)); pairs optional */
#define CS_LOG(level, event, job_id, ...)                                                                    \
    do {                                                                                                     \
        if ((level) >= cs_log_threshold)                                                                     \
            cs_log_write((level), (event), (job_id),                                                         \
                         &(const struct cs_kv[]){                                                            \
                             {NULL, CS_KV_STR, {NULL}}, ##__VA_ARGS__, {NULL, CS_KV_STR, {NULL}}}[1]);       \
    } while (0)

#endif
