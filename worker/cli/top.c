/* SPDX-License-Identifier: MIT */
/*
 * top - the verb of the live view: takes the terminal over, turns, gives it back. Main thread.
 *
 * Where standard output is no terminal, or with --once, it prints one frame and ends.
 */
#include "worker/cli/top.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "worker/cli/options.h"
#include "worker/cli/output.h"
#include "worker/cli/term.h"

#define INTERVAL_S 1
#define ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"

struct top {
    struct cli *cli;
    long interval_s;
    int signals; /* signalfd */
    bool has_keys;
    struct termios before;
    json_t *look; /* the last that could be read; NULL: none yet */
};

static bool
read_interval(const char *text, void *target)
{
    return cli_number(text, 1, 60, target);
}

/* The terminal without echo and line editing; signals come through a descriptor, so that it is always given back. */
static bool
take_terminal(struct top *t)
{
    struct termios raw;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGWINCH);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return false;
    t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    t->has_keys = tcgetattr(STDIN_FILENO, &t->before) == 0;
    if (t->has_keys) {
        raw = t->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* stopped, it would leave the terminal as it is */
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    fputs(ENTER, stdout);
    return t->signals >= 0;
}

static void
give_terminal_back(struct top *t)
{
    fputs(LEAVE, stdout);
    (void)fflush(stdout);
    if (t->has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
    if (t->signals >= 0)
        close(t->signals);
}

/* Look again and draw. What cannot be read now stays as it was, with the reason on top; the next turn connects anew. */
static void
turn(struct top *t, bool read)
{
    struct top_screen screen = {.styled = stdout, .in_place = true};
    struct cs_err err = {0};
    char *text = NULL;
    size_t len = 0;
    json_t *look;

    if (read && top_read(t->cli, &look, &err) == CS_OK) {
        json_decref(t->look);
        t->look = look;
    } else if (read) {
        cs_redis_sync_close(t->cli->redis);
        t->cli->redis = NULL;
    }
    term_size(stdout, &screen.columns, &screen.lines);
    screen.out = open_memstream(&text, &len); /* one write a frame: nothing flickers */
    if (screen.out == NULL)
        return;
    fputs(HOME, screen.out);
    top_frame(&screen, t->look, err.rc != CS_OK ? err.msg : NULL);
    fclose(screen.out);
    (void)fwrite(text, 1, len, stdout);
    (void)fflush(stdout);
    free(text);
}

/* q, Q or the end of the input. */
static bool
is_quit_key(struct top *t)
{
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);

    if (n <= 0)
        t->has_keys = false; /* nobody is there any more: signals alone end it */
    return n > 0 && (key == 'q' || key == 'Q');
}

enum wake { WAKE_TIME, WAKE_RESIZED, WAKE_QUIT };

static enum wake
wait_for_something(struct top *t)
{
    struct pollfd fds[] = {{.fd = t->signals, .events = POLLIN},
                           {.fd = t->has_keys ? STDIN_FILENO : -1, .events = POLLIN}};
    struct signalfd_siginfo info;

    if (poll(fds, 2, (int)t->interval_s * 1000) <= 0)
        return WAKE_TIME;
    if (fds[1].revents != 0 && is_quit_key(t))
        return WAKE_QUIT;
    if (fds[0].revents == 0 || read(t->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return WAKE_TIME;
    return info.ssi_signo == SIGWINCH ? WAKE_RESIZED : WAKE_QUIT;
}

static int
live(struct top *t)
{
    enum wake wake = WAKE_TIME;

    if (!take_terminal(t)) {
        give_terminal_back(t);
        fputs("cachesync top: the terminal cannot be taken over; try --once\n", stderr);
        return CLI_FAILED;
    }
    while (wake != WAKE_QUIT) {
        turn(t, wake == WAKE_TIME);
        wake = wait_for_something(t);
    }
    give_terminal_back(t);
    json_decref(t->look);
    return CLI_OK;
}

static int
once(struct cli *cli)
{
    struct top_screen screen = {.out = stdout, .styled = stdout};
    struct cs_err err = {0};
    json_t *look;

    if (top_read(cli, &look, &err) != CS_OK)
        return cli_fail(cli, "top", &err);
    term_size(stdout, &screen.columns, &screen.lines);
    screen.lines = 0;
    if (!term_is_terminal(stdout))
        screen.columns = 1000; /* a script wants whole lines */
    if (cli->json)
        cli_print_json(look);
    else
        top_frame(&screen, look, NULL);
    json_decref(look);
    return CLI_OK;
}

int
verb_top(struct cli *cli, int argc, char **argv)
{
    struct top t = {.cli = cli, .interval_s = INTERVAL_S, .signals = -1};
    bool one_frame = false;
    const struct cli_option options[] = {
        {"once", NULL, &one_frame, NULL},
        {"interval", read_interval, &t.interval_s, "a number of seconds from 1 to 60"},
    };

    if (cli_options("top", argc, argv, options, sizeof options / sizeof options[0], 0) < 0)
        return CLI_USAGE;
    if (one_frame || cli->json || !term_is_terminal(stdout))
        return once(cli);
    return live(&t);
}
