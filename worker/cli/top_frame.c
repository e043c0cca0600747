/* SPDX-License-Identifier: MIT */
/*
 * top_frame - draws a look within the columns and lines there are. Main thread.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "worker/cli/output.h"
#include "worker/cli/term.h"
#include "worker/cli/top.h"
#include "worker/cli/workers.h"

#define BAR_COLUMNS 20

/* Where the pen is. */
struct pen {
    const struct top_screen *screen;
    int column, line;
    int64_t now_ms;
};

static bool
is_full(const struct pen *p)
{
    return p->screen->lines > 0 && p->line >= p->screen->lines;
}

/* Print text up to the edge; one column a UTF-8 character. Takes text. */
static void
put_text(struct pen *p, enum term_style style, char *text)
{
    const char *c = term_harmless(text);

    if (!is_full(p) && *c != '\0' && p->column < p->screen->columns) {
        fputs(term_begin(p->screen->styled, style), p->screen->out);
        for (; *c != '\0'; c++) {
            bool starts = ((unsigned char)*c & 0xc0) != 0x80;

            if (starts && p->column == p->screen->columns)
                break;
            p->column += starts;
            putc(*c, p->screen->out);
        }
        fputs(term_end(p->screen->styled, style), p->screen->out);
    }
    free(text);
}

static void put(struct pen *p, enum term_style style, const char *fmt, ...) CS_PRINTF(3, 4);

static void
put(struct pen *p, enum term_style style, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    put_text(p, style, cs_xstrdup(text));
}

/* A cell of width columns and a gap. Negative width: to the right. */
static void
put_cell(struct pen *p, enum term_style style, int width, const char *text)
{
    char *cut = term_cut(term_harmless(cs_xstrdup(text)), (size_t)abs(width));
    int pad = abs(width) - (int)term_width(cut);

    if (width < 0)
        put(p, TERM_PLAIN, "%*s", pad, "");
    put_text(p, style, cut);
    put(p, TERM_PLAIN, "%*s  ", width < 0 ? 0 : pad, "");
}

static void
end_line(struct pen *p)
{
    if (is_full(p))
        return;
    if (p->screen->in_place && p->column < p->screen->columns)
        fputs("\033[K", p->screen->out);
    p->line++;
    p->column = 0;
    if (!is_full(p))
        putc('\n', p->screen->out);
}

/* "0.4 s", "3 min", "2 h", "5 d" */
static const char *
format_span(int64_t ms, char out[24])
{
    if (ms < 0)
        ms = 0;
    if (ms < 10000)
        snprintf(out, 24, "%.1f s", (double)ms / 1000);
    else if (ms < 120000)
        snprintf(out, 24, "%" PRId64 " s", ms / 1000);
    else if (ms < 7200000)
        snprintf(out, 24, "%" PRId64 " min", ms / 60000);
    else if (ms < 172800000)
        snprintf(out, 24, "%" PRId64 " h", ms / 3600000);
    else
        snprintf(out, 24, "%" PRId64 " d", ms / 86400000);
    return out;
}

/* The age of a time of the hash; "-" when it is absent. */
static const char *
age_of(const struct pen *p, const json_t *object, const char *field, char out[24])
{
    const char *text = json_string_value(json_object_get(object, field));
    int64_t then_ms;

    if (text == NULL || cs_time_parse(text, &then_ms) != CS_OK)
        return "-";
    return format_span(p->now_ms - then_ms, out);
}

static long long
number(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static void
draw_head(struct pen *p, const json_t *look, const char *trouble)
{
    const char *when = json_string_value(json_object_get(look, "time"));

    put(p, TERM_BOLD, "cachesync top");
    if (when != NULL)
        put(p, TERM_PLAIN, "  %.8s UTC  %s  %s", when + 11, json_string_value(json_object_get(look, "redis")),
            json_string_value(json_object_get(look, "prefix")));
    if (p->screen->in_place)
        put(p, TERM_DIM, "  q quits");
    end_line(p);
    if (trouble == NULL)
        return;
    put(p, TERM_RED, "%s", trouble);
    end_line(p);
}

static void
draw_queue(struct pen *p, const json_t *look)
{
    const json_t *queue = json_object_get(look, "queue"), *jobs = json_object_get(look, "jobs");
    long long waiting = number(queue, "waiting"), dead = number(queue, "dead");
    char span[24];

    put(p, TERM_PLAIN, "queue   ");
    put(p, waiting > 0 ? TERM_YELLOW : TERM_PLAIN, "%lld waiting", waiting);
    if (waiting > 0)
        put(p, TERM_PLAIN, ", the oldest for %s", format_span(number(queue, "oldest_wait_ms"), span));
    put(p, TERM_PLAIN, "   %lld held by workers   ", number(queue, "held"));
    put(p, dead > 0 ? TERM_RED : TERM_PLAIN, "%lld dead letters", dead);
    end_line(p);
    put(p, TERM_PLAIN, "jobs    %lld in 1 min   %lld in 1 h   %lld in 24 h   today: %lld completed, ",
        number(jobs, "minute"), number(jobs, "hour"), number(jobs, "day"), number(jobs, "completed_today"));
    put(p, number(jobs, "failed_today") > 0 ? TERM_RED : TERM_PLAIN, "%lld failed",
        number(jobs, "failed_today"));
    end_line(p);
}

/* The counters of P:metrics that are not 0 and that somebody should know of. */
static void
draw_totals(struct pen *p, const json_t *look)
{
    static const char *const names[] = {"retries",   "takeovers", "dead_letters",  "coalesced",
                                        "cancelled", "trimmed",   "churn_warnings"};
    const json_t *totals = json_object_get(look, "totals");

    put(p, TERM_PLAIN, "totals");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put(p, TERM_PLAIN, "%s%s %lld", i > 0 ? "   " : "  ", names[i], worker_number(totals, names[i]));
    end_line(p);
}

static void
draw_workers(struct pen *p, const json_t *workers)
{
    json_t *w;
    size_t i;

    end_line(p);
    put(p, TERM_BOLD, "%-28s  %7s  %6s  %-8s  %9s  %7s  %7s  %7s  %7s", "WORKER", "READ", "BUSY", "DATABASE",
        "COMPLETED", "FAILED", "LAG", "OLDEST", "MEMORY");
    end_line(p);
    if (json_array_size(workers) == 0) {
        put(p, TERM_RED, "no worker: start cachesyncd");
        end_line(p);
    }
    json_array_foreach (workers, i, w) {
        bool live = worker_is_live(w, p->now_ms);
        const char *database = worker_text(w, "database");
        char text[64], span[24];
        long long read_ms = worker_number(w, "last_read_ms"),
                  oldest_ms = worker_number(w, "oldest_running_ms");

        put_cell(p, live ? TERM_PLAIN : TERM_RED, 28, worker_text(w, "name"));
        put_cell(p, live ? TERM_PLAIN : TERM_RED, -7,
                 read_ms > 0 ? format_span(p->now_ms - read_ms, span) : "-");
        snprintf(text, sizeof text, "%.20s/%.20s", worker_text(w, "busy"), worker_text(w, "threads"));
        put_cell(p, TERM_PLAIN, -6, text);
        put_cell(p, term_style_of(database), 8, database);
        put_cell(p, TERM_PLAIN, -9, worker_text(w, "completed"));
        put_cell(p, TERM_PLAIN, -7, worker_text(w, "failed"));
        snprintf(text, sizeof text, "%lld ms", worker_number(w, "loop_lag_ms"));
        put_cell(p, TERM_PLAIN, -7, text);
        put_cell(p, TERM_PLAIN, -7, oldest_ms > 0 ? format_span(oldest_ms, span) : "-");
        snprintf(text, sizeof text, "%lld MiB", worker_number(w, "rss_bytes") >> 20);
        put(p, TERM_PLAIN, "%7s", text);
        if (worker_number(w, "stuck") > 0)
            put(p, TERM_RED, "  %lld stuck", worker_number(w, "stuck"));
        end_line(p);
    }
}

static void
put_field(struct pen *p, const json_t *job, const char *field, int width, bool styled)
{
    char *text = cli_cell(json_object_get(job, field));

    put_cell(p, styled ? term_style_of(text) : TERM_PLAIN, width, text);
    free(text);
}

static void
put_progress(struct pen *p, const json_t *job)
{
    const json_t *progress = json_object_get(job, "progress");
    double percent = json_number_value(json_object_get(progress, "percentage"));
    const char *task = json_string_value(json_object_get(progress, "current_task"));
    int full = percent < 0 ? 0 : percent > 100 ? BAR_COLUMNS : (int)(percent / 100 * BAR_COLUMNS);

    if (!json_is_object(progress)) {
        char *status = cli_cell(json_object_get(job, "status"));
        enum term_style style = term_style_of(status);

        put_text(p, style, status);
        return;
    }
    put(p, TERM_CYAN, "[%.*s%.*s] %3.0f %%  ", full, "####################", BAR_COLUMNS - full,
        "--------------------", percent);
    put(p, TERM_PLAIN, "%s", task != NULL ? task : "");
}

static void
draw_running(struct pen *p, const json_t *jobs)
{
    char span[24];
    json_t *job;
    size_t i;

    end_line(p);
    put(p, TERM_BOLD, "%-36s  %-10s  %-11s  %7s  %s", "RUNNING", "MODE", "ENVIRONMENT", "AGE", "PROGRESS");
    end_line(p);
    if (json_array_size(jobs) == 0) {
        put(p, TERM_DIM, "none");
        end_line(p);
    }
    json_array_foreach (jobs, i, job) {
        put_field(p, job, "job_id", 36, false);
        put_field(p, job, "mode", 10, false);
        put_field(p, job, "environment", 11, false);
        put_cell(p, TERM_PLAIN, -7, age_of(p, job, "created_at", span));
        put_progress(p, job);
        end_line(p);
    }
}

static void
draw_recent(struct pen *p, const json_t *jobs)
{
    char span[24];
    json_t *job;
    size_t i;

    end_line(p);
    put(p, TERM_BOLD, "%-36s  %-10s  %-11s  %7s  %-9s  %9s  %8s  %s", "RECENT", "MODE", "ENVIRONMENT", "AGE",
        "STATUS", "SECONDS", "CHANGES", "TRIGGERED BY, OR ERROR");
    end_line(p);
    json_array_foreach (jobs, i, job) {
        const json_t *code = json_object_get(json_object_get(job, "error_details"), "code");

        put_field(p, job, "job_id", 36, false);
        put_field(p, job, "mode", 10, false);
        put_field(p, job, "environment", 11, false);
        put_cell(p, TERM_PLAIN, -7, age_of(p, job, "created_at", span));
        put_field(p, job, "status", 9, true);
        put_field(p, job, "duration_seconds", -9, false);
        put_field(p, job, "total_changes", -8, false);
        if (json_is_string(code))
            put(p, TERM_RED, "%s", json_string_value(code));
        else
            put_text(p, TERM_PLAIN, cli_cell(json_object_get(job, "triggered_by")));
        end_line(p);
    }
}

void
top_frame(const struct top_screen *screen, const json_t *look, const char *trouble)
{
    struct pen p = {.screen = screen, .now_ms = cs_clock_wall_ms()};

    draw_head(&p, look, trouble);
    if (look != NULL) {
        draw_queue(&p, look);
        draw_totals(&p, look);
        draw_workers(&p, json_object_get(look, "workers"));
        draw_running(&p, json_object_get(look, "running"));
        draw_recent(&p, json_object_get(look, "recent"));
    }
    if (screen->in_place)
        fputs("\033[J", screen->out);
}
