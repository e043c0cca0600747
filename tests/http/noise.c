/* SPDX-License-Identifier: MIT */
/*
 * noise - connections that send rows of requests.txt one behind the other, some bytes changed, cut out or put in, in pieces, and
 * leave as they like. Whoever runs it looks at whether the adapter is well afterwards.
 *
 *   noise PORT KEY ROUNDS SEED <requests.txt
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/http/table.h"

#define ROWS_MAX 400
#define ROW_MAX_BYTES 2000 /* longer rows are left out */

static struct {
    char *bytes;
    size_t len;
} rows[ROWS_MAX];
static size_t row_count;
static uint64_t state;

static size_t
draw(size_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state >> 11) % below;
}

static void
load(const char *key)
{
    static struct row row;

    while (row_count < ROWS_MAX && row_next(stdin, key, &row)) {
        if (row.len > ROW_MAX_BYTES)
            continue;
        rows[row_count].bytes = malloc(row.len);
        if (!rows[row_count].bytes)
            exit(1);
        memcpy(rows[row_count].bytes, row.bytes, row.len);
        rows[row_count++].len = row.len;
    }
}

static size_t
compose(char *out)
{
    size_t len = 0;

    for (size_t n = 1 + draw(8); n > 0; n--) {
        size_t i = draw(row_count);

        memcpy(out + len, rows[i].bytes, rows[i].len);
        len += rows[i].len;
    }
    for (size_t n = draw(4); n > 0 && len > 1; n--) {
        size_t at = draw(len), cut = 1 + draw(20);

        if (n % 2 == 0)
            out[at] = (char)draw(256);
        else if (at + cut < len)
            memmove(out + at, out + at + cut, (len -= cut) - at);
    }
    return len;
}

static void
round_trip(const struct sockaddr_in *to)
{
    static char bytes[8 * ROW_MAX_BYTES], answer[65536];
    struct timeval patience = {0, 20000};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t len = compose(bytes), sent = 0;

    if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to) != 0) {
        perror("connect");
        exit(1);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (sent < len && draw(20) > 0) {
        ssize_t n = send(fd, bytes + sent, 1 + draw(len - sent), MSG_NOSIGNAL);

        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    if (draw(3) == 0)
        shutdown(fd, SHUT_WR);
    while (draw(4) > 0 && recv(fd, answer, sizeof answer, 0) > 0)
        continue;
    close(fd);
}

int
main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    char key[256];

    if (argc != 5)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    to.sin_port = htons((uint16_t)atoi(argv[1]));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(key, sizeof key, "X-API-Key: %s\r\n", argv[2]);
    state = strtoull(argv[4], NULL, 10) | 1;
    load(key);
    for (long n = atol(argv[3]); n > 0; n--)
        round_trip(&to);
    return 0;
}
