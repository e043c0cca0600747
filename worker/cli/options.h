/* SPDX-License-Identifier: MIT */
/*
 * options - a verb's options as a table: name, how its value is read, where it goes. Main thread.
 */
#ifndef CS_CLI_OPTIONS_H
#define CS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads text into *target; false when it is not what it must be. */
typedef bool cli_read_fn(const char *text, void *target);

struct cli_option {
    const char *name;  /* without the dashes; of one letter: the short form alone */
    cli_read_fn *read; /* NULL: a flag, target is a bool */
    void *target;
    const char *expected; /* what a value must be: "a number from 1 to 1000" */
};

/*
 * Read the options of a verb. What is no option is moved to the end.
 *
 * argv     argv[0] is the verb; reordered.
 * most     operands at most.
 * Returns  the index of the first operand, or -1: one line and the usage have been printed (exit CLI_USAGE).
 */
int cli_options(const char *verb, int argc, char **argv, const struct cli_option *options, size_t count,
                int most);

/* Readers. */
bool cli_read_text(const char *text, void *target);        /* const char *: any text that is not empty */
bool cli_read_environment(const char *text, void *target); /* const char *: [A-Z0-9_]{1,10} */
bool cli_read_limit(const char *text, void *target);       /* long: 1..CLI_LIMIT_MAX */
bool cli_read_count(const char *text, void *target);       /* long: 1..1000000 */
bool cli_read_mode(const char *text, void *target);        /* const char *: a mode's name */
bool cli_read_status(const char *text, void *target);      /* const char *: a status' name */
bool cli_read_since(const char *text,
                    void *target); /* int64_t: ms since 1970; a date, a time or an age (90s 15m 12h 7d) */

#define CLI_LIMIT_MAX 1000
#define CLI_EXPECTED_LIMIT "a number from 1 to 1000"
#define CLI_EXPECTED_ENVIRONMENT "1 to 10 of A-Z, 0-9 and _"
#define CLI_EXPECTED_MODE "full, market_cap, themes or ipos"
#define CLI_EXPECTED_STATUS "pending, running, completed or failed"
#define CLI_EXPECTED_SINCE "a date (2024-06-03), a time (2024-06-03T20:00:00Z) or an age (90s, 15m, 12h, 7d)"

#endif
