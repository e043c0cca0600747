/* SPDX-License-Identifier: MIT */
/*
 * rules - universes.json loaded; keys and words. The format itself is read in rules_parse.c. Thread: any.
 */
#include "worker/sync/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/embed.h"
#include "common/mem.h"

#define FILE_MAX_BYTES (4u << 20)
#define DEFAULT_RULES "deploy/rules/universes.json"

const char *
rules_family_name(enum rules_family f)
{
    static const char *const names[RULES_FAMILY_COUNT] = {"market_cap", "market_leader", "sector", "industry",
                                                          "theme",      "etf",           "ipo",    "complete",
                                                          "combo",      "stats"};
    return names[f];
}

static enum cs_rc
load_file(const char *path, struct sync_rules **out, struct cs_err *err)
{
    enum cs_rc rc;
    FILE *f = fopen(path, "re");
    char *text;
    size_t len;

    if (!f)
        return cs_err_errno(err, errno, "rules file %s cannot be opened", path);
    text = malloc(FILE_MAX_BYTES + 1);
    if (!text) {
        fclose(f);
        return cs_err_set(err, CS_ENOMEM, "no memory to read rules file %s", path);
    }
    errno = 0;
    len = fread(text, 1, FILE_MAX_BYTES + 1, f);
    if (ferror(f)) {
        rc = cs_err_errno(err, errno, "rules file %s cannot be read", path);
    } else if (len > FILE_MAX_BYTES) {
        rc = cs_err_set(err, CS_EINVAL, "rules file %s is larger than %u bytes; split long symbol lists",
                        path, FILE_MAX_BYTES);
    } else {
        rc = rules_parse(text, len, out, err);
        if (rc)
            cs_err_prefix(err, "rules file %s", path);
    }
    free(text);
    fclose(f);
    return rc;
}

enum cs_rc
rules_load(const char *path, struct sync_rules **out, struct cs_err *err)
{
    const struct cs_embed *built_in;

    *out = NULL;
    if (path)
        return load_file(path, out, err);
    built_in = cs_embed_find(DEFAULT_RULES);
    if (!built_in)
        return cs_err_set(err, CS_ENOTFOUND, "%s is not compiled in; name a rules file", DEFAULT_RULES);
    return rules_parse(built_in->text, built_in->len_bytes, out, err);
}

void
rules_free(struct sync_rules *rules)
{
    if (!rules)
        return;
    cs_arena_free(rules->owned);
    free(rules);
}

void
rules_key(const char *text, size_t len_bytes, char *out)
{
    size_t n = 0;
    bool gap = false;

    for (size_t i = 0; i < len_bytes && n < RULES_KEY_MAX; i++) {
        unsigned char c = (unsigned char)text[i];
        char lower[2] = {(char)(c >= 'A' && c <= 'Z' ? c + 32 : c), 0};
        const char *piece = c == '&' ? "and" : lower;

        if (c != '&' && !((lower[0] >= 'a' && lower[0] <= 'z') || (c >= '0' && c <= '9'))) {
            gap = true;
            continue;
        }
        if (gap && n)
            out[n++] = '_';
        gap = false;
        for (; *piece && n < RULES_KEY_MAX; piece++)
            out[n++] = *piece;
    }
    while (n && out[n - 1] == '_')
        n--;
    out[n] = 0;
    if (!n)
        memcpy(out, "other", sizeof "other");
}

static bool
word_byte(char c)
{
    unsigned char u = (unsigned char)c, lower = u | 0x20;

    return (lower >= 'a' && lower <= 'z') || (u >= '0' && u <= '9') || u >= 0x80;
}

/* A phrase may begin or end where not both neighbours belong to one word. */
static bool
edge(const char *text, size_t len_bytes, size_t at)
{
    return at == 0 || at >= len_bytes || !word_byte(text[at - 1]) || !word_byte(text[at]);
}

bool
rules_words_match(const struct rules_texts *phrases, const char *text, size_t len_bytes)
{
    bool inside = false;   /* a word that began before */
    uint64_t initials = 0; /* of the phrases, case aside: few words get past them */

    for (size_t p = 0; p < phrases->count; p++)
        initials |= 1ULL << ((phrases->items[p][0] | 0x20) & 63);
    for (size_t at = 0; at < len_bytes; at++) {
        bool word = word_byte(text[at]), begins = word && !inside;

        inside = word;
        if (!begins ||
            !(initials >> ((text[at] | 0x20) & 63) & 1)) /* a phrase begins with a letter or digit */
            continue;
        for (size_t p = 0; p < phrases->count; p++) {
            const char *phrase = phrases->items[p];
            size_t n = strlen(phrase);

            if (n <= len_bytes - at && strncasecmp(phrase, text + at, n) == 0 &&
                edge(text, len_bytes, at + n))
                return true;
        }
    }
    return false;
}
