/* SPDX-License-Identifier: MIT */
/*
 * text - growing bytes.
 */
#include "worker/http/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/utf8.h"

#define ROOM_FIRST 512
#define ROOM_KEPT 65536

void
text_fini(struct text *t)
{
    free(t->at);
    *t = (struct text){NULL, 0, 0};
}

void
text_clear(struct text *t)
{
    if (t->room > ROOM_KEPT)
        text_fini(t);
    t->len = 0;
}

void
text_need(struct text *t, size_t more)
{
    size_t room = t->room ? t->room : ROOM_FIRST;

    if (t->room - t->len >= more && t->room > 0)
        return;
    while (room - t->len < more)
        room *= 2;
    t->at = cs_xrealloc(t->at, room);
    t->room = room;
}

void
text_add(struct text *t, const char *bytes, size_t len)
{
    if (len == 0)
        return;
    text_need(t, len);
    memcpy(t->at + t->len, bytes, len);
    t->len += len;
}

void
text_puts(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void
text_int(struct text *t, int64_t value)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        *--at = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        *--at = '-';
    text_add(t, at, (size_t)(digits + sizeof digits - at));
}

void
text_printf(struct text *t, const char *fmt, ...)
{
    va_list args;
    int len;

    text_need(t, 256);
    va_start(args, fmt);
    len = vsnprintf(t->at + t->len, t->room - t->len, fmt, args);
    va_end(args);
    if (len < 0)
        return;
    if ((size_t)len >= t->room - t->len) {
        text_need(t, (size_t)len + 1);
        va_start(args, fmt);
        vsnprintf(t->at + t->len, t->room - t->len, fmt, args);
        va_end(args);
    }
    t->len += (size_t)len;
}

void
text_cut(struct text *t, size_t len)
{
    if (len == 0)
        return;
    t->len -= len;
    if (t->len > 0)
        memmove(t->at, t->at + len, t->len);
}

static void
json_escape(struct text *t, unsigned char c)
{
    switch (c) {
    case '"':
        text_add(t, "\\\"", 2);
        return;
    case '\\':
        text_add(t, "\\\\", 2);
        return;
    case '\n':
        text_add(t, "\\n", 2);
        return;
    case '\r':
        text_add(t, "\\r", 2);
        return;
    case '\t':
        text_add(t, "\\t", 2);
        return;
    default:
        text_printf(t, "\\u%04x", c);
    }
}

/* How many bytes from the start need no escape. */
static size_t
plain(const char *bytes, size_t len)
{
    size_t i = 0;

    while (i < len && (unsigned char)bytes[i] >= 0x20 && (unsigned char)bytes[i] < 0x80 && bytes[i] != '"' &&
           bytes[i] != '\\')
        i++;
    return i;
}

void
text_json(struct text *t, const char *bytes, size_t len)
{
    text_add(t, "\"", 1);
    for (size_t i = 0; i < len;) {
        size_t n = plain(bytes + i, len - i);

        text_add(t, bytes + i, n);
        i += n;
        if (i == len)
            break;
        if ((unsigned char)bytes[i] < 0x80) {
            json_escape(t, (unsigned char)bytes[i++]);
            continue;
        }
        n = cs_utf8_len((const unsigned char *)bytes + i, len - i);
        text_add(t, n ? bytes + i : "\xef\xbf\xbd", n ? n : 3);
        i += n ? n : 1;
    }
    text_add(t, "\"", 1);
}
