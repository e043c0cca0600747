/* SPDX-License-Identifier: MIT */
/*
 * rules - cachesync rules check [FILE] | list [FILE] | explain SYMBOL: the rules file judged, shown, and held against
 * the database (explain alone opens a connection). Main thread.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/cli/cli.h"
#include "worker/sync/explain.h"
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

/* Data may hold what would steer a terminal. */
static void
print_plain(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "none";
}

/* "+" a member, "-" none; "!" where the row says otherwise, so that the next sync changes it. */
static void
print_universe(const json_t *u)
{
    bool member = json_is_true(json_object_get(u, "member")), row = json_is_true(json_object_get(u, "row"));

    printf("%c%c %-28s ", member ? '+' : '-', member != row ? '!' : ' ', text_of(u, "universe"));
    print_plain(text_of(u, "reason"));
    if (member != row)
        fputs(row ? "; its row has it still" : "; its row has it not yet", stdout);
    putchar('\n');
}

static void
print_symbol(const json_t *doc)
{
    json_t *one;
    size_t i;

    print_plain(text_of(doc, "symbol"));
    fputs("  ", stdout);
    print_plain(text_of(doc, "name"));
    printf("\n%s %s, market cap %" JSON_INTEGER_FORMAT,
           json_is_true(json_object_get(doc, "active")) ? "active" : "inactive", text_of(doc, "type"),
           json_integer_value(json_object_get(doc, "market_cap")));
    if (json_is_integer(json_object_get(doc, "rank")))
        printf(", rank %" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(doc, "rank")));
    fputs(", sector ", stdout);
    print_plain(text_of(doc, "sector"));
    fputs(", industry ", stdout);
    print_plain(text_of(doc, "industry"));
    printf(", listed %s, market date %s, environment %s\n", text_of(doc, "list_date"),
           text_of(doc, "market_date"), text_of(doc, "environment"));
    json_array_foreach (json_object_get(doc, "universes"), i, one) {
        print_universe(one);
    }
}

static int
explain(const struct cli *cli, const struct sync_rules *rules, const char *symbol)
{
    struct explain_request req = {cli->cfg.database_uri, cli->cfg.environment, symbol};
    struct cs_err err = {0};
    json_t *doc;

    if (explain_symbol(&req, rules, &doc, &err) != CS_OK)
        return cli_fail(cli, "rules", &err);
    if (cli->json)
        return print_json(doc);
    print_symbol(doc);
    json_decref(doc);
    return CLI_OK;
}

static const struct action {
    const char *name;
    bool
        needs_symbol; /* its argument is a symbol, and the rules are the configured ones; else a rules file */
    int (*run)(const struct cli *cli, const struct sync_rules *rules, const char *what);
} actions[] = {{"check", false, check}, {"list", false, list}, {"explain", true, explain}};

#define USAGE "check [FILE], list [FILE] or explain SYMBOL"

int
verb_rules(struct cli *cli, int argc, char **argv)
{
    const struct action *action = NULL;
    struct sync_rules *rules;
    struct cs_err err = {0};
    const char *source;
    int code;

    for (size_t i = 0; argc > 1 && i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(argv[1], actions[i].name) == 0)
            action = &actions[i];
    if (argc > 1 && !action)
        return cli_usage("rules", "\"%s\" is not known; use " USAGE, argv[1]);
    if (!action || argc > 3 || (action->needs_symbol && argc != 3))
        return cli_usage("rules", USAGE);
    source = source_of(cli, argc == 3 && !action->needs_symbol ? argv[2] : NULL);
    if (rules_load(source, &rules, &err))
        return cli_fail(cli, "rules", &err);
    code = action->run(cli, rules, action->needs_symbol ? argv[2] : source ? source : "built-in rules");
    rules_free(rules);
    return code;
}
