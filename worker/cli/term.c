/* SPDX-License-Identifier: MIT */
/*
 * term - asks for the size, picks the sequences, makes foreign text harmless. Main thread.
 */
#include "worker/cli/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/utf8.h"

#define RESET "\033[0m"

static const char *const sequences[TERM_STYLE_COUNT] = {
    [TERM_PLAIN] = "",          [TERM_BOLD] = "\033[1m",   [TERM_DIM] = "\033[2m",  [TERM_GREEN] = "\033[32m",
    [TERM_YELLOW] = "\033[33m", [TERM_RED] = "\033[1;31m", [TERM_CYAN] = "\033[36m"};

bool
term_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) != 0;
}

bool
term_has_color(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR"), *name = getenv("TERM");

    return term_is_terminal(stream) && (no_color == NULL || *no_color == '\0') &&
           (name == NULL || strcmp(name, "dumb") != 0);
}

void
term_size(FILE *stream, int *columns, int *lines)
{
    struct winsize size = {0};

    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0)
        size = (struct winsize){0};
    *columns = size.ws_col > 0 ? size.ws_col : 80;
    *lines = size.ws_row > 0 ? size.ws_row : 24;
}

const char *
term_begin(FILE *stream, enum term_style style)
{
    return term_has_color(stream) ? sequences[style] : "";
}

const char *
term_end(FILE *stream, enum term_style style)
{
    return style != TERM_PLAIN && term_has_color(stream) ? RESET : "";
}

enum term_style
term_style_of(const char *word)
{
    static const struct {
        const char *word;
        enum term_style style;
    } table[] = {{"completed", TERM_GREEN}, {"ok", TERM_GREEN},       {"up", TERM_GREEN},
                 {"running", TERM_CYAN},    {"warning", TERM_YELLOW}, {"unknown", TERM_YELLOW},
                 {"failed", TERM_RED},      {"problem", TERM_RED},    {"down", TERM_RED},
                 {"error", TERM_RED},       {"fixed", TERM_CYAN},     {"added", TERM_GREEN},
                 {"removed", TERM_RED}};

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].word, word) == 0)
            return table[i].style;
    return TERM_PLAIN;
}

size_t
term_width(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80; /* continuation bytes take no column */
    return width;
}

char *
term_harmless(char *text)
{
    unsigned char *c = (unsigned char *)text;

    for (size_t left = strlen(text); left > 0;) {
        size_t len = cs_utf8_len(c, left);
        bool control = len == 1 ? *c < ' ' || *c == 0x7f : len == 2 && c[0] == 0xc2 && c[1] < 0xa0;

        if (len == 0 || control) /* stray bytes too: some terminals take 0x9b for CSI */
            memset(c, '?', len > 0 ? len : 1);
        len = len > 0 ? len : 1;
        c += len;
        left -= len;
    }
    return text;
}

char *
term_cut(char *text, size_t columns)
{
    size_t width = 0;

    for (char *c = text; *c != '\0'; c++) {
        width += ((unsigned char)*c & 0xc0) != 0x80;
        if (width > columns) {
            *c = '\0';
            break;
        }
    }
    return text;
}
