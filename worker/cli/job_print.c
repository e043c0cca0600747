/* SPDX-License-Identifier: MIT */
/*
 * job_print - a job for people: its fields, its summary in words, what a dry run would change. Main thread.
 */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "worker/cli/output.h"
#include "worker/cli/term.h"

#define NAME_COLUMNS 18
#define SYMBOLS_INDENT 6
#define SYMBOLS_MAX 100 /* of one sign and universe */

static long long
integer(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static void
print_field(const char *name, const json_t *value)
{
    char *cell = cli_cell(value), *label = term_harmless(cs_xstrdup(name));
    enum term_style style = strcmp(name, "status") == 0 ? term_style_of(cell) : TERM_PLAIN;

    printf("%-*s %s%s%s\n", NAME_COLUMNS, label, term_begin(stdout, style), cell, term_end(stdout, style));
    free(label);
    free(cell);
}

void
cli_print_fields(const json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
        if (!json_is_null(value))
            print_field(name, value);
    }
}

/* "universes_updated  top_50 top_100": an array of names as words. */
static void
print_names(const char *name, const json_t *names)
{
    json_t *value;
    size_t i;

    printf("%-*s", NAME_COLUMNS, name);
    json_array_foreach (names, i, value) {
        char *cell = cli_cell(value);

        printf(" %s", cell);
        free(cell);
    }
    puts(json_array_size(names) > 0 ? "" : " -");
}

/* "error  stale_market_data: market data of ... is 9 days old" and the figures below it. */
static void
print_error(const json_t *details)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)details, name, value) {
        char label[64];

        snprintf(label, sizeof label, "error.%.50s", name);
        print_field(label, value);
    }
}

/* One sign's symbols, wrapped to the terminal. */
static void
print_symbols(const json_t *symbols, char sign)
{
    enum term_style style = sign == '+' ? TERM_GREEN : TERM_RED;
    int columns, lines, at = SYMBOLS_INDENT;
    json_t *value;
    size_t i;

    if (json_array_size(symbols) == 0)
        return;
    term_size(stdout, &columns, &lines);
    printf("    %s%c", term_begin(stdout, style), sign);
    json_array_foreach (symbols, i, value) {
        if (i == SYMBOLS_MAX) {
            printf(" ... %zu more (--json lists them)", json_array_size(symbols) - i);
            break;
        }
        char *cell = cli_cell(value);
        int width = (int)term_width(cell) + 1;

        if (at + width > columns && at > SYMBOLS_INDENT) {
            printf("\n%*s", SYMBOLS_INDENT - 1, "");
            at = SYMBOLS_INDENT;
        }
        printf(" %s", cell);
        at += width;
        free(cell);
    }
    printf("%s\n", term_end(stdout, style));
}

/* The added and removed symbols of a dry run, universe by universe: {"top_50": {"added": [], "removed": []}} */
static void
print_diff(const json_t *diff)
{
    const char *universe;
    json_t *change;

    json_object_foreach ((json_t *)(uintptr_t)diff, universe, change) {
        const json_t *added = json_object_get(change, "added"), *removed = json_object_get(change, "removed");
        char *name = term_harmless(cs_xstrdup(universe));

        printf("  %s%s%s  +%zu -%zu\n", term_begin(stdout, TERM_BOLD), name, term_end(stdout, TERM_BOLD),
               json_array_size(added), json_array_size(removed));
        free(name);
        print_symbols(added, '+');
        print_symbols(removed, '-');
    }
}

static void
print_families(const json_t *families)
{
    static const struct cli_column columns[] = {{"family", "FAMILY", false, false},
                                                {"universes", "UNIVERSES", true, false},
                                                {"members", "MEMBERS", true, false},
                                                {"changes", "CHANGES", true, false}};
    json_t *rows = json_array(), *value;
    const char *name;

    json_object_foreach ((json_t *)(uintptr_t)families, name, value) {
        json_t *row = json_deep_copy(value);

        json_object_set_new(row, "family", json_string(name));
        json_array_append_new(rows, row);
    }
    if (json_array_size(rows) > 0) {
        putchar('\n');
        cli_table(rows, columns, sizeof columns / sizeof columns[0]);
    }
    json_decref(rows);
}

static void
print_warnings(const json_t *warnings)
{
    json_t *warning;
    size_t i;

    json_array_foreach (warnings, i, warning) {
        const json_t *context = json_object_get(warning, "context");
        char *message = cli_cell(json_object_get(warning, "message")), *about = cli_cell(context);

        printf("%swarning%s %s %s\n", term_begin(stdout, TERM_YELLOW), term_end(stdout, TERM_YELLOW), message,
               about);
        free(message);
        free(about);
    }
}

static void
print_summary(const json_t *summary, bool dry_run, long long changes)
{
    const json_t *caps = json_object_get(summary, "market_caps"), *rows = json_object_get(summary, "rows");
    const json_t *diff = json_object_get(summary, "diff");

    print_families(json_object_get(summary, "families"));
    printf("\nmarket caps: %lld priced, %lld changed, %lld of them significantly\n", integer(caps, "priced"),
           integer(caps, "changed"), integer(caps, "significant"));
    if (!dry_run)
        printf("rows: %lld written, %lld unchanged, %lld deleted\n", integer(rows, "written"),
               integer(rows, "unchanged"), integer(rows, "deleted"));
    print_warnings(json_object_get(summary, "warnings"));
    if (dry_run)
        printf("\ndry run, nothing was written: it would make %lld changes in %zu universes\n", changes,
               json_object_size(diff));
    print_diff(diff);
}

static void
print_for_people(const json_t *job)
{
    const json_t *summary = json_object_get(job, "summary");
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)job, name, value) {
        if (json_is_null(value) || value == summary)
            continue;
        if (strcmp(name, "error_details") == 0 && json_is_object(value))
            print_error(value);
        else if (json_is_array(value))
            print_names(name, value);
        else
            print_field(name, value);
    }
    if (json_is_object(summary))
        print_summary(summary, json_is_true(json_object_get(job, "dry_run")), integer(job, "total_changes"));
}

int
cli_print_job(const struct cli *cli, const json_t *job)
{
    const char *text = json_string_value(json_object_get(job, "status"));
    enum cs_status status;

    if (cli->json)
        cli_print_json(job);
    else
        print_for_people(job);
    if (text == NULL || !cs_status_parse(text, &status) || status == CS_STATUS_COMPLETED)
        return CLI_OK;
    return cs_status_final(status) ? CLI_FAILED : CLI_OK;
}
