/* SPDX-License-Identifier: MIT */
/*
 * log - builds a line on the stack and hands it to one write(2).
 *
 * Owns the descriptor of the log. A rotated file is put under the same descriptor number (dup3), so that
 * threads which are writing never see a closed one. Opened and reopened on the main thread, written by any.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/utf8.h"

#define LINE_MAX_BYTES 8192
#define TAIL_BYTES 32 /* kept free for the truncation mark, the closing brace and the line's end */
#define CUT_MARK "truncated"

enum cs_log_level cs_log_threshold = CS_LOG_INFO;

static struct {
    char *path; /* NULL: standard error */
    int fd;
    enum cs_log_format format;
} log_to = {NULL, STDERR_FILENO, CS_LOG_TEXT};

static const char *const level_names[] = {
    [CS_LOG_DEBUG] = "debug", [CS_LOG_INFO] = "info", [CS_LOG_WARN] = "warn", [CS_LOG_ERROR] = "error"};

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
    size_t room; /* len may not pass it */
    bool cut;
};

static void
put(struct line *l, const char *bytes, size_t len)
{
    if (len > l->room - l->len) {
        l->cut = true;
        return;
    }
    memcpy(l->text + l->len, bytes, len);
    l->len += len;
}

static void
puts_to(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* Bytes that stand for themselves between quotes: no control characters (C1 neither), quotes, backslashes. */
static bool
stands_for_itself(const unsigned char *s, size_t len)
{
    if (len == 1)
        return s[0] >= ' ' && s[0] != 0x7f && s[0] != '"' && s[0] != '\\';
    return len != 0 && !(s[0] == 0xc2 && s[1] < 0xa0);
}

static void
put_quoted(struct line *l, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    bool json = log_to.format == CS_LOG_JSON;
    char escape[8];

    put(l, "\"", 1);
    for (size_t left = strlen(text); left != 0 && !l->cut;) {
        size_t len = cs_utf8_len(s, left);

        if (stands_for_itself(s, len)) {
            put(l, (const char *)s, len);
        } else if (*s == '"' || *s == '\\') {
            put(l, "\\", 1);
            put(l, (const char *)s, 1);
        } else if (json && len != 0) {
            snprintf(escape, sizeof escape, "\\u%04x", len == 1 ? s[0] : s[1]); /* C1: U+0080 is C2 80 */
            puts_to(l, escape);
        } else if (json) {
            puts_to(l, "\\ufffd");
        } else {
            len = 1;
            snprintf(escape, sizeof escape, "\\x%02x", *s);
            puts_to(l, escape);
        }
        len = len != 0 ? len : 1;
        s += len;
        left -= len;
    }
    put(l, "\"", 1);
}

/* A text value needs quotes unless it is one word of plain characters. */
static bool
plain_word(const char *text)
{
    const char *p = text;

    for (; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\' || *p == '=')
            return false;
    return p != text;
}

static void
put_text(struct line *l, const char *text)
{
    if (log_to.format == CS_LOG_TEXT && plain_word(text))
        puts_to(l, text);
    else
        put_quoted(l, text);
}

static void
put_value(struct line *l, const struct cs_kv *kv)
{
    bool json = log_to.format == CS_LOG_JSON;
    char number[40];

    switch (kv->type) {
    case CS_KV_STR:
        if (kv->v.s != NULL)
            put_text(l, kv->v.s);
        else
            puts_to(l, json ? "null" : "-");
        return;
    case CS_KV_BOOL:
        puts_to(l, kv->v.i != 0 ? "true" : "false");
        return;
    case CS_KV_INT:
        snprintf(number, sizeof number, "%lld", (long long)kv->v.i);
        break;
    case CS_KV_NUM:
        if (isfinite(kv->v.f))
            snprintf(number, sizeof number, "%.15g", kv->v.f);
        else
            snprintf(number, sizeof number, "%s", json ? "null" : "nan");
        break;
    }
    puts_to(l, number);
}

/* A pair goes in whole or not at all: a line that is too long stays well-formed and says that it was cut. */
static void
put_pair(struct line *l, const struct cs_kv *kv)
{
    size_t before = l->len;

    if (l->cut)
        return;
    if (log_to.format == CS_LOG_JSON) {
        puts_to(l, l->len == 1 ? "" : ",");
        put_quoted(l, kv->key);
        put(l, ":", 1);
    } else {
        put(l, " ", 1);
        puts_to(l, kv->key);
        put(l, "=", 1);
    }
    put_value(l, kv);
    if (l->cut)
        l->len = before;
}

static void
put_head(struct line *l, const char *ts, enum cs_log_level level, const char *event, const char *job_id)
{
    char head[160];
    struct cs_kv pairs[] = {cs_kv_s("ts", ts), cs_kv_s("level", level_names[level]), cs_kv_s("event", event),
                            cs_kv_s("job_id", job_id)};
    size_t count = job_id != NULL ? 4 : 3;

    if (log_to.format == CS_LOG_JSON) {
        put(l, "{", 1);
        for (size_t i = 0; i < count; i++)
            put_pair(l, &pairs[i]);
        return;
    }
    snprintf(head, sizeof head, "%s %-5s %s", ts, level_names[level], event);
    puts_to(l, head);
    if (job_id != NULL) {
        pairs[3].key = "job";
        put_pair(l, &pairs[3]);
    }
}

void
cs_log_write(enum cs_log_level level, const char *event, const char *job_id, const struct cs_kv *kv)
{
    struct line l = {.len = 0, .room = LINE_MAX_BYTES - TAIL_BYTES, .cut = false};
    char ts[CS_TIME_LEN + 1];
    int saved_errno = errno;
    ssize_t written;

    cs_time_format(cs_clock_wall_ms(), ts);
    put_head(&l, ts, level, event, job_id);
    for (; kv != NULL && kv->key != NULL; kv++)
        put_pair(&l, kv);
    l.room = LINE_MAX_BYTES;
    if (l.cut) {
        struct cs_kv mark = cs_kv_b(CUT_MARK, true);

        l.cut = false;
        put_pair(&l, &mark);
    }
    puts_to(&l, log_to.format == CS_LOG_JSON ? "}\n" : "\n");
    do
        written = write(__atomic_load_n(&log_to.fd, __ATOMIC_RELAXED), l.text, l.len);
    while (written < 0 && errno == EINTR);
    errno = saved_errno;
}

static int
open_file(const char *path, struct cs_err *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

    if (fd < 0)
        cs_err_errno(err, errno, "cannot open the log file %s", path);
    return fd;
}

enum cs_rc
cs_log_open(const char *path, enum cs_log_format format, enum cs_log_level level, struct cs_err *err)
{
    int fd = STDERR_FILENO, old = log_to.fd;
    char *copy = NULL;

    if (path != NULL) {
        fd = open_file(path, err);
        if (fd < 0)
            return CS_EIO;
        copy = strdup(path);
        if (copy == NULL) {
            close(fd);
            return cs_err_set(err, CS_ENOMEM, "out of memory for the log's path");
        }
    }
    free(log_to.path);
    log_to.path = copy;
    log_to.format = format;
    __atomic_store_n(&log_to.fd, fd, __ATOMIC_RELAXED);
    if (old != STDERR_FILENO)
        close(old);
    cs_log_set_level(level);
    return CS_OK;
}

enum cs_rc
cs_log_reopen(struct cs_err *err)
{
    enum cs_rc rc = CS_OK;
    int fd;

    if (log_to.path == NULL)
        return CS_OK;
    fd = open_file(log_to.path, err);
    if (fd < 0)
        return CS_EIO;
    if (dup3(fd, log_to.fd, O_CLOEXEC) < 0)
        rc = cs_err_errno(err, errno, "cannot switch to the log file %s", log_to.path);
    close(fd);
    return rc;
}

void
cs_log_set_level(enum cs_log_level level)
{
    __atomic_store_n(&cs_log_threshold, level, __ATOMIC_RELAXED);
}
