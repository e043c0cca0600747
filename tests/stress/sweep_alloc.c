/* SPDX-License-Identifier: MIT */
/*
 * sweep_alloc - the n-th allocation fails, for every n, in the functions that say they return CS_ENOMEM: rules_load,
 * select_run and (with DATABASE_URI set) sync_run. Each try is a process of its own, which must end in one of three ways:
 * all well, because fewer than n were made; CS_ENOMEM with a message; or abort after exactly the one line of common/mem.
 *
 *   sweep_alloc [TRIES]   at most so many tries of sync_run, spread over its allocations
 *
 * malloc, calloc and realloc of our objects are wrapped by the linker; those inside libraries do not fail here.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/sync/select.h"
#include "worker/sync/sync.h"

enum { WELL = 0, SHORT = 3, WRONG = 4 };

void *__real_malloc(size_t len_bytes);
void *__real_calloc(size_t count, size_t len_bytes);
void *__real_realloc(void *p, size_t len_bytes);
void *__wrap_malloc(size_t len_bytes);
void *__wrap_calloc(size_t count, size_t len_bytes);
void *__wrap_realloc(void *p, size_t len_bytes);

static unsigned long made, fail_at; /* 0: none */

void *
__wrap_malloc(size_t len_bytes)
{
    return ++made == fail_at ? NULL : __real_malloc(len_bytes);
}

void *
__wrap_calloc(size_t count, size_t len_bytes)
{
    return ++made == fail_at ? NULL : __real_calloc(count, len_bytes);
}

void *
__wrap_realloc(void *p, size_t len_bytes)
{
    return ++made == fail_at ? NULL : __real_realloc(p, len_bytes);
}

#define STOCK (SNAPSHOT_ACTIVE | SNAPSHOT_STOCK)
static const char *symbols[] = {"A", "B", "C", "D"},
                  *names[] = {"Alpha", "Beta Cloud", "Gamma", "Delta Bond"};
static uint32_t sectors[] = {1, 2, 2, 0}, industries[] = {1, 1, 1, 0}, none[4], ranking[] = {0, 1, 2, 3};
static int64_t caps[] = {900, 500, 400, 50};
static int32_t dates[] = {100, 70, 69, 100};
static uint8_t flags[] = {STOCK, STOCK, STOCK, SNAPSHOT_ACTIVE | SNAPSHOT_ETF};
static const char *sector_texts[] = {"Unknown", "Energy", "Technology"}, *texts[] = {"Unknown", "Chips"};
static const struct snapshot snap = {.count = 4,
                                     .market_date = 100,
                                     .symbol = symbols,
                                     .name = names,
                                     .sector = sectors,
                                     .industry = industries,
                                     .exchange = none,
                                     .market = none,
                                     .etf_type = none,
                                     .issuer = none,
                                     .cap = caps,
                                     .stored_cap = caps,
                                     .list_date = dates,
                                     .flags = flags,
                                     .sectors = {3, sector_texts},
                                     .industries = {2, texts},
                                     .texts = {1, texts},
                                     .ranking = ranking,
                                     .ranking_count = 4};

static const uint32_t *
previous(const char *universe, size_t *count, void *arg)
{
    static const uint32_t was[] = {1, 2};

    (void)universe;
    (void)arg;
    *count = 2;
    return was;
}

static enum cs_rc
try_rules(struct cs_err *err)
{
    struct sync_rules *rules = NULL;
    enum cs_rc rc;

    rc = rules_load(NULL, &rules, err);
    if (rc == CS_OK)
        rules_free(rules);
    return rc;
}

static struct sync_rules *loaded;

static enum cs_rc
try_select(struct cs_err *err)
{
    struct selection *sel = NULL;
    enum cs_rc rc = select_run(&snap, loaded, ~0u, previous, NULL, &sel, err);

    if (rc == CS_OK)
        selection_free(sel);
    return rc;
}

static enum cs_rc
try_sync(struct cs_err *err)
{
    const struct sync_opts opts = {
        .database_uri = getenv("DATABASE_URI"), .application_name = "sweep", .lease_ms = 15000};
    const struct sync_request req = {.job_id = "018f5e3a-0000-7000-8000-000000000000",
                                     .mode = CS_MODE_FULL,
                                     .force = true,
                                     .environment = "SWEEP",
                                     .dry_run = getenv("SWEEP_DRY") != NULL,
                                     .now_ms = cs_clock_wall_ms()};
    struct sync_session *session = sync_session_new(&opts);
    struct sync_result res;
    enum cs_rc rc = sync_run(session, loaded, &req, &res, err);

    sync_result_fini(&res);
    sync_session_free(session);
    return rc;
}

/* Run fn in a process whose n-th allocation fails. Returns WELL, SHORT or WRONG; *count is what it made. */
static int
attempt(enum cs_rc (*fn)(struct cs_err *), unsigned long n, unsigned long *count)
{
    int out[2], status;
    char text[2048];
    size_t len = 0;
    ssize_t got;
    pid_t pid;

    fflush(NULL);
    if (pipe(out) != 0 || (pid = fork()) < 0)
        exit(1);
    if (pid == 0) {
        struct cs_err err = {0};
        enum cs_rc rc;

        dup2(out[1], STDERR_FILENO);
        made = 0;
        fail_at = n;
        rc = fn(&err);
        fail_at = 0;
        if (rc == CS_OK)
            dprintf(STDERR_FILENO, "%lu", made);
        else
            dprintf(STDERR_FILENO, "%s: %s", cs_rc_name(rc), err.msg);
        exit(rc == CS_OK ? WELL : rc == CS_ENOMEM && err.msg[0] != '\0' ? SHORT : WRONG);
    }
    close(out[1]);
    while (len < sizeof text - 1 && (got = read(out[0], text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    close(out[0]);
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strncmp(text, "out of memory", 13) == 0 &&
        strchr(text, '\n') == text + len - 1)
        return SHORT;
    if (WIFEXITED(status) && WEXITSTATUS(status) == WELL && count != NULL)
        *count = strtoul(text, NULL, 10);
    if (WIFEXITED(status) && (WEXITSTATUS(status) == WELL || WEXITSTATUS(status) == SHORT))
        return WEXITSTATUS(status);
    printf("# allocation %lu: status %x, %.300s\n", n, (unsigned)status, text);
    return WRONG;
}

static int failed, passed;

static void
sweep(const char *name, enum cs_rc (*fn)(struct cs_err *), unsigned long tries)
{
    unsigned long total = 0, step, survived = 0, refused = 0, wrong = 0;

    if (attempt(fn, 0, &total) != WELL || total == 0) {
        printf("not ok - %s without a failing allocation\n", name);
        failed++;
        return;
    }
    step = tries != 0 && total > tries ? total / tries : 1;
    for (unsigned long n = 1; n <= total; n += step) {
        int how = attempt(fn, n, NULL);

        survived += how == WELL;
        refused += how == SHORT;
        wrong += how == WRONG;
    }
    printf("# %s: %lu allocations, every %lu: %lu refused, %lu done without, %lu wrong\n", name, total, step,
           refused, survived, wrong);
    passed += wrong == 0 && refused > 0;
    failed += wrong != 0 || refused == 0;
}

int
main(int argc, char **argv)
{
    struct cs_err err = {0};

    cs_log_set_level(CS_LOG_ERROR);
    if (rules_load(NULL, &loaded, &err) != CS_OK)
        return 1;
    sweep("rules_load", try_rules, 0);
    sweep("select_run", try_select, 0);
    if (getenv("DATABASE_URI") != NULL)
        sweep("sync_run", try_sync, argc > 1 ? strtoul(argv[1], NULL, 10) : 0);
    rules_free(loaded);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
