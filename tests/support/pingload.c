/* SPDX-License-Identifier: MIT */
/*
 * pingload - puts N ping commands into a stream, pipelined, and waits until all have been worked off.
 *
 *   pingload /REDIS.SOCK STREAM N     prints "N SECONDS_TO_ADD SECONDS_IN_ALL"
 *
 * Speaks RESP itself, so that the load costs little beside what is measured. One connection, one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define BATCH 500

static void
die(const char *what)
{
    perror(what);
    exit(2);
}

static double
now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static FILE *
connect_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    FILE *f;

    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
        die(path);
    f = fdopen(fd, "r+");
    if (!f)
        die("fdopen");
    return f;
}

/* A reply of one line: ":<n>", "+...", "-...", or "$<n>" with its line of content. Returns n. */
static long
read_reply(FILE *f)
{
    char line[256];
    long n;

    if (!fgets(line, sizeof line, f))
        die("Redis closed the connection");
    if (line[0] == '-') {
        fprintf(stderr, "Redis: %s", line);
        exit(1);
    }
    n = strtol(line + 1, NULL, 10);
    if (line[0] == '$' && n >= 0 && !fgets(line, sizeof line, f))
        die("Redis closed the connection");
    return n;
}

static void
send_xadd(FILE *f, const char *stream)
{
    fprintf(f, "*5\r\n$4\r\nXADD\r\n$%zu\r\n%s\r\n$1\r\n*\r\n$7\r\ncommand\r\n$4\r\nping\r\n", strlen(stream),
            stream);
}

static void
turn(FILE *f) /* from writing to reading, and back */
{
    if (fflush(f) != 0)
        die("write");
}

int
main(int argc, char **argv)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    long n = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    double began, added;
    FILE *f;

    if (n <= 0) {
        fprintf(stderr, "usage: pingload /REDIS.SOCK STREAM N\n");
        return 2;
    }
    f = connect_unix(argv[1]);
    began = now_s();
    for (long done = 0, batch; done < n; done += batch) {
        batch = n - done < BATCH ? n - done : BATCH;
        for (long i = 0; i < batch; i++)
            send_xadd(f, argv[2]);
        turn(f);
        for (long i = 0; i < batch; i++)
            (void)read_reply(f);
    }
    added = now_s();
    for (;;) {
        fprintf(f, "*2\r\n$4\r\nXLEN\r\n$%zu\r\n%s\r\n", strlen(argv[2]), argv[2]);
        turn(f);
        if (read_reply(f) == 0)
            break;
        nanosleep(&pause, NULL);
    }
    printf("%ld %.3f %.3f\n", n, added - began, now_s() - began);
    fclose(f);
    return 0;
}
