/* SPDX-License-Identifier: MIT */
/*
 * clock - the two clocks, and calendar arithmetic without time zones or locale. Any thread.
 */
#include "common/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
#define FIRST_READ_MS INT64_C(-2208988800000)     /* 1900-01-01T00:00:00.000Z */
#define FIRST_WRITTEN_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define LAST_MS INT64_C(253402300799999)          /* 9999-12-31T23:59:59.999Z */

struct date {
    int year, month, day;
};

int64_t
cs_clock_wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
cs_clock_mono_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Years are counted from 1 March, so that the leap day is the last of its year; an era is 400 years. */
static int32_t
days_from_date(struct date d)
{
    int year = d.year - (d.month <= 2);
    int era = (year >= 0 ? year : year - 399) / 400;
    int year_of_era = year - era * 400;
    int day_of_year = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static struct date
date_from_days(int32_t days)
{
    int64_t z = (int64_t)days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int day_of_era = (int)(z - era * 146097);
    int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int shifted = (5 * day_of_year + 2) / 153;
    struct date d;

    d.day = day_of_year - (153 * shifted + 2) / 5 + 1;
    d.month = shifted < 10 ? shifted + 3 : shifted - 9;
    d.year = (int)(year_of_era + era * 400) + (d.month <= 2);
    return d;
}

/* Read exactly count digits. Returns -1 when one is missing. */
static int
digits(const char **p, int count)
{
    int value = 0;

    for (int i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return -1;
        value = value * 10 + (**p - '0');
    }
    return value;
}

static bool
literal(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

static bool
date_ok(struct date d)
{
    static const int last_day[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = d.year % 4 == 0 && (d.year % 100 != 0 || d.year % 400 == 0);

    if (d.year < 1900 || d.month < 1 || d.month > 12 || d.day < 1)
        return false;
    return d.day <= last_day[d.month - 1] + (d.month == 2 && leap);
}

static bool
read_date(const char **p, struct date *d)
{
    return (d->year = digits(p, 4)) >= 0 && literal(p, '-') && (d->month = digits(p, 2)) >= 0 &&
           literal(p, '-') && (d->day = digits(p, 2)) >= 0 && date_ok(*d);
}

/* hh:mm:ss[.fraction] as ms of the day; a fraction is cut to milliseconds. */
static bool
read_time(const char **p, int64_t *ms)
{
    int hour = digits(p, 2), minute, second, scale = 100;

    if (hour < 0 || hour > 23 || !literal(p, ':') || (minute = digits(p, 2)) < 0 || minute > 59)
        return false;
    if (!literal(p, ':') || (second = digits(p, 2)) < 0 || second > 59)
        return false;
    *ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000);
    if (!literal(p, '.'))
        return true;
    if (**p < '0' || **p > '9')
        return false;
    for (; **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
        *ms += (**p - '0') * scale;
    return true;
}

static bool
read_zone(const char **p, int64_t *offset_ms)
{
    int sign = **p == '-' ? -1 : 1, hour, minute;

    *offset_ms = 0;
    if (literal(p, 'Z'))
        return true;
    if (!literal(p, '+') && !literal(p, '-'))
        return false;
    if ((hour = digits(p, 2)) < 0 || hour > 23 || !literal(p, ':') || (minute = digits(p, 2)) < 0 ||
        minute > 59)
        return false;
    *offset_ms = sign * (hour * 60 + minute) * INT64_C(60000);
    return true;
}

void
cs_time_format(int64_t wall_ms, char out[CS_TIME_LEN + 1])
{
    char text[64];
    int64_t days, rest;
    struct date d;

    wall_ms = wall_ms > LAST_MS ? LAST_MS : wall_ms < FIRST_WRITTEN_MS ? FIRST_WRITTEN_MS : wall_ms;
    days = wall_ms / DAY_MS;
    rest = wall_ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    d = date_from_days((int32_t)days);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", d.year, d.month, d.day,
             (int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60), (int)(rest % 1000));
    memcpy(out, text, CS_TIME_LEN);
    out[CS_TIME_LEN] = '\0';
}

enum cs_rc
cs_time_parse(const char *text, int64_t *wall_ms)
{
    const char *p = text;
    int64_t ms, offset_ms;
    struct date d;

    if (!read_date(&p, &d) || !literal(&p, 'T') || !read_time(&p, &ms) || !read_zone(&p, &offset_ms) ||
        *p != '\0')
        return CS_EINVAL;
    ms += days_from_date(d) * DAY_MS - offset_ms;
    if (ms < FIRST_READ_MS || ms > LAST_MS) /* an offset can leave the years that have a text */
        return CS_EINVAL;
    *wall_ms = ms;
    return CS_OK;
}

bool
cs_date_valid(const char *text)
{
    const char *p = text;
    struct date d;

    return read_date(&p, &d) && *p == '\0';
}

int32_t
cs_date_days(const char *text)
{
    const char *p = text;
    struct date d;

    return read_date(&p, &d) ? days_from_date(d) : 0;
}

void
cs_date_format(int32_t days, char out[CS_DATE_LEN + 1])
{
    char text[CS_TIME_LEN + 1];

    cs_time_format(days * DAY_MS, text);
    memcpy(out, text, CS_DATE_LEN);
    out[CS_DATE_LEN] = '\0';
}
