/* SPDX-License-Identifier: MIT */
/* link: worker/http/auth worker/http/head_fields common/log common/clock common/mem common/err */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/http/http.h"

static int
key_of(const struct http_auth *auth, const char *name, const char *value)
{
    struct http_request request = {.header_count = 0};

    if (name)
        request.headers[request.header_count++] =
            (struct http_header){{name, strlen(name)}, {value, strlen(value)}};
    return http_auth_accepts(auth, &request);
}

static struct http_auth *
load(char *keys, char *file, char *listen)
{
    struct cs_config cfg = {.api_keys = keys, .api_key_file = file, .listen = listen};
    struct http_auth *auth = NULL;
    struct cs_err err = {0};

    if (http_auth_load(&auth, &cfg, &err) != CS_OK) {
        cr_expect_neq(err.msg[0], '\0');
        cr_expect_null(strstr(err.msg, "secret"), "no key is shown: %s", err.msg);
        return NULL;
    }
    return auth;
}

Test(auth, one_of_several_keys)
{
    struct http_auth *auth = load((char[]){"one,two,,three"}, NULL, (char[]){"127.0.0.1"});

    cr_assert_not_null(auth);
    cr_expect_eq(key_of(auth, "X-API-Key", "one"), 0);
    cr_expect_eq(key_of(auth, "x-api-key", "three"), 2);
    cr_expect_eq(key_of(auth, "Authorization", "Bearer two"), 1);
    cr_expect_eq(key_of(auth, "authorization", "bearer two"), 1);
    http_auth_free(auth);
}

Test(auth, nothing_else)
{
    static const char *const wrong[] = {"",        "o",  "on",   "onee", "oneone", "One",
                                        "one,two", "tw", " one", "one ", "twoo"};
    struct http_auth *auth = load((char[]){"one,two"}, NULL, (char[]){"127.0.0.1"});

    cr_assert_not_null(auth);
    cr_expect_eq(key_of(auth, NULL, NULL), -1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_eq(key_of(auth, "X-API-Key", wrong[i]), -1, "%s", wrong[i]);
    cr_expect_eq(key_of(auth, "Authorization", "one"), -1);
    cr_expect_eq(key_of(auth, "Authorization", "Basic one"), -1);
    cr_expect_eq(key_of(auth, "Authorization", "Bearer "), -1);
    cr_expect_eq(key_of(auth, "Authorization", "Bearerone"), -1);
    http_auth_free(auth);
}

Test(auth, no_key_no_start)
{
    cr_expect_null(load(NULL, NULL, (char[]){"127.0.0.1"}));
    cr_expect_null(load((char[]){",,"}, NULL, (char[]){"127.0.0.1"}));
    cr_expect_null(load((char[]){"secret"}, (char[]){"/nonexistent/keys"}, (char[]){"127.0.0.1"}));
}

Test(auth, the_published_key_on_loopback_only)
{
    static const char *const loopback[] = {"127.0.0.1", "127.1.2.3", "::1", "localhost"};
    static const char *const others[] = {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "example"};
    char keys[] = "secret,tickstock-cache-sync-2025", listen[32];

    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++) {
        struct http_auth *auth;

        snprintf(listen, sizeof listen, "%s", loopback[i]);
        auth = load(keys, NULL, listen);
        cr_expect_not_null(auth, "%s", listen);
        http_auth_free(auth);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        snprintf(listen, sizeof listen, "%s", others[i]);
        cr_expect_null(load(keys, NULL, listen), "%s", listen);
    }
}

Test(auth, a_file_of_keys)
{
    char path[] = "/tmp/test_auth.XXXXXX", listen[] = "127.0.0.1", keys[] = "one";
    FILE *file = fdopen(mkstemp(path), "w");
    struct http_auth *auth;

    cr_assert_not_null(file);
    fputs("two\r\n\n  three,four\n", file);
    fclose(file);
    auth = load(keys, path, listen);
    cr_assert_not_null(auth);
    cr_expect_eq(key_of(auth, "X-API-Key", "one"), 0);
    cr_expect_eq(key_of(auth, "X-API-Key", "two"), 1);
    cr_expect_eq(key_of(auth, "X-API-Key", "four"), 3);
    http_auth_free(auth);
    file = fopen(path, "w");
    for (int i = 0; i < 65537; i++)
        fputc('k', file);
    fclose(file);
    cr_expect_null(load(keys, path, listen), "a file that is longer than 64 KiB");
    unlink(path);
}
