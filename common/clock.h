/* SPDX-License-Identifier: MIT */
/*
 * clock - wall time in ms, monotonic time in us, and their text forms. Any thread.
 */
#ifndef CS_COMMON_CLOCK_H
#define CS_COMMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define CS_TIME_LEN 24 /* strlen("2024-05-09T20:00:00.000Z") */
#define CS_DATE_LEN 10 /* strlen("2024-05-09") */

int64_t cs_clock_wall_ms(void); /* since 1970-01-01T00:00:00Z */
int64_t cs_clock_mono_us(void); /* since an unspecified start; never goes back */

/* Write wall_ms as UTC "YYYY-MM-DDTHH:MM:SS.mmmZ" (RFC 3339). out holds CS_TIME_LEN + 1 bytes. */
void cs_time_format(int64_t wall_ms, char out[CS_TIME_LEN + 1]);

/* Read the same form back, with optional fraction and Z or +hh:mm. CS_EINVAL otherwise. */
enum cs_rc cs_time_parse(const char *text, int64_t *wall_ms) CS_MUSTCHECK;

/* Whether text is exactly YYYY-MM-DD and a day of the Gregorian calendar, years 1900..9999. */
bool cs_date_valid(const char *text);

/* Days since 1970-01-01 of a valid date, and back. out holds CS_DATE_LEN + 1 bytes. */
int32_t cs_date_days(const char *text);
void cs_date_format(int32_t days, char out[CS_DATE_LEN + 1]);

#endif
