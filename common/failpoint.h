/* SPDX-License-Identifier: MIT */
/*
 * failpoint - named places at which a test build dies, stops, waits or fails.
 *
 * Built with -DCS_FAILPOINTS (make BUILD=build/fault SEAMS=-DCS_FAILPOINTS), the environment says what happens where:
 *
 *   CACHESYNC_FAILPOINTS=name=action[:arg][@nth],...
 *
 * kill (SIGKILL), stop (SIGSTOP to the whole process, until SIGCONT), exit (_exit(9)), sleep:<ms> (this thread),
 * error (the place fails in its own way). With @nth only the n-th arrival counts, else every one. A fired point says so
 * on standard error. Without CS_FAILPOINTS the points and their names are not in the program. docs/failpoints.md lists
 * them. Any thread.
 */
#ifndef CS_COMMON_FAILPOINT_H
#define CS_COMMON_FAILPOINT_H

#include <stdbool.h>

#ifdef CS_FAILPOINTS

/* True when the point was told to fail. A malformed CACHESYNC_FAILPOINTS ends the program with one line. */
bool cs_failpoint(const char *name);

/* The points of a script or a command: "worker/lua/finish.lua" and "before" make finish.before, "XACK" XACK.before. */
bool cs_failpoint_script(const char *file, const char *when);

#define CS_FAILPOINT(name) cs_failpoint(name)
#define CS_FAILPOINT_SCRIPT(file, when) cs_failpoint_script(file, when)

#else

static inline bool
cs_failpoint_none(void)
{
    return false;
}

#define CS_FAILPOINT(name) cs_failpoint_none()
#define CS_FAILPOINT_SCRIPT(file, when) cs_failpoint_none()

#endif
#endif
