/* SPDX-License-Identifier: MIT */
/*
 * config_file - see config_file.h. Main thread, at start.
 */
#include "common/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Take quotes off in place. Returns the value, or NULL when a quote is not closed or followed by more. */
static char *
unquote(char *s)
{
    char quote = *s, *in = s + 1, *out = s;

    if (quote != '"' && quote != '\'')
        return s;
    for (; *in != quote; in++) {
        if (quote == '"' && *in == '\\' && (in[1] == '"' || in[1] == '\\'))
            in++;
        if (*in == '\0')
            return NULL;
        *out++ = *in;
    }
    in += 1 + strspn(in + 1, " \t");
    if (*in != '\0' && *in != '#')
        return NULL;
    *out = '\0';
    return s;
}

static char *
trimmed(char *s)
{
    char *end = s + strlen(s);

    while (end > s && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return s + strspn(s, " \t");
}

/* Read one line in place. False: it is empty, or a comment. */
static bool
read_line(char *text, struct config_line *line)
{
    char *name = trimmed(text), *equals;

    if (*name == '\0' || *name == '#' || *name == ';')
        return false;
    if (strncmp(name, "export ", 7) == 0)
        name += 7 + strspn(name + 7, " \t");
    equals = strchr(name, '=');
    *line =
        (struct config_line){.name = name, .len = equals != NULL ? (size_t)(equals - name) : strlen(name)};
    while (line->len > 0 && isblank((unsigned char)name[line->len - 1]))
        line->len--;
    if (equals == NULL) {
        line->wrong = "no value; write KEY=VALUE or remove the line";
        return true;
    }
    line->value = unquote(equals + 1 + strspn(equals + 1, " \t"));
    if (line->value == NULL)
        line->wrong = "its quote is not closed, or more follows; close it";
    return true;
}

enum cs_rc
config_file_read(const char *path, config_line_cb *take, void *arg, struct cs_err *err)
{
    FILE *f = fopen(path, "re");
    enum cs_rc rc = CS_OK;
    struct config_line line;
    char *text = NULL;
    size_t room = 0;

    if (f == NULL)
        return cs_err_errno(err, errno, "--config %s: cannot read it; name a readable file", path);
    for (int n = 1; rc == CS_OK && (errno = 0, getline(&text, &room, f)) >= 0; n++) {
        if (read_line(text, &line))
            rc = take(&line, arg, err);
        if (rc != CS_OK)
            cs_err_prefix(err, "%s:%d", path, n);
    }
    if (rc == CS_OK && ferror(f))
        rc = cs_err_errno(err, errno, "--config %s: cannot read it; name a readable file", path);
    free(text);
    fclose(f);
    return rc;
}
