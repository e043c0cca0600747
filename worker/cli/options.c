/* SPDX-License-Identifier: MIT */
/*
 * options - reads a verb's options by its table; the one line that says what is wrong. Main thread.
 */
#include "worker/cli/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/command.h"
#include "common/mem.h"
#include "worker/cli/cli.h"

#define FIRST_VALUE 256 /* getopt's answer for the first row of the table */

static bool
is_short(const struct cli_option *option)
{
    return option->name[1] == '\0';
}

/* The table as getopt wants it. letters holds 2 * count + 3 bytes. */
static struct option *
as_getopt(const struct cli_option *options, size_t count, char *letters)
{
    struct option *longs = cs_xcalloc(count + 1, sizeof *longs);
    size_t n = 0;

    *letters++ = ':'; /* a missing value is told from an unknown option */
    for (size_t i = 0; i < count; i++) {
        bool value = options[i].read != NULL;

        if (is_short(&options[i])) {
            *letters++ = options[i].name[0];
            if (value)
                *letters++ = ':';
            continue;
        }
        longs[n++] = (struct option){options[i].name, value ? required_argument : no_argument, NULL,
                                     FIRST_VALUE + (int)i};
    }
    *letters = '\0';
    return longs;
}

static const struct cli_option *
row_of(const struct cli_option *options, size_t count, int opt)
{
    if (opt >= FIRST_VALUE)
        return &options[opt - FIRST_VALUE];
    for (size_t i = 0; i < count; i++)
        if (is_short(&options[i]) && options[i].name[0] == opt)
            return &options[i];
    return NULL;
}

/* Returns false when the line has been printed. */
static bool
take(const char *verb, const struct cli_option *row, const char *value)
{
    if (row->read == NULL) {
        *(bool *)row->target = true;
        return true;
    }
    if (row->read(value, row->target))
        return true;
    cli_usage(verb, "%s%s \"%.80s\": not %s", is_short(row) ? "-" : "--", row->name, value, row->expected);
    return false;
}

int
cli_options(const char *verb, int argc, char **argv, const struct cli_option *options, size_t count, int most)
{
    char *letters = cs_xmalloc(2 * count + 3);
    struct option *longs = as_getopt(options, count, letters);
    bool good = true;
    int opt;

    optind = 0;
    opterr = 0;
    while (good && (opt = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct cli_option *row = row_of(options, count, opt);

        if (row != NULL)
            good = take(verb, row, optarg);
        else
            good = cli_usage(verb, "%s %s", argv[optind - 1],
                             opt == ':' ? "needs a value" : "is no option of it") == CLI_OK;
    }
    free(longs);
    free(letters);
    if (!good)
        return -1;
    if (argc - optind > most) {
        cli_usage(verb, "\"%.80s\" is too much", argv[optind + most]);
        return -1;
    }
    return optind;
}

/* ---- readers ---- */

bool
cli_read_text(const char *text, void *target)
{
    *(const char **)target = text;
    return *text != '\0';
}

bool
cli_read_environment(const char *text, void *target)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    *(const char **)target = text;
    return len > 0 && text[len] == '\0' && len <= CS_ENVIRONMENT_MAX;
}

bool
cli_read_limit(const char *text, void *target)
{
    return cli_number(text, 1, CLI_LIMIT_MAX, target);
}

bool
cli_read_count(const char *text, void *target)
{
    return cli_number(text, 1, 1000000, target);
}

bool
cli_read_mode(const char *text, void *target)
{
    enum cs_mode mode;

    *(const char **)target = text;
    return cs_mode_parse(text, &mode);
}

bool
cli_read_status(const char *text, void *target)
{
    enum cs_status status;

    *(const char **)target = text;
    return cs_status_parse(text, &status);
}

/* "12h" as ms. */
static bool
read_age(const char *text, int64_t *ms)
{
    static const char units[] = "smhd";
    static const int64_t unit_ms[] = {1000, 60000, 3600000, 86400000};
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] != '\0' ? strchr(units, text[digits]) : NULL;

    if (digits == 0 || digits > 6 || unit == NULL || text[digits + 1] != '\0')
        return false;
    *ms = strtoll(text, NULL, 10) * unit_ms[unit - units];
    return true;
}

bool
cli_read_since(const char *text, void *target)
{
    int64_t *since_ms = target;

    if (read_age(text, since_ms)) {
        *since_ms = cs_clock_wall_ms() - *since_ms;
        return true;
    }
    if (cs_date_valid(text)) {
        *since_ms = (int64_t)cs_date_days(text) * 86400000;
        return true;
    }
    return cs_time_parse(text, since_ms) == CS_OK;
}
