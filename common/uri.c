/* SPDX-License-Identifier: MIT */
/*
 * uri - the addresses of Redis, and addresses shown without their passwords (declared in config.h). Any thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/config.h"
#include "common/hex.h"
#include "common/mem.h"

#define FORM "use redis://[user:password@]host[:port][/db] or unix://[user:password@]/path[?db=n]"
#define MASK "***"
#define BLANKS " \t\r\n"
#define SCHEME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-"
#define DB_MAX 1000000

/* Percent-decoded copy; NULL when a % is not followed by two digits or stands for NUL. */
static char *
decoded(const char *s, size_t len)
{
    char *out = cs_xmalloc(len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++, n++) {
        int high = s[i] == '%' && i + 2 < len ? cs_hex_value(s[i + 1]) : -1;
        int low = high >= 0 ? cs_hex_value(s[i + 2]) : -1;

        if (s[i] == '%' && (low < 0 || high * 16 + low == 0)) {
            free(out);
            return NULL;
        }
        out[n] = s[i] == '%' ? (char)(high * 16 + low) : s[i];
        i += s[i] == '%' ? 2 : 0;
    }
    out[n] = '\0';
    return out;
}

/* A whole decimal number of at most max, or -1. */
static long
number(const char *s, size_t len, long max)
{
    long value = 0;

    if (len == 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        value = value * 10 + (s[i] - '0');
        if (value > max)
            return -1;
    }
    return value;
}

/*
 * What a bad URL may hold of a password is hidden: all between "//" and the last "@"; without one, all between the first
 * colon after "//" and the path.
 */
static enum cs_rc
refuse(struct cs_err *err, const char *url, const char *why)
{
    const char *scheme = strstr(url, "://"), *start = scheme != NULL ? scheme + 3 : url;
    const char *end = strrchr(url, '@');

    if (end == NULL) {
        start += strcspn(start, ":/");
        end = start + (*start == ':' ? strcspn(start, "/") : 0);
        start += *start == ':';
    } else if (start > end) {
        start = url;
    }
    if (end <= start)
        return cs_err_set(err, CS_EINVAL, "REDIS_URL=%.200s: %s; " FORM, url, why);
    return cs_err_set(err, CS_EINVAL, "REDIS_URL=%.*s" MASK "%.200s: %s; " FORM, (int)(start - url), url, end,
                      why);
}

static const char *
parse_user(struct cs_redis_addr *addr, const char *s, size_t len)
{
    const char *colon = memchr(s, ':', len);

    if (colon == NULL)
        return "no password after the user name";
    addr->username = colon > s ? decoded(s, (size_t)(colon - s)) : NULL;
    addr->password = decoded(colon + 1, len - (size_t)(colon + 1 - s));
    if ((colon > s && addr->username == NULL) || addr->password == NULL)
        return "a % in user or password is not followed by two hexadecimal digits";
    return NULL;
}

/* host[:port] or [v6][:port] up to end. */
static const char *
parse_host(struct cs_redis_addr *addr, const char *s, const char *end)
{
    const char *host = s, *host_end, *rest;
    long port;

    if (*s == '[') {
        host = s + 1;
        host_end = memchr(host, ']', (size_t)(end - host));
        if (host_end == NULL)
            return "the ] after the address is missing";
        rest = host_end + 1;
    } else {
        host_end = memchr(s, ':', (size_t)(end - s));
        host_end = host_end != NULL ? host_end : end;
        rest = host_end;
    }
    addr->host = host_end > host ? cs_xstrndup(host, (size_t)(host_end - host)) : cs_xstrdup("localhost");
    if (rest == end)
        return NULL;
    port = *rest == ':' ? number(rest + 1, (size_t)(end - rest - 1), 65535) : -1;
    if (port < 1)
        return "the port is not a number from 1 to 65535";
    addr->port = (int)port;
    return NULL;
}

static const char *
parse_db(struct cs_redis_addr *addr, const char *s)
{
    long db = *s == '\0' ? 0 : number(s, strlen(s), DB_MAX);

    addr->db = (int)db;
    return db < 0 ? "the database is not a number" : NULL;
}

static const char *
parse_tcp(struct cs_redis_addr *addr, const char *s)
{
    const char *at = strrchr(s, '@'), *end;
    const char *why = NULL;

    if (at != NULL) {
        why = parse_user(addr, s, (size_t)(at - s));
        s = at + 1;
    }
    end = s + strcspn(s, "/");
    if (why == NULL)
        why = parse_host(addr, s, end);
    if (why == NULL && *end == '/')
        why = parse_db(addr, end + 1);
    return why;
}

static const char *
parse_unix(struct cs_redis_addr *addr, const char *s)
{
    const char *at = *s != '/' ? strstr(s, "@/") : NULL;
    const char *why = at != NULL ? parse_user(addr, s, (size_t)(at - s)) : NULL, *query;

    if (why != NULL)
        return why;
    s = at != NULL ? at + 1 : s;
    query = strchr(s, '?');
    if (*s != '/')
        return "the path of the socket is not absolute";
    addr->unix_path = decoded(s, query != NULL ? (size_t)(query - s) : strlen(s));
    if (addr->unix_path == NULL)
        return "a % in the path is not followed by two hexadecimal digits";
    if (query == NULL)
        return NULL;
    return strncmp(query, "?db=", 4) == 0 ? parse_db(addr, query + 4) : "only ?db=n may follow the path";
}

enum cs_rc
cs_redis_addr_parse(struct cs_redis_addr *addr, const char *url, struct cs_err *err)
{
    const char *why;

    memset(addr, 0, sizeof *addr);
    addr->port = 6379;
    if (strncasecmp(url, "redis://", 8) == 0)
        why = parse_tcp(addr, url + 8);
    else if (strncasecmp(url, "unix://", 7) == 0)
        why = parse_unix(addr, url + 7);
    else if (strncasecmp(url, "rediss://", 9) == 0)
        why = "TLS is not supported, put a TLS tunnel in front";
    else
        why = "not an address of Redis";
    if (why == NULL)
        return CS_OK;
    cs_redis_addr_fini(addr);
    return refuse(err, url, why);
}

void
cs_redis_addr_fini(struct cs_redis_addr *addr)
{
    free(addr->host);
    free(addr->unix_path);
    free(addr->username);
    free(addr->password);
    memset(addr, 0, sizeof *addr);
}

void
cs_redis_addr_format(const struct cs_redis_addr *addr, char *out, size_t out_bytes)
{
    const char *user = addr->username != NULL ? addr->username : "";
    const char *pass = addr->password != NULL ? ":" MASK "@" : *user != '\0' ? "@" : "";
    bool v6 = addr->host != NULL && strchr(addr->host, ':') != NULL;

    if (addr->unix_path != NULL)
        snprintf(out, out_bytes, "unix://%s%s%s?db=%d", user, pass, addr->unix_path, addr->db);
    else
        snprintf(out, out_bytes, "redis://%s%s%s%s%s:%d/%d", user, pass, v6 ? "[" : "",
                 addr->host != NULL ? addr->host : "localhost", v6 ? "]" : "", addr->port, addr->db);
}

/* Words without "=" after an unquoted value: the rest of one that has blanks and should stand in quotes. */
static const char *
stray_words_end(const char *s)
{
    for (;;) {
        const char *word = s + strspn(s, BLANKS);
        size_t len = strcspn(word, BLANKS);

        if (len == 0 || memchr(word, '=', len) != NULL)
            return s;
        s = word + len;
    }
}

/* End of the value of a password parameter: libpq's quoting in key=value strings, & in a URI. */
static const char *
value_end(const char *s, bool uri)
{
    if (uri)
        return s + strcspn(s, "&");
    if (*s != '\'') {
        while (*s != '\0' && strchr(BLANKS, *s) == NULL)
            s += *s == '\\' && s[1] != '\0' ? 2 : 1;
        return stray_words_end(s);
    }
    for (s++; *s != '\0' && *s != '\''; s++)
        if (*s == '\\' && s[1] != '\0')
            s++;
    return *s == '\'' ? s + 1 : s;
}

/* Where the user part's password starts and ends ("@"), or NULL. It may hold any character but '?' and '@'. */
static const char *
authority_password(const char *start, const char **end)
{
    size_t len = strcspn(start, "?");
    const char *at = memrchr(start, '@', len);
    const char *colon;

    if (at == NULL)
        at = memchr(start, '@', strcspn(start, "/"));
    colon = at != NULL ? memchr(start, ':', (size_t)(at - start)) : NULL;
    *end = at;
    return colon != NULL ? colon + 1 : NULL;
}

char *
cs_uri_masked(const char *uri)
{
    const char *scheme = strstr(uri, "://"), *p = uri, *start = NULL, *end = NULL;
    bool is_uri = scheme != NULL && strspn(uri, SCHEME) == (size_t)(scheme - uri);
    char *out = cs_xmalloc(strlen(uri) * 4 + 8);
    size_t n = 0;

    if (is_uri)
        start = authority_password(scheme + 3, &end);
    while (*p != '\0') {
        if (p == start) {
            n += (size_t)sprintf(out + n, MASK);
            p = end;
            start = NULL; /* an empty password ends where it starts */
        } else if (strncasecmp(p, "password", 8) == 0 && p[8 + strspn(p + 8, " \t")] == '=') {
            size_t head = 9 + strspn(p + 8, " \t");

            head += strspn(p + head, " \t");
            n += (size_t)sprintf(out + n, "%.*s" MASK, (int)head, p);
            p = value_end(p + head, is_uri);
        } else {
            out[n++] = *p++;
        }
    }
    out[n] = '\0';
    return out;
}
