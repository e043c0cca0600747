/* SPDX-License-Identifier: MIT */
/*
 * config_main - the options that every daemon has: --config, --check-config, --version, --help. Main thread, at start.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/config.h"

static bool
finish(int code, int *exit_code)
{
    *exit_code = code;
    return false;
}

static void
print_usage(const char *program, const char *about)
{
    printf("usage: %s [--config FILE] [--check-config] [--version] [--help]\n%s\n\n"
           "  --config FILE    read KEY=VALUE lines; a variable in the environment wins\n"
           "  --check-config   print the effective values and exit\n\n"
           "  key                       default                  unit     meaning\n",
           program, about);
    cs_config_print_help(stdout);
}

bool
cs_config_main(struct cs_config *cfg, int argc, char **argv, const char *about, cs_config_check *more,
               int *exit_code)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check-config", no_argument, NULL, 'k'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *program = basename(argv[0]), *path = NULL;
    bool check = false;
    struct cs_err err = {0};
    int c;

    optind = 0;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
        if (c == 'v') {
            printf("%s %s\n", program, CS_VERSION);
            return finish(0, exit_code);
        }
        if (c == 'h') {
            print_usage(program, about);
            return finish(0, exit_code);
        }
        if (c == '?' || c == ':') {
            fprintf(stderr, "%s: %s: %s; see %s --help\n", program, argv[optind > 1 ? optind - 1 : 1],
                    c == ':' ? "needs a file" : "no such option", program);
            return finish(2, exit_code);
        }
        path = c == 'c' ? optarg : path;
        check = check || c == 'k';
    }
    if (optind < argc) {
        fprintf(stderr, "%s: %s: takes no arguments; see %s --help\n", program, argv[optind], program);
        return finish(2, exit_code);
    }
    if (cs_config_load(cfg, path, &err) != CS_OK || (more != NULL && more(cfg, &err) != CS_OK)) {
        fprintf(stderr, "%s: %s\n", program, err.msg);
        cs_config_fini(cfg);
        return finish(2, exit_code);
    }
    if (!check)
        return true;
    cs_config_print(cfg, stdout);
    cs_config_fini(cfg);
    return finish(0, exit_code);
}
