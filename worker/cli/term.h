/* SPDX-License-Identifier: MIT */
/*
 * term - what the command line knows of the terminal: whether there is one, its size, colours, the cursor. Plain ANSI.
 *
 * Colours only where the stream is a terminal, NO_COLOR is unset or empty and TERM is not "dumb". Main thread.
 */
#ifndef CS_CLI_TERM_H
#define CS_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum term_style {
    TERM_PLAIN,
    TERM_BOLD,
    TERM_DIM,
    TERM_GREEN,
    TERM_YELLOW,
    TERM_RED,
    TERM_CYAN,
    TERM_STYLE_COUNT
};

#define TERM_CLEAR_LINE "\r\033[K"

bool term_is_terminal(FILE *stream);
bool term_has_color(FILE *stream);

/* Columns and lines of the stream's terminal; 80 x 24 where there is none. */
void term_size(FILE *stream, int *columns, int *lines);

/* The sequences around a styled text; "" without colours. */
const char *term_begin(FILE *stream, enum term_style style);
const char *term_end(FILE *stream, enum term_style style);

/* How a job's status or a check's verdict is shown. */
enum term_style term_style_of(const char *word);

/* Columns that text takes: UTF-8 characters, each one column. */
size_t term_width(const char *text);

/* Replace what could steer a terminal (C0, DEL, C1, what is no UTF-8) by '?', in place. Returns text. */
char *term_harmless(char *text);

/* End text after so many columns, in place, between two characters. Returns text. */
char *term_cut(char *text, size_t columns);

#endif
