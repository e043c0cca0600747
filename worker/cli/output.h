/* SPDX-License-Identifier: MIT */
/*
 * output - what verbs print on standard output: JSON, tables, a job for people. Main thread.
 */
#ifndef CS_CLI_OUTPUT_H
#define CS_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "worker/cli/cli.h"

/* A column: the key of the row object, its title; numbers stand right; styled values are coloured by their word. */
struct cli_column {
    const char *key;
    const char *title;
    bool right;
    bool styled;
};

/* Print rows (an array of objects) as a table. A null or absent value is "-". */
void cli_table(const json_t *rows, const struct cli_column *columns, size_t count);

/* One line; DEL and C1, which jansson leaves as they are and terminals may obey, as \u escapes. */
void cli_write_json(FILE *out, const json_t *value);
void cli_print_json(const json_t *value); /* the same on standard output */

/* A value as one line of text that steers no terminal. Gives a string to free(). */
char *cli_cell(const json_t *value);

/* "1,234,567" of n in out (32 bytes). Returns out. */
char *cli_grouped(long long n, char out[32]);

/* Field by field with its summary in words (a dry run's difference too), or JSON; returns the exit code of its status. */
int cli_print_job(const struct cli *cli, const json_t *job);

/* Object by object, one "name value" a line. */
void cli_print_fields(const json_t *object);

#endif
