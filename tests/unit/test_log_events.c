/* The kinds of events in the program, and the pages of the message catalogue. */
#include "daemon/log_events.h"

#include <ctype.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { PAGES_MAX = 256 };

static char catalogue[1 << 17];
static char *pages[PAGES_MAX]; /* each begins with its id */
static size_t n_pages;

/* Read the catalogue, and cut it where a page begins: at "-- ID". */
static void read_pages(void)
{
    FILE *file = fopen(SOURCE_ROOT "/systemd/flowclassd.catalog", "r");
    char *at;

    ck_assert_ptr_nonnull(file);
    catalogue[fread(catalogue, 1, sizeof catalogue - 1, file)] = '\0';
    (void)fclose(file);
    n_pages = 0;
    for (at = strstr(catalogue, "\n-- "); at != NULL; at = strstr(at, "\n-- ")) {
        ck_assert_uint_lt(n_pages, PAGES_MAX);
        *at = '\0';
        at += strlen("\n-- ");
        pages[n_pages++] = at;
    }
}

static unsigned pages_of(const char *id)
{
    unsigned n = 0;

    for (size_t i = 0; i < n_pages; i++)
        n += strncmp(pages[i], id, strlen(id)) == 0 && pages[i][strlen(id)] == '\n';
    return n;
}

START_TEST(ids_are_ids_and_differ)
{
    for (size_t i = 0; i < LOG_EVENTS_N; i++) {
        ck_assert_uint_eq(strlen(log_events[i].id), 32);
        ck_assert_uint_eq(strspn(log_events[i].id, "0123456789abcdef"), 32);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(log_events[i].id, log_events[j].id);
    }
}
END_TEST

START_TEST(every_kind_has_one_page_and_every_page_a_kind)
{
    read_pages();
    for (size_t i = 0; i < LOG_EVENTS_N; i++)
        ck_assert_msg(pages_of(log_events[i].id) == 1, "%s has %u pages", log_events[i].name,
                      pages_of(log_events[i].id));
    ck_assert_uint_eq(n_pages, LOG_EVENTS_N);
}
END_TEST

START_TEST(pages_are_complete)
{
    read_pages();
    for (size_t i = 0; i < n_pages; i++) {
        const char *body = strstr(pages[i], "\n\n");

        ck_assert_ptr_nonnull(strstr(pages[i], "\nSubject: "));
        ck_assert_ptr_nonnull(strstr(pages[i], "\nDefined-By: flowclassd\n"));
        ck_assert_ptr_nonnull(strstr(pages[i], "\nDocumentation: man:"));
        ck_assert_msg(body != NULL && strlen(body) > 60, "page %.32s says next to nothing", pages[i]);
    }
}
END_TEST

/* journalctl puts the fields of the entry where a page has their names between two signs. */
START_TEST(pages_name_fields_that_there_are)
{
#define NAME(name, field) "@" field "@",
    static const char *const fields[] = {LOG_FIELDS(NAME)};
#undef NAME
    unsigned named = 0;

    read_pages();
    for (size_t i = 0; i < n_pages; i++) {
        for (const char *at = pages[i]; (at = strchr(at, '@')) != NULL; named++) {
            size_t length = strcspn(at + 1, "@") + 2, j = 0;

            while (j < sizeof fields / sizeof fields[0] &&
                   (strlen(fields[j]) != length || strncmp(at, fields[j], length) != 0))
                j++;
            ck_assert_msg(j < sizeof fields / sizeof fields[0], "%.*s is no field", (int)length, at);
            at += length;
        }
    }
    ck_assert_uint_gt(named, 10);
}
END_TEST

int main(void)
{
    return UNIT_RUN("log_events", ids_are_ids_and_differ, every_kind_has_one_page_and_every_page_a_kind,
                    pages_are_complete, pages_name_fields_that_there_are);
}
