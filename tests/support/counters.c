/* SPDX-License-Identifier: MIT */
/*
 * counters - linked into the programs of `make coverage`: what ends without exit(3) writes its counters too.
 *
 * A daemon that leaves a hung thread behind ends by _exit, a fail point by SIGKILL to itself. The tests' own SIGKILL
 * (kill_hard in lib.sh) is SIGUSR2 under coverage, of which a thread of this file makes the real one.
 */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int code);
_Noreturn void __wrap__exit(int code);
int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);

_Noreturn void
__wrap__exit(int code)
{
    __gcov_dump();
    __real__exit(code);
}

int
__wrap_kill(pid_t pid, int sig)
{
    if (pid == getpid() && sig == SIGKILL)
        __gcov_dump();
    return __real_kill(pid, sig);
}

static void *
die_when_told(void *arg)
{
    const sigset_t *told = arg;
    int sig;

    sigwait(told, &sig);
    __wrap_kill(getpid(), SIGKILL);
    return NULL;
}

/* Before main, so that every thread inherits the blocked signal. The one of this file takes no other: a handler must interrupt main. */
__attribute__((constructor)) static void
wait_for_the_end(void)
{
    static sigset_t told;
    sigset_t all, before;
    pthread_t thread;

    sigemptyset(&told);
    sigaddset(&told, SIGUSR2);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, die_when_told, &told) == 0)
        pthread_detach(thread);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
