/* SPDX-License-Identifier: MIT */
/*
 * main - the command-line tool: global options, and the one table of verbs. Main thread.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "worker/cli/cli.h"
#include "worker/sync/sync.h"

static const struct cli_verb verbs[] = {
    {"migrate", "[--status | --to VERSION]", "bring the database to this program's schema", verb_migrate,
     false},
    {"trigger",
     "[--mode full|market_cap|themes|ipos] [--force] [--dry-run] [--as-of DATE] [--environment E] [--job-id "
     "UUID] "
     "[--idempotency-key K] [--triggered-by T] [--wait]",
     "send a sync command", verb_trigger, false},
    {"status", "JOB", "show a job", verb_status, false},
    {"watch", "[JOB]", "follow a job (the newest one) to its end", verb_watch, false},
    {"history",
     "[--limit N] [--status pending|running|completed|failed] [--mode full|market_cap|themes|ipos] "
     "[--environment E] [--since TIME] [--triggered-by T] [--universe U]",
     "list the newest jobs, or with --universe a universe's changes", verb_history, false},
    {"stats", "[--environment E] [--type T] [--days N]",
     "list the universes and count the jobs of 7 days, or of N", verb_stats, false},
    {"cancel", "JOB", "end a job that waits or runs", verb_cancel, false},
    {"dead", "list [--limit N] | show ID... | requeue ID... | discard ID...", "look after the dead letters",
     verb_dead, false},
    {"members", "UNIVERSE [--environment E] [--at TIME]",
     "list a universe's symbols, now or at a past moment", verb_members, false},
    {"rules", "check [FILE] | list [FILE] | explain SYMBOL",
     "check or list the universe rules, or tell why a symbol is in a universe or not", verb_rules, false},
    {"top", "[--once] [--interval SECONDS]", "watch workers, queue and jobs live; q quits", verb_top, false},
    {"ping", "[-c COUNT]", "measure the way through stream, worker and back", verb_ping, false},
    {"doctor", "[--fix] [--role daemon|adapter|producer|operator]",
     "check configuration, Redis, PostgreSQL, daemons and adapter, and say what to do", verb_doctor, true},
};

#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

const struct cli_verb *
cli_verb_find(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static void
print_help(FILE *out)
{
    fputs("usage: cachesync [--config FILE] [--json] VERB [ARGUMENTS]\n\n"
          "  --config FILE   read settings from FILE (KEY=VALUE); the environment wins\n"
          "  --check-config  check the settings, print them and exit\n"
          "  --json          print JSON instead of tables\n"
          "  --version       print the version and exit\n"
          "  --help          print this and exit; after a verb: its usage\n\nverbs:\n",
          out);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(out, "  %-8s %s\n           cachesync %s %s\n", verbs[i].name, verbs[i].help, verbs[i].name,
                verbs[i].usage);
    fputs("\nexit codes: 0 done, 1 failed, 2 usage, 3 a server cannot be reached\n\nsettings:\n", out);
    cs_config_print_help(out);
}

/* Take --json out of a verb's arguments (up to "--"); the verbs read the rest. Returns the new count. */
static int
take_json(struct cli *cli, int argc, char **argv)
{
    int kept = 0, i = 0;

    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            cli->json = true;
        else
            argv[kept++] = argv[i];
    }
    for (; i < argc; i++)
        argv[kept++] = argv[i];
    argv[kept] = NULL;
    return kept;
}

static int
run_verb(struct cli *cli, const char *config_path, int argc, char **argv)
{
    const struct cli_verb *verb = cli_verb_find(argv[0]);

    if (verb == NULL) {
        fprintf(stderr, "cachesync: no verb %s; cachesync --help lists them\n", argv[0]);
        return CLI_USAGE;
    }
    argc = take_json(cli, argc, argv);
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: cachesync %s %s\n%s\n", verb->name, verb->usage, verb->help);
        return CLI_OK;
    }
    cli->config_path = config_path;
    if (cs_config_load(&cli->cfg, config_path, &cli->config_err) != CS_OK) {
        if (verb->any_config)
            return verb->run(cli, argc, argv);
        cli_fail(cli, verb->name, &cli->config_err);
        return CLI_USAGE;
    }
    cs_keys_init(&cli->keys, cli->cfg.key_prefix);
    optind = 0; /* start a new scan */
    return verb->run(cli, argc, argv);
}

static int
check_config(struct cli *cli, const char *config_path)
{
    struct cs_err err = {0};

    if (cs_config_load(&cli->cfg, config_path, &err) != CS_OK ||
        sync_check_settings(cli->cfg.database_uri, cli->cfg.rules_path, &err) != CS_OK) {
        fprintf(stderr, "cachesync: %s\n", err.msg);
        return CLI_USAGE;
    }
    cs_config_print(&cli->cfg, stdout);
    return CLI_OK;
}

static int
run(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 'k'},
        {"json", no_argument, NULL, 'j'},         {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    const char *config_path = NULL;
    bool check = false;
    int opt;

    opterr = 0;
    while ((opt = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
        switch (opt) {
        case 'c':
            config_path = optarg;
            break;
        case 'k':
            check = true;
            break;
        case 'j':
            cli->json = true;
            break;
        case 'V':
            puts("cachesync " CS_VERSION);
            return CLI_OK;
        case 'h':
            print_help(stdout);
            return CLI_OK;
        default:
            fprintf(stderr, "cachesync: %s: %s; see cachesync --help\n", argv[optind > 1 ? optind - 1 : 1],
                    opt == ':' ? "needs a file" : "no such option");
            return CLI_USAGE;
        }
    }
    if (check)
        return check_config(cli, config_path);
    if (optind == argc) {
        fputs("cachesync: a verb is missing; cachesync --help lists them\n", stderr);
        return CLI_USAGE;
    }
    return run_verb(cli, config_path, argc - optind, argv + optind);
}

int
main(int argc, char **argv)
{
    struct cli cli = {0};
    int code;

    (void)signal(SIGPIPE, SIG_IGN); /* a lost Redis is an error with a line, not a silent death */
    code = run(&cli, argc, argv);

    if (cli.redis != NULL)
        cs_redis_sync_close(cli.redis);
    cs_config_fini(&cli.cfg);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno != EPIPE) /* the reader had enough (head) */
            fputs("cachesync: cannot write to standard output\n", stderr);
        return CLI_FAILED;
    }
    return code;
}
