/* SPDX-License-Identifier: MIT */
/*
 * migrate - the verb that brings the database to this program's schema. Any one thread.
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/cli/cli.h"
#include "worker/sync/migrate.h"

static int
show_status(struct cli *cli)
{
    struct cs_err err = {0};
    int version = 0, latest = migrate_latest();

    if (migrate_version(cli->cfg.database_uri, &version, &err) != CS_OK)
        return cli_fail(cli, "migrate", &err);
    if (cli->json)
        printf("{\"version\":%d,\"latest\":%d}\n", version, latest);
    else if (version == latest)
        printf("schema %d: up to date\n", version);
    else if (version < latest)
        printf("schema %d, the newest is %d: run cachesync migrate\n", version, latest);
    else
        printf("schema %d is newer than this program (%d): use a newer program\n", version, latest);
    return CLI_OK;
}

static int
run(struct cli *cli, int target)
{
    struct cs_err err = {0};
    struct migrate_report report;

    if (migrate_run(cli->cfg.database_uri, target, &report, &err) != CS_OK)
        return cli_fail(cli, "migrate", &err);
    if (cli->json)
        printf("{\"from\":%d,\"to\":%d,\"applied\":%d}\n", report.from, report.to, report.applied);
    else if (report.applied == 0)
        printf("schema %d: nothing to do\n", report.to);
    else
        printf("schema %d -> %d\n", report.from, report.to);
    return CLI_OK;
}

static bool
read_version_number(const char *text, int *version)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n > INT_MAX)
        return false;
    *version = (int)n;
    return true;
}

int
verb_migrate(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {{"to", required_argument, NULL, 't'},
                                            {"status", no_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    int target = MIGRATE_LATEST, opt;
    bool status = false;

    optind = 0;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (opt == 't') {
            if (!read_version_number(optarg, &target))
                return cli_usage("migrate", "--to %s is not a schema number", optarg);
        } else if (opt == 's') {
            status = true;
        } else if (opt == 'j') {
            cli->json = true;
        } else {
            return cli_usage("migrate", "unknown option or missing value: %s", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return cli_usage("migrate", "unexpected argument %s", argv[optind]);
    return status ? show_status(cli) : run(cli, target);
}
