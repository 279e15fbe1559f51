#include "daemon/config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A suffix and what it multiplies by; larger units first, so that printing takes the largest that fits. */
struct unit {
    const char *suffix;
    int64_t factor;
};

static const struct unit size_units[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};
static const struct unit time_units[] = {{"d", 86400000000}, {"h", 3600000000}, {"m", 60000000},
                                         {"s", 1000000},     {"ms", 1000},      {"us", 1}};
static const struct unit count_units[] = {{"", 1}};

/* How numbers of each type are written. */
static const struct {
    const struct unit *units;
    size_t n_units;
    const char *expected;
} numbers[CONFIG_TYPES] = {
    [CONFIG_COUNT] = {count_units, 1, "a whole number"},
    [CONFIG_SIZE] = {size_units, 4, "a size (a whole number of octets, or with K, M or G)"},
    [CONFIG_TIME] = {time_units, 6, "a time (a whole number with us, ms, s, m, h or d)"},
};

static const struct unit *unit_find(enum config_type type, const char *suffix)
{
    for (size_t i = 0; i < numbers[type].n_units; i++) {
        if (strcmp(numbers[type].units[i].suffix, suffix) == 0)
            return &numbers[type].units[i];
    }
    return NULL;
}

/* The largest unit that divides the number without rest; 0 has none. */
static void number_print(char *text, enum config_type type, int64_t number)
{
    const struct unit *unit = numbers[type].units;

    if (number == 0) {
        strcpy(text, "0");
        return;
    }
    while (number % unit->factor != 0)
        unit++;
    (void)snprintf(text, CONFIG_VALUE_TEXT_MAX, "%" PRId64 "%s", number / unit->factor, unit->suffix);
}

/* Digits, then a unit; the product must fit and lie in the domain. */
static int number_parse(int64_t *number, const struct config_domain *domain, const char *text,
                        struct error *err)
{
    const struct unit *unit;
    char least[CONFIG_VALUE_TEXT_MAX];
    char most[CONFIG_VALUE_TEXT_MAX];
    int64_t value = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value))
            return error_set(err, -EINVAL, "'%s' is too large", text);
    }
    unit = unit_find(domain->type, p);
    if (unit == NULL && value == 0 && *p == '\0')
        unit = &numbers[domain->type].units[0]; /* nothing is nothing in any unit */
    if (p == text || unit == NULL)
        return error_set(err, -EINVAL, "'%s' is not %s", text, numbers[domain->type].expected);
    if (__builtin_mul_overflow(value, unit->factor, &value))
        return error_set(err, -EINVAL, "'%s' is too large", text);
    if (value < domain->min || value > domain->max) {
        number_print(least, domain->type, domain->min);
        number_print(most, domain->type, domain->max);
        return error_set(err, -EINVAL, "'%s' is not between %s and %s", text, least, most);
    }
    *number = value;
    return 0;
}

static int flag_parse(bool *flag, const char *text, struct error *err)
{
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return error_set(err, -EINVAL, "'%s' is neither yes nor no", text);
    *flag = text[0] == 'y';
    return 0;
}

static int share_parse(double *share, const char *text, struct error *err)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= 0 && value <= 1))
        return error_set(err, -EINVAL, "'%s' is not a number between 0 and 1", text);
    *share = value;
    return 0;
}

static int choice_parse(int *choice, const struct config_domain *domain, const char *text, struct error *err)
{
    char names[256] = "";
    size_t used = 0;

    for (int i = 0; domain->choices[i] != NULL; i++) {
        if (strcmp(domain->choices[i], text) == 0) {
            *choice = i;
            return 0;
        }
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                     domain->choices[i]);
    }
    return error_set(err, -EINVAL, "'%s' is none of: %s", text, names);
}

static int text_parse(char **value, const char *text, struct error *err)
{
    char *copy;

    if (strlen(text) >= CONFIG_VALUE_TEXT_MAX)
        return error_set(err, -EINVAL, "the text is longer than %d octets", CONFIG_VALUE_TEXT_MAX - 1);
    copy = strdup(text);
    if (copy == NULL)
        return error_set(err, -ENOMEM, "out of memory");
    free(*value);
    *value = copy;
    return 0;
}

int config_value_parse(void *value, const struct config_domain *domain, const char *text, struct error *err)
{
    int64_t number;
    int r;

    switch (domain->type) {
    case CONFIG_TEXT:
        return text_parse(value, text, err);
    case CONFIG_FLAG:
        return flag_parse(value, text, err);
    case CONFIG_SHARE:
        return share_parse(value, text, err);
    case CONFIG_CHOICE:
        return choice_parse(value, domain, text, err);
    default:
        r = number_parse(&number, domain, text, err);
        if (r < 0)
            return r;
        if (domain->type == CONFIG_COUNT)
            *(uint32_t *)value = (uint32_t)number;
        else
            memcpy(value, &number, sizeof number);
        return 0;
    }
}

/* The shorter of two forms that is read back as the same number. */
static void share_print(char *text, double share)
{
    (void)snprintf(text, CONFIG_VALUE_TEXT_MAX, "%.15g", share);
    if (strtod(text, NULL) != share)
        (void)snprintf(text, CONFIG_VALUE_TEXT_MAX, "%.17g", share);
}

void config_value_print(char *text, const struct config_domain *domain, const void *value)
{
    int64_t number;

    switch (domain->type) {
    case CONFIG_TEXT:
        (void)snprintf(text, CONFIG_VALUE_TEXT_MAX, "%s", *(char *const *)value);
        break;
    case CONFIG_FLAG:
        strcpy(text, *(const bool *)value ? "yes" : "no");
        break;
    case CONFIG_SHARE:
        share_print(text, *(const double *)value);
        break;
    case CONFIG_CHOICE:
        strcpy(text, domain->choices[*(const int *)value]);
        break;
    default:
        if (domain->type == CONFIG_COUNT)
            number = *(const uint32_t *)value;
        else
            memcpy(&number, value, sizeof number);
        number_print(text, domain->type, number);
    }
}
