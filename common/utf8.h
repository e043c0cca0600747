/* SPDX-License-Identifier: MIT */
/*
 * utf8 - where a well-formed UTF-8 sequence ends (RFC 3629: no overlong forms, no surrogates). Any thread.
 */
#ifndef CS_COMMON_UTF8_H
#define CS_COMMON_UTF8_H

#include <stddef.h>

/* Length in bytes (1..4) of the well-formed sequence at s, which has len_bytes left; 0 when there is none. */
static inline size_t
cs_utf8_len(const unsigned char *s, size_t len_bytes)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t need;

    if (len_bytes == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    need = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (len_bytes < need)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return need;
}

#endif
