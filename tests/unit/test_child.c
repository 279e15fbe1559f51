#include "daemon/child.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"

struct heard {
    struct event_base *base;
    char text[4096];
    int lines;
    int ends;
    int status;
};

static void on_line(void *context, const char *text)
{
    struct heard *heard = context;

    heard->lines++;
    (void)strncat(heard->text, text, sizeof heard->text - strlen(heard->text) - 2);
    (void)strcat(heard->text, "|");
}

static void on_end(void *context, int status)
{
    struct heard *heard = context;

    heard->ends++;
    heard->status = status;
    (void)event_base_loopbreak(heard->base);
}

static struct child *start(struct heard *heard, const char *script)
{
    char *arguments[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, strdup(script), NULL};
    struct child_events events = {on_line, on_end, heard};
    struct child *child = NULL;
    struct error err = {0};

    memset(heard, 0, sizeof *heard);
    heard->base = event_base_new();
    ck_assert_msg(child_start(&child, heard->base, arguments, &events, &err) == 0, "%s", err.text);
    free(arguments[2]);
    return child;
}

static void finish(struct heard *heard)
{
    (void)event_base_dispatch(heard->base);
    ck_assert_int_eq(heard->ends, 1);
    event_base_free(heard->base);
}

START_TEST(lines_and_status_come_back)
{
    struct heard heard;

    (void)start(&heard, "echo one; echo two >&2; printf three; exit 7");
    finish(&heard);
    ck_assert_str_eq(heard.text, "one|two|three|");
    ck_assert(WIFEXITED(heard.status));
    ck_assert_int_eq(WEXITSTATUS(heard.status), 7);
}
END_TEST

START_TEST(an_endless_line_comes_in_pieces)
{
    struct heard heard;

    (void)start(&heard, "head -c 2000 /dev/zero | tr '\\0' x");
    finish(&heard);
    ck_assert_int_eq(heard.lines, 4);
    ck_assert_uint_eq(strlen(heard.text), 2000 + 4);
}
END_TEST

START_TEST(it_runs_when_nobody_else_does)
{
    struct heard heard;

    (void)start(&heard, "read -r line </proc/self/stat; set -- $line; echo nice ${19} policy ${41};"
                        "ls /proc/self/fd | wc -l; cat");
    finish(&heard);
    ck_assert_msg(strncmp(heard.text, "nice 19 policy 5|", 17) == 0, "%s", heard.text);
    /* 0, 1, 2, and the folder that ls itself has open. */
    ck_assert_ptr_nonnull(strstr(heard.text, "|4|"));
}
END_TEST

START_TEST(killed_it_says_nothing_more)
{
    struct heard heard;

    child_kill(start(&heard, "sleep 100"));
    (void)event_base_loop(heard.base, EVLOOP_NONBLOCK);
    ck_assert_int_eq(heard.ends, 0);
    event_base_free(heard.base);
    child_kill(NULL);
}
END_TEST

START_TEST(what_cannot_run_is_named)
{
    char *arguments[] = {(char[]){"/nonexistent/program"}, NULL};
    struct child_events events = {on_line, on_end, NULL};
    struct error err = {0};
    struct child *child;

    ck_assert_int_eq(child_start(&child, NULL, arguments, &events, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/program"));
}
END_TEST

int main(void)
{
    return UNIT_RUN("child", lines_and_status_come_back, an_endless_line_comes_in_pieces,
                    it_runs_when_nobody_else_does, killed_it_says_nothing_more, what_cannot_run_is_named);
}
