/* The socket with real clients, hundreds of them, most of them bad. Server and clients share one thread: the
 * loop turns between the clients' steps. */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char path[64];
static struct event_base *base;
static struct control *control;

static int run_stats(void *context, const cJSON *arguments, struct control_reply *reply)
{
    (void)context;
    (void)arguments;
    reply->message = cJSON_CreateString("all is well");
    return reply->message == NULL ? -ENOMEM : 0;
}

static int run_large(void *context, const cJSON *arguments, struct control_reply *reply)
{
    (void)context;
    (void)arguments;
    reply->text = malloc(100001);
    if (reply->text == NULL)
        return -ENOMEM;
    memset(reply->text, 'x', 100000);
    reply->text[100000] = '\0';
    return 0;
}

static int run_watch(void *context, const cJSON *arguments, struct control_reply *reply)
{
    (void)context;
    (void)arguments;
    reply->watch = true;
    return 0;
}

static const struct control_verb verbs[] = {
    {"stats", "figures", false, run_stats},
    {"large", "much text", false, run_large},
    {"watch", "a stream", false, run_watch},
};

static struct control_options options_here(void)
{
    return (struct control_options){
        .base = base, .path = path, .inherited = -1, .verbs = verbs, .n_verbs = sizeof verbs / sizeof *verbs};
}

static void set_up(void)
{
    struct error err = {0};

    (void)snprintf(path, sizeof path, "/tmp/test_control.%d.sock", (int)getpid());
    base = event_base_new();
    ck_assert_ptr_nonnull(base);
    struct control_options options = options_here();
    ck_assert_msg(control_open(&control, &options, &err) == 0, "%s", err.text);
}

static void tear_down(void)
{
    control_close(control);
    event_base_free(base);
    ck_assert_int_lt(access(path, F_OK), 0);
}

static void turn(int times)
{
    while (times-- > 0)
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
}

static int client_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    strcpy(address.sun_path, path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    turn(2);
    return fd;
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What the client has got by now, as a string. Return: octets; 0: the connection has ended; -1: nothing. */
static ssize_t hear(int fd, char *text, size_t size)
{
    turn(3);
    ssize_t n = recv(fd, text, size - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return n;
}

static void check_answered(int fd)
{
    char text[256];

    say(fd, "stats\n");
    ck_assert_int_gt(hear(fd, text, sizeof text), 0);
    ck_assert_str_eq(text, "{\"return\":\"OK\",\"message\":\"all is well\"}\n");
}

START_TEST(one_line_asks_one_line_answers)
{
    char text[256];
    struct stat status;

    set_up();
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0660);
    int fd = client_connect();
    check_answered(fd);
    check_answered(fd);
    say(fd, "stats"); /* in two pieces */
    ck_assert_int_lt(hear(fd, text, sizeof text), 0);
    say(fd, "\r\n");
    ck_assert_int_gt(hear(fd, text, sizeof text), 0);
    say(fd, "stats\nstats\n"); /* two at once */
    ck_assert_int_eq(hear(fd, text, sizeof text), 80);
    say(fd, "stats"); /* the end instead of a newline */
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    ck_assert_int_eq(hear(fd, text, sizeof text), 40);
    ck_assert_int_eq(hear(fd, text, sizeof text), 0);
    (void)close(fd);
    ck_assert_uint_eq(control_stats(control)->requests, 6);
    ck_assert_uint_eq(control_stats(control)->clients, 0);
    tear_down();
}
END_TEST

START_TEST(watchers_get_what_is_published)
{
    char text[256];
    int fds[3];

    set_up();
    for (int i = 0; i < 3; i++) {
        fds[i] = client_connect();
        if (i > 0) {
            say(fds[i], "watch\n");
            ck_assert_int_gt(hear(fds[i], text, sizeof text), 0);
        }
    }
    ck_assert_uint_eq(control_stats(control)->watchers, 2);
    control_publish(control, "news\n", 5);
    ck_assert_int_lt(hear(fds[0], text, sizeof text), 0);
    for (int i = 1; i < 3; i++) {
        ck_assert_int_gt(hear(fds[i], text, sizeof text), 0);
        ck_assert_str_eq(text, "news\n");
        check_answered(fds[i]);
    }
    (void)close(fds[1]);
    turn(3);
    control_publish(control, "more\n", 5);
    ck_assert_int_gt(hear(fds[2], text, sizeof text), 0);
    ck_assert_uint_eq(control_stats(control)->watchers, 1);
    (void)close(fds[0]);
    (void)close(fds[2]);
    tear_down();
}
END_TEST

START_TEST(a_watcher_that_does_not_read_is_cut_off)
{
    static char line[10000];

    set_up();
    int fd = client_connect();
    int good = client_connect();
    say(fd, "watch\n");
    turn(3);
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 2 * CONTROL_OUTPUT_MAX / (int)sizeof line; i++) {
        control_publish(control, line, sizeof line);
        turn(1);
    }
    ck_assert_uint_eq(control_stats(control)->overflown, 1);
    ck_assert_uint_eq(control_stats(control)->clients, 1);
    check_answered(good);
    (void)close(fd);
    (void)close(good);
    tear_down();
}
END_TEST

START_TEST(who_asks_faster_than_he_reads_waits)
{
    static char text[1 << 20];
    size_t got = 0;

    set_up();
    int fd = client_connect();
    for (int i = 0; i < 100; i++)
        say(fd, "large\n");
    turn(50);
    ck_assert_uint_lt(control_stats(control)->requests, 10);
    for (ssize_t n; (n = hear(fd, text, sizeof text)) > 0;)
        got += (size_t)n;
    ck_assert_uint_eq(got, 100 * 100000U);
    ck_assert_uint_eq(control_stats(control)->overflown, 0);
    (void)close(fd);
    tear_down();
}
END_TEST

START_TEST(garbage_floods_and_vanishing_cost_nothing)
{
    static char garbage[CONTROL_LINE_MAX + 100];
    uint64_t overflown = 0;

    set_up();
    memset(garbage, 0xa5, sizeof garbage);
    for (int i = 0; i < 500; i++) {
        int fd = client_connect();

        switch (i % 5) {
        case 0: /* vanishes at once */
            break;
        case 1: /* an endless line */
            (void)send(fd, garbage, sizeof garbage, MSG_NOSIGNAL);
            overflown++;
            break;
        case 2: /* many lines of garbage */
            garbage[100] = '\n';
            (void)send(fd, garbage, 101, MSG_NOSIGNAL);
            garbage[100] = (char)0xa5;
            break;
        case 3: /* asks and does not wait */
            say(fd, "large\nlarge\nstats\n");
            break;
        default:
            check_answered(fd);
        }
        turn(3);
        (void)close(fd);
        turn(3);
    }
    ck_assert_uint_eq(control_stats(control)->clients, 0);
    ck_assert_uint_eq(control_stats(control)->accepted, 500);
    ck_assert_uint_eq(control_stats(control)->overflown, overflown);
    tear_down();
}
END_TEST

START_TEST(more_clients_than_places_are_refused)
{
    enum { TOO_MANY = 3 * CONTROL_CLIENTS_MAX };
    int fds[TOO_MANY];
    char text[64];

    set_up();
    for (int i = 0; i < TOO_MANY; i++)
        fds[i] = client_connect(); /* and says nothing */
    ck_assert_uint_eq(control_stats(control)->clients, CONTROL_CLIENTS_MAX);
    ck_assert_uint_eq(control_stats(control)->refused, TOO_MANY - CONTROL_CLIENTS_MAX);
    ck_assert_int_eq(hear(fds[TOO_MANY - 1], text, sizeof text), 0);
    check_answered(fds[0]);
    for (int i = 0; i < TOO_MANY; i++)
        (void)close(fds[i]);
    turn(3);
    int fd = client_connect();
    check_answered(fd);
    (void)close(fd);
    tear_down();
}
END_TEST

START_TEST(a_dead_socket_is_replaced_a_live_one_is_not)
{
    struct control *second;
    struct error err = {0};
    char copy[80];

    set_up();
    struct control_options options = options_here();
    ck_assert_int_eq(control_open(&second, &options, &err), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    (void)snprintf(copy, sizeof copy, "%s.dead", path);
    ck_assert_int_eq(link(path, copy), 0);
    control_close(control);
    ck_assert_int_eq(rename(copy, path), 0); /* as a killed daemon leaves it */
    ck_assert_int_eq(control_open(&control, &options, &err), 0);
    int fd = client_connect();
    check_answered(fd);
    (void)close(fd);
    tear_down();
}
END_TEST

/* As a service manager hands it over: listening, and blocking. */
START_TEST(an_inherited_socket_does_not_hold_the_loop)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int inherited = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(path, sizeof path, "/tmp/test_control.%d.inherited", (int)getpid());
    strcpy(address.sun_path, path);
    ck_assert_int_eq(bind(inherited, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(inherited, 5), 0);
    base = event_base_new();
    struct control_options options = options_here();
    options.inherited = inherited;
    ck_assert_int_eq(control_open(&control, &options, NULL), 0);
    (void)alarm(10); /* the end of a loop that is held */
    int fd = client_connect();
    check_answered(fd);
    (void)alarm(0);
    (void)close(fd);
    control_close(control);
    event_base_free(base);
    ck_assert_int_eq(access(path, F_OK), 0); /* it is not the daemon's to remove */
    (void)unlink(path);
}
END_TEST

START_TEST(what_cannot_be_opened_is_named)
{
    struct control *none;
    struct error err = {0};

    set_up();
    struct control_options options = options_here();
    options.path = "/nonexistent/folder/socket";
    ck_assert_int_eq(control_open(&none, &options, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, options.path));
    options.path = "/tmp/test_control.group.sock";
    options.group = "no-such-group-here";
    ck_assert_int_eq(control_open(&none, &options, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, options.group));
    (void)unlink(options.path);
    tear_down();
}
END_TEST

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    return UNIT_RUN("control", one_line_asks_one_line_answers, watchers_get_what_is_published,
                    a_watcher_that_does_not_read_is_cut_off, who_asks_faster_than_he_reads_waits,
                    garbage_floods_and_vanishing_cost_nothing, more_clients_than_places_are_refused,
                    a_dead_socket_is_replaced_a_live_one_is_not, an_inherited_socket_does_not_hold_the_loop,
                    what_cannot_be_opened_is_named);
}
