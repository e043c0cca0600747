/* SPDX-License-Identifier: MIT */
/*
 * table - one row of requests.txt, its escapes undone. For the tests that read it. Any one thread.
 */
#ifndef CS_TESTS_HTTP_TABLE_H
#define CS_TESTS_HTTP_TABLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum row_kind { ROW_BAD, ROW_CUT, ROW_GOOD };

struct row {
    enum row_kind kind;
    int status;    /* 0 for ROW_CUT */
    char code[48]; /* "" when the row has none */
    char name[128];
    char bytes[131072];
    size_t len;
};

/* Bytes of text with its escapes undone; {KEY} becomes key. */
static inline size_t
row_unescape(const char *text, const char *key, char *out, size_t room)
{
    size_t len = 0;

    while (*text && *text != '\n' && len + 1 < room) {
        char *after;
        long n = *text == '{' ? strtol(text + 1, &after, 10) : 0;

        if (strncmp(text, "{KEY}", 5) == 0) {
            len += (size_t)snprintf(out + len, room - len, "%s", key);
            text += 5;
        } else if (n > 0 && *after == '*' && after[2] == '}') {
            for (; n > 0 && len < room; n--)
                out[len++] = after[1];
            text = after + 3;
        } else if (*text == '~') {
            out[len++] = '\r';
            out[len++] = '\n';
            text++;
        } else if (text[0] == '\\' && text[1] == 'x') {
            const char digits[] = {text[2], text[3], '\0'};

            out[len++] = (char)strtol(digits, NULL, 16);
            text += 4;
        } else if (text[0] == '\\') {
            out[len++] = text[1] == 't' ? '\t' : text[1] == 'r' ? '\r' : text[1] == 'n' ? '\n' : text[1];
            text += 2;
        } else {
            out[len++] = *text++;
        }
    }
    return len;
}

/* Read the next row. Returns 1, or 0 at the end; a line that is no row ends the program. */
static inline int
row_next(FILE *file, const char *key, struct row *row)
{
    static char line[16384];

    while (fgets(line, sizeof line, file)) {
        char *rest = line, *kind, *status, *name;

        if (line[0] == '#' || line[0] == '\n')
            continue;
        kind = strsep(&rest, "\t");
        status = strsep(&rest, "\t");
        name = strsep(&rest, "\t");
        if (!rest) {
            fprintf(stderr, "no row: %s\n", line);
            exit(1);
        }
        row->kind = strcmp(kind, "bad") == 0 ? ROW_BAD : strcmp(kind, "cut") == 0 ? ROW_CUT : ROW_GOOD;
        row->status = atoi(status);
        snprintf(row->code, sizeof row->code, "%s", strchr(status, ' ') ? strchr(status, ' ') + 1 : "");
        snprintf(row->name, sizeof row->name, "%s", name);
        row->len = row_unescape(rest, key, row->bytes, sizeof row->bytes);
        return 1;
    }
    return 0;
}

#endif
