/* SPDX-License-Identifier: MIT */
/*
 * output - JSON lines and tables. Main thread.
 */
#include "worker/cli/output.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "worker/cli/term.h"

void
cli_write_json(FILE *out, const json_t *value)
{
    char *text = cs_json_dump(value), *run = text;

    for (char *c = text; *c != '\0'; c++) {
        unsigned char first = (unsigned char)c[0], second = (unsigned char)c[1];
        bool c1 = first == 0xc2 && second < 0xa0;

        if (first != 0x7f && !c1)
            continue;
        (void)fwrite(run, 1, (size_t)(c - run), out);
        fprintf(out, "\\u%04x", c1 ? second : first);
        c += c1;
        run = c + 1;
    }
    fputs(run, out);
    putc('\n', out);
    free(text);
}

void
cli_print_json(const json_t *value)
{
    cli_write_json(stdout, value);
}

char *
cli_cell(const json_t *value)
{
    char *text;

    if (value == NULL || json_is_null(value))
        return cs_xstrdup("-");
    if (json_is_real(value))
        return cs_xasprintf("%.3f", json_real_value(value));
    text = json_is_string(value) ? cs_xstrdup(json_string_value(value)) : cs_json_dump(value);
    return term_harmless(text);
}

char *
cli_grouped(long long n, char out[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", n), at = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static void
print_cell(const char *text, size_t width, const struct cli_column *column, bool title, bool last)
{
    enum term_style style = title ? TERM_BOLD : column->styled ? term_style_of(text) : TERM_PLAIN;
    int pad = (int)(width - term_width(text));

    if (column->right)
        printf("%*s", pad, "");
    printf("%s%s%s", term_begin(stdout, style), text, term_end(stdout, style));
    if (!column->right && !last)
        printf("%*s", pad, "");
    fputs(last ? "\n" : "  ", stdout);
}

void
cli_table(const json_t *rows, const struct cli_column *columns, size_t count)
{
    size_t *widths = cs_xcalloc(count, sizeof *widths);
    size_t cells = json_array_size(rows) * count;
    char **texts = cs_xcalloc(cells + 1, sizeof *texts);

    for (size_t c = 0; c < count; c++)
        widths[c] = term_width(columns[c].title);
    for (size_t i = 0; i < cells; i++) {
        texts[i] = cli_cell(json_object_get(json_array_get(rows, i / count), columns[i % count].key));
        if (term_width(texts[i]) > widths[i % count])
            widths[i % count] = term_width(texts[i]);
    }
    for (size_t c = 0; c < count; c++)
        print_cell(columns[c].title, widths[c], &columns[c], true, c + 1 == count);
    for (size_t i = 0; i < cells; i++) {
        print_cell(texts[i], widths[i % count], &columns[i % count], false, i % count + 1 == count);
        free(texts[i]);
    }
    free(texts);
    free(widths);
}
