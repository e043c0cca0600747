/* SPDX-License-Identifier: MIT */
/*
 * json_valid - looks through a JSON text without building it. Any thread.
 */
#include <string.h>

#include "common/hex.h"
#include "common/json.h"
#include "common/utf8.h"

#define DEPTH_MAX 128

struct scan {
    const char *at, *end;
    int depth;
};

static bool scan_value(struct scan *s);

static void
skip_blanks(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool
take(struct scan *s, char c)
{
    bool there = s->at < s->end && *s->at == c;

    s->at += there;
    return there;
}

static bool
take_word(struct scan *s, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return false;
    s->at += len;
    return true;
}

static bool
scan_digits(struct scan *s)
{
    const char *start = s->at;

    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > start;
}

static bool
scan_number(struct scan *s)
{
    (void)take(s, '-');
    if (!take(s, '0') && !scan_digits(s))
        return false;
    if (take(s, '.') && !scan_digits(s))
        return false;
    if (!take(s, 'e') && !take(s, 'E'))
        return true;
    if (!take(s, '+'))
        (void)take(s, '-');
    return scan_digits(s);
}

/* Four hexadecimal digits; -1 when they are not there. */
static int
scan_hex(struct scan *s)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        int digit = s->at < s->end ? cs_hex_value(*s->at++) : -1;

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Behind a backslash. Halves of a surrogate pair stand together. */
static bool
scan_escape(struct scan *s)
{
    char c = s->at < s->end ? *s->at++ : '\0';
    int unit;

    if (c != 'u')
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    unit = scan_hex(s);
    if (unit >= 0xd800 && unit < 0xdc00) {
        int low = take_word(s, "\\u") ? scan_hex(s) : -1;

        return low >= 0xdc00 && low < 0xe000;
    }
    return unit > 0 && (unit < 0xdc00 || unit >= 0xe000);
}

static bool
scan_string(struct scan *s)
{
    if (!take(s, '"'))
        return false;
    while (s->at < s->end) {
        unsigned char c = (unsigned char)*s->at;

        if (c == '"')
            return take(s, '"');
        if (c == '\\') {
            s->at++;
            if (!scan_escape(s))
                return false;
        } else if (c < 0x20) {
            return false;
        } else if (c < 0x80) {
            s->at++;
        } else {
            size_t len = cs_utf8_len((const unsigned char *)s->at, (size_t)(s->end - s->at));

            if (len == 0)
                return false;
            s->at += len;
        }
    }
    return false;
}

static bool
scan_member(struct scan *s)
{
    skip_blanks(s);
    if (!scan_string(s))
        return false;
    skip_blanks(s);
    return take(s, ':') && scan_value(s);
}

/* Values or members, a comma apart, up to the bracket. */
static bool
scan_list(struct scan *s, bool (*one)(struct scan *), char bracket)
{
    bool good = ++s->depth <= DEPTH_MAX;

    skip_blanks(s);
    if (good && !take(s, bracket)) {
        while ((good = one(s)) && (skip_blanks(s), take(s, ',')))
            continue;
        good = good && take(s, bracket);
    }
    s->depth--;
    return good;
}

static bool
scan_value(struct scan *s)
{
    bool good;

    skip_blanks(s);
    switch (s->at < s->end ? *s->at : '\0') {
    case '{':
        s->at++;
        good = scan_list(s, scan_member, '}');
        break;
    case '[':
        s->at++;
        good = scan_list(s, scan_value, ']');
        break;
    case '"':
        good = scan_string(s);
        break;
    case 't':
        good = take_word(s, "true");
        break;
    case 'f':
        good = take_word(s, "false");
        break;
    case 'n':
        good = take_word(s, "null");
        break;
    default:
        good = scan_number(s);
    }
    return good;
}

bool
cs_json_valid(const char *text, size_t len_bytes)
{
    struct scan s = {text, text + len_bytes, 0};
    bool good = scan_value(&s);

    skip_blanks(&s);
    return good && s.at == s.end;
}
