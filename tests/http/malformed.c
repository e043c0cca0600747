/* SPDX-License-Identifier: MIT */
/*
 * malformed - sends each row of requests.txt to a running adapter, whole and in pieces, and holds the answer against the row.
 *
 *   malformed PORT KEY <requests.txt
 *
 * A bad one must get one JSON error with Connection: close, then the end of the connection, although a good request follows it. A
 * cut one gets no answer. A good one gets its status, and the good request behind it gets its own: both were understood alike.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/table.h"

#define PATIENCE_MS 8000

static const char follower[] =
    "GET /follows HTTP/1.1\r\nHost: follows\r\nX-Request-Id: follower\r\nConnection: close\r\n\r\n";

static int passed, failed;

static void
result(const struct row *row, size_t piece, const char *why, const char *answer)
{
    if (!why) {
        passed++;
        return;
    }
    failed++;
    printf("not ok - %s, in pieces of %zu: %s\n#   got:    %.160s\n#   wanted: %d %s\n", row->name, piece,
           why, answer, row->status, row->code);
}

static int
connect_to(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

/* Send in pieces; a server that has closed already is fine. */
static void
send_all(int fd, const char *bytes, size_t len, size_t piece)
{
    while (len > 0) {
        size_t want = len < piece ? len : piece;
        ssize_t n = send(fd, bytes, want, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        bytes += n;
        len -= (size_t)n;
    }
}

/* All that comes until the end; false when no end comes. */
static int
receive_all(int fd, char *answer, size_t room)
{
    struct pollfd ready = {fd, POLLIN, 0};
    size_t len = 0;
    ssize_t n;

    do {
        if (poll(&ready, 1, PATIENCE_MS) <= 0)
            return 0;
        n = recv(fd, answer + len, room - 1 - len, 0);
        len += n > 0 ? (size_t)n : 0;
        answer[len] = '\0';
    } while (n > 0 && len + 1 < room);
    return n == 0;
}

static int
answers(const char *text)
{
    int count = 0;

    for (; (text = strstr(text, "HTTP/1.1 ")); text += 9)
        count += text[9] >= '2' && text[9] <= '5';
    return count;
}

static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

static const char *
judge(const struct row *row, const char *answer)
{
    char status[16], code[128];
    int wanted = row->kind == ROW_CUT ? 0 : row->kind == ROW_BAD ? 1 : 2;

    snprintf(status, sizeof status, "HTTP/1.1 %d ", row->status);
    snprintf(code, sizeof code, "{\"success\":false,\"error\":\"%s\",\"message\":\"", row->code);
    if (answers(answer) != wanted)
        return "another number of answers";
    if (row->kind == ROW_CUT)
        return answer[0] ? "an answer" : NULL;
    if (strncmp(answer, go_on, sizeof go_on - 1) == 0)
        answer += sizeof go_on - 1;
    if (strncmp(answer, status, strlen(status)) != 0)
        return "another status";
    if (row->kind == ROW_GOOD)
        return strstr(answer, "X-Request-Id: follower\r\n") ? NULL
                                                            : "the request behind it was not understood";
    if (!strstr(answer, code) || answer[strlen(answer) - 1] != '}')
        return "another error, or no JSON";
    return strstr(answer, "Connection: close\r\n") && strstr(answer, "Content-Type: application/json\r\n")
               ? NULL
               : "a header is missing";
}

static void
try(const struct row *row, int port, size_t piece)
{
    static char answer[65536];
    int fd = connect_to(port);

    answer[0] = '\0';
    send_all(fd, row->bytes, row->len, piece);
    if (row->kind == ROW_CUT)
        shutdown(fd, SHUT_WR);
    else
        send_all(fd, follower, sizeof follower - 1, sizeof follower);
    result(row, piece,
           receive_all(fd, answer, sizeof answer) ? judge(row, answer) : "the connection does not end",
           answer);
    close(fd);
}

int
main(int argc, char **argv)
{
    static struct row row;
    char key[256];

    if (argc != 3)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    snprintf(key, sizeof key, "X-API-Key: %s\r\n", argv[2]);
    while (row_next(stdin, key, &row)) {
        try(&row, atoi(argv[1]), sizeof row.bytes);
        try(&row, atoi(argv[1]), row.len < 400 ? 1 : 1000);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
