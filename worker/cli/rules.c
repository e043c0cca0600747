/* SPDX-License-Identifier: MIT */
/*
 * rules - cachesync rules check [FILE] | list: the rules file judged and shown. Opens no connection. Main
 * thread.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/cli/cli.h"
#include "worker/sync/rules.h"

/* The file named, else the configured one, else the compiled-in rules. */
static const char *
source_of(const struct cli *cli, const char *file)
{
    return file ? file : cli->cfg.rules_path;
}

static int
print_json(json_t *value)
{
    char *text = cs_json_dump(value);

    puts(text);
    free(text);
    json_decref(value);
    return CLI_OK;
}

static int
check(const struct cli *cli, const struct sync_rules *rules, const char *source)
{
    size_t outputs = 0;

    for (size_t i = 0; i < rules->count; i++)
        outputs += rules->universes[i].output_count;
    if (cli->json)
        return print_json(json_pack("{s:b,s:s,s:I,s:I,s:s}", "valid", 1, "source", source, "universes",
                                    (json_int_t)rules->count, "outputs", (json_int_t)outputs, "digest",
                                    rules->digest));
    printf("%s: valid, %zu universes in %zu outputs, digest %s\n", source, rules->count, outputs,
           rules->digest);
    return CLI_OK;
}

static int
list(const struct cli *cli, const struct sync_rules *rules, const char *source)
{
    json_t *all = cli->json ? json_array() : NULL;

    (void)source;
    for (size_t i = 0; i < rules->count; i++) {
        const struct rules_universe *u = &rules->universes[i];
        const char *family = rules_family_name(u->family);

        if (all)
            json_array_append_new(all, json_pack("{s:s,s:s,s:s,s:I,s:I}", "family", family, "universe",
                                                 u->key, "title", u->title, "limit", (json_int_t)u->limit,
                                                 "outputs", (json_int_t)u->output_count));
        else
            printf("%-14s %-28s %s\n", family, u->key, u->title);
    }
    return all ? print_json(all) : CLI_OK;
}

static const struct action {
    const char *name;
    int (*run)(const struct cli *cli, const struct sync_rules *rules, const char *source);
} actions[] = {{"check", check}, {"list", list}};

int
verb_rules(struct cli *cli, int argc, char **argv)
{
    struct sync_rules *rules;
    struct cs_err err = {0};
    const char *source;
    int code;

    if (argc < 2 || argc > 3)
        return cli_usage("rules", "check [FILE] or list [FILE]");
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(argv[1], actions[i].name) != 0)
            continue;
        source = source_of(cli, argc == 3 ? argv[2] : NULL);
        if (rules_load(source, &rules, &err))
            return cli_fail(cli, "rules", &err);
        code = actions[i].run(cli, rules, source ? source : "built-in rules");
        rules_free(rules);
        return code;
    }
    return cli_usage("rules", "\"%s\" is not known; use check [FILE] or list [FILE]", argv[1]);
}
