/* SPDX-License-Identifier: MIT */
/*
 * auth - the keys that callers may use, from the configuration and a file. Compared in constant time. Loop thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/mem.h"
#include "worker/http/http.h"

#define KEY_FILE_MAX_BYTES 65536

struct http_auth {
    char **keys;
    size_t count;
};

static bool
equal(const char *key, struct http_slice given)
{
    size_t key_len = strlen(key);
    size_t diff = key_len ^ given.len;

    for (size_t i = 0; i < given.len; i++)
        diff |= (size_t)(unsigned char)given.at[i] ^ (size_t)(unsigned char)key[i % key_len];
    return diff == 0;
}

static void
add_keys(struct http_auth *auth, char *text)
{
    char *rest = NULL;

    for (char *key = strtok_r(text, ", \t\r\n", &rest); key; key = strtok_r(NULL, ", \t\r\n", &rest)) {
        auth->keys = cs_xrealloc(auth->keys, (auth->count + 1) * sizeof *auth->keys);
        auth->keys[auth->count++] = cs_xstrdup(key);
    }
}

static enum cs_rc
add_file(struct http_auth *auth, const char *path, struct cs_err *err)
{
    char *text = cs_xcalloc(1, KEY_FILE_MAX_BYTES + 1);
    FILE *file = fopen(path, "re");
    enum cs_rc rc = CS_OK;

    if (!file) {
        free(text);
        return cs_err_errno(err, errno, "TICKSTOCKPL_API_KEY_FILE %s cannot be read", path);
    }
    size_t len = fread(text, 1, KEY_FILE_MAX_BYTES + 1, file);
    if (ferror(file))
        rc = cs_err_errno(err, errno, "TICKSTOCKPL_API_KEY_FILE %s cannot be read", path);
    else if (len > KEY_FILE_MAX_BYTES)
        rc = cs_err_set(err, CS_EINVAL,
                        "TICKSTOCKPL_API_KEY_FILE %s is longer than %d bytes: name a file of keys", path,
                        KEY_FILE_MAX_BYTES);
    else
        add_keys(auth, text);
    fclose(file);
    explicit_bzero(text, KEY_FILE_MAX_BYTES + 1);
    free(text);
    return rc;
}

static bool
is_loopback(const char *address)
{
    struct in_addr v4;

    if (inet_pton(AF_INET, address, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(address, "::1") == 0 || strcmp(address, "localhost") == 0;
}

static enum cs_rc
check(const struct http_auth *auth, const char *listen, struct cs_err *err)
{
    if (auth->count == 0)
        return cs_err_set(
            err, CS_EINVAL,
            "TICKSTOCKPL_API_KEY is not set: give one or more keys, or TICKSTOCKPL_API_KEY_FILE");
    for (size_t i = 0; i < auth->count; i++) {
        if (strcmp(auth->keys[i], CS_PUBLISHED_KEY) != 0)
            continue;
        if (!is_loopback(listen))
            return cs_err_set(
                err, CS_EINVAL,
                "TICKSTOCKPL_API_KEY holds the published key while CACHESYNC_LISTEN is %s: choose "
                "another key, or listen on 127.0.0.1",
                listen);
        CS_LOG(CS_LOG_WARN, "published_key", NULL, cs_kv_s("remedy", "choose another TICKSTOCKPL_API_KEY"));
    }
    return CS_OK;
}

enum cs_rc
http_auth_load(struct http_auth **out, const struct cs_config *cfg, struct cs_err *err)
{
    struct http_auth *auth = cs_xcalloc(1, sizeof *auth);
    enum cs_rc rc = CS_OK;

    if (cfg->api_keys) {
        char *copy = cs_xstrdup(cfg->api_keys);

        add_keys(auth, copy);
        explicit_bzero(copy, strlen(cfg->api_keys));
        free(copy);
    }
    if (cfg->api_key_file)
        rc = add_file(auth, cfg->api_key_file, err);
    if (rc == CS_OK)
        rc = check(auth, cfg->listen, err);
    if (rc != CS_OK) {
        http_auth_free(auth);
        return rc;
    }
    *out = auth;
    return CS_OK;
}

void
http_auth_free(struct http_auth *auth)
{
    if (!auth)
        return;
    for (size_t i = 0; i < auth->count; i++) {
        explicit_bzero(auth->keys[i], strlen(auth->keys[i]));
        free(auth->keys[i]);
    }
    free(auth->keys);
    free(auth);
}

int
http_auth_accepts(const struct http_auth *auth, const struct http_request *request)
{
    struct http_slice given = http_request_header(request, "x-api-key");
    struct http_slice bearer = http_request_header(request, "authorization");
    int accepted = -1;

    if (!given.at && bearer.len > 7 && strncasecmp(bearer.at, "Bearer ", 7) == 0)
        given = (struct http_slice){bearer.at + 7, bearer.len - 7};
    if (!given.at)
        return -1;
    for (size_t i = 0; i < auth->count; i++)
        accepted = equal(auth->keys[i], given) ? (int)i : accepted;
    return accepted;
}
