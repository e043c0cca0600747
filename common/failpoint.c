/* SPDX-License-Identifier: MIT */
/*
 * failpoint - reads CACHESYNC_FAILPOINTS before main, counts arrivals, acts. Empty in release builds.
 */
#include "common/failpoint.h"

#ifdef CS_FAILPOINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POINTS_MAX 32
#define NAME_MAX_BYTES 64

enum action { ACT_KILL, ACT_STOP, ACT_EXIT, ACT_SLEEP, ACT_ERROR, ACT_COUNT };

static const char *const action_names[ACT_COUNT] = {"kill", "stop", "exit", "sleep", "error"};

struct point {
    char name[NAME_MAX_BYTES];
    enum action action;
    long arg_ms;
    unsigned nth; /* 0: every arrival */
    atomic_uint arrivals;
};

static struct point points[POINTS_MAX];
static size_t point_count;

static void
malformed(const char *spec)
{
    fprintf(stderr, "CACHESYNC_FAILPOINTS: cannot read '%s'; write name=action[:arg][@nth],...\n", spec);
    _exit(2);
}

static void
parse_one(char *spec)
{
    struct point *p = &points[point_count];
    char *action, *rest, *end;
    size_t n;

    action = strchr(spec, '=');
    if (!action || action == spec || action - spec >= NAME_MAX_BYTES || point_count == POINTS_MAX)
        malformed(spec);
    memcpy(p->name, spec, (size_t)(action - spec));
    action++;
    n = strcspn(action, ":@");
    for (p->action = 0; p->action < ACT_COUNT; p->action++)
        if (strlen(action_names[p->action]) == n && strncmp(action, action_names[p->action], n) == 0)
            break;
    if (p->action == ACT_COUNT)
        malformed(spec);
    rest = action + n;
    if (*rest == ':') {
        p->arg_ms = strtol(rest + 1, &end, 10);
        if (end == rest + 1)
            malformed(spec);
        rest = end;
    }
    if (*rest == '@') {
        p->nth = (unsigned)strtoul(rest + 1, &end, 10);
        if (p->nth == 0)
            malformed(spec);
        rest = end;
    }
    if (*rest)
        malformed(spec);
    point_count++;
}

/* Before main, and taken away: to the configuration it would be an unknown key. */
__attribute__((constructor)) static void
read_environment(void)
{
    const char *given = getenv("CACHESYNC_FAILPOINTS");
    char *copy = strdup(given ? given : ""), *at = NULL;

    for (char *spec = strtok_r(copy, ",", &at); spec; spec = strtok_r(NULL, ",", &at))
        parse_one(spec);
    free(copy);
    unsetenv("CACHESYNC_FAILPOINTS");
}

static bool
act(const struct point *p)
{
    const struct timespec wait = {.tv_sec = p->arg_ms / 1000, .tv_nsec = p->arg_ms % 1000 * 1000000};
    char line[128];
    int n = snprintf(line, sizeof line, "failpoint %s %s\n", p->name, action_names[p->action]);

    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        return false;
    switch (p->action) {
    case ACT_KILL:
        kill(getpid(), SIGKILL);
        break;
    case ACT_STOP:
        raise(SIGSTOP); /* to this thread, which goes not one step further; it stops the process */
        break;
    case ACT_EXIT:
        _exit(9);
    case ACT_SLEEP:
        nanosleep(&wait, NULL);
        break;
    case ACT_ERROR:
        return true;
    case ACT_COUNT:
        break;
    }
    return false;
}

bool
cs_failpoint(const char *name)
{
    bool failed = false;

    for (size_t i = 0; i < point_count; i++)
        if (strcmp(points[i].name, name) == 0) {
            unsigned arrival = atomic_fetch_add(&points[i].arrivals, 1) + 1;
            if (!points[i].nth || points[i].nth == arrival)
                failed |= act(&points[i]);
        }
    return failed;
}

bool
cs_failpoint_script(const char *file, const char *when)
{
    const char *base = strrchr(file, '/');
    char name[NAME_MAX_BYTES];

    base = base ? base + 1 : file;
    snprintf(name, sizeof name, "%.*s.%s", (int)strcspn(base, "."), base, when);
    return cs_failpoint(name);
}

#endif
