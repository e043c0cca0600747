/* SPDX-License-Identifier: MIT */
/*
 * hex - the value of a hexadecimal digit, of either case. Any thread.
 */
#ifndef CS_COMMON_HEX_H
#define CS_COMMON_HEX_H

/* 0..15; -1 when c is no such digit. */
static inline int
cs_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
