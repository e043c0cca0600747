/* SPDX-License-Identifier: MIT */
/*
 * leaks - a test's process looks for its leaks before it goes. Criterion ends each with _exit, which skips the check that
 * LeakSanitizer makes at exit. Linked into the unit tests of a sanitized build; tests/run counts what is reported.
 */
#include <sanitizer/lsan_interface.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((noreturn)) void
_exit(int code)
{
    if (__lsan_do_recoverable_leak_check() != 0)
        code = 1;
    syscall(SYS_exit_group, code);
    __builtin_unreachable();
}
