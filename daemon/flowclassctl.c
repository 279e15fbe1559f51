/* flowclassctl - asks a running flowclassd, and prints what it says: as text for people, as JSON for
 * programs.
 *
 * Which verbs there are, the daemon knows; this program only knows how to ask and how to show. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "daemon/ctl_client.h"
#include "daemon/ctl_flow.h"
#include "daemon/ctl_text.h"
#include "daemon/ctl_top.h"
#include "daemon/exit_status.h"

enum { ANSWER_MILLISECONDS = 10000, TOP_SECONDS = 2 };

static const char default_socket[] = "/run/flowclassd/control.sock";

static const char usage[] = "usage: flowclassctl [-s SOCKET] [-j] VERB [NAME=VALUE...]\n"
                            "\n"
                            "Ask a running flowclassd. Common verbs:\n"
                            "  stats            counters, queues, engine, model\n"
                            "  flows            the latest verdicts; limit=N label=L host=ADDRESS\n"
                            "  top              a screen of labels, hosts and losses; seconds=N screens=N\n"
                            "  watch            verdicts as they are made, until interrupted\n"
                            "  model, models    the model in use; those that are kept\n"
                            "  retrain          train on the archives now\n"
                            "  rollback         go back to the model before\n"
                            "  reload           read configuration and model again, reopen logs\n"
                            "  rotate           start new log files\n"
                            "  metrics          figures in OpenMetrics text\n"
                            "  version          of the daemon\n"
                            "  help             what this daemon answers\n"
                            "\n"
                            "  -s, --socket SOCKET   default /run/flowclassd/control.sock\n"
                            "  -j, --json            print the answer as it came\n"
                            "  -h, --help            this text\n"
                            "  -V, --version         the version\n";

struct request {
    const char *socket;
    const char *verb;
    cJSON *arguments; /* NULL: none */
    bool json;
};

/* Add NAME=VALUE; what looks like a number is one. */
static int argument_add(struct request *request, const char *text)
{
    const char *equals = strchr(text, '=');
    char *end;
    char *name;
    cJSON *added;

    if (equals == NULL || equals == text)
        return -EX_USAGE;
    if (request->arguments == NULL)
        request->arguments = cJSON_CreateObject();
    name = strndup(text, (size_t)(equals - text));
    if (name == NULL)
        return -EX_SOFTWARE;
    double number = strtod(equals + 1, &end);
    if (end != equals + 1 && *end == '\0')
        added = cJSON_AddNumberToObject(request->arguments, name, number);
    else
        added = cJSON_AddStringToObject(request->arguments, name, equals + 1);
    free(name);
    return added == NULL ? -EX_SOFTWARE : 0;
}

/* Read the command line. Return: 0; negative: the exit status, message said; 1: done. */
static int request_parse(struct request *request, int argc, char *argv[])
{
    static const struct option names[] = {{"socket", required_argument, NULL, 's'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {0}};
    int option;

    while ((option = getopt_long(argc, argv, "+s:jhV", names, NULL)) != -1) {
        switch (option) {
        case 's':
            request->socket = optarg;
            break;
        case 'j':
            request->json = true;
            break;
        case 'h':
            (void)fputs(usage, stdout);
            return 1;
        case 'V':
            (void)puts("flowclassctl " FLOWCLASSD_VERSION);
            return 1;
        default:
            return -EX_USAGE;
        }
    }
    if (optind == argc) {
        (void)fputs(usage, stderr);
        return -EX_USAGE;
    }
    request->verb = argv[optind++];
    for (; optind < argc; optind++) {
        int result = argument_add(request, argv[optind]);

        if (result < 0) {
            (void)fprintf(stderr, "flowclassctl: \"%s\" is not NAME=VALUE\n", argv[optind]);
            return result;
        }
    }
    return 0;
}

/* A message for people. */
static void message_show(const cJSON *message)
{
    const cJSON *line;

    if (!cJSON_IsArray(message) || !ctl_flow_is(message)) {
        ctl_text_print(stdout, message);
        return;
    }
    ctl_flow_heading(stdout);
    cJSON_ArrayForEach(line, message) ctl_flow_row(stdout, line);
}

/* A line that is no envelope: a verdict of a stream, or text (metrics). */
static void text_show(const struct request *request, const cJSON *value, const char *line, size_t length)
{
    if (!request->json && ctl_flow_is(value)) {
        ctl_flow_row(stdout, value);
        return;
    }
    (void)fwrite(line, 1, length, stdout);
    (void)putchar('\n');
}

/* Print one line of an answer. Return: exit status. */
static int line_show(const struct request *request, const char *line, size_t length)
{
    cJSON *answer = length > 0 && *line == '{' ? cJSON_ParseWithLength(line, length) : NULL;
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "return"));
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(answer, "message");
    int status = EX_OK;

    if (state != NULL && strcmp(state, "OK") != 0)
        status = EX_UNAVAILABLE;
    if (state == NULL || request->json)
        text_show(request, answer, line, length);
    else if (status != EX_OK)
        (void)fprintf(stderr, "flowclassctl: %s: %s\n", request->verb,
                      cJSON_IsString(message) ? message->valuestring : "refused");
    else if (message != NULL)
        message_show(message);
    cJSON_Delete(answer);
    return status;
}

/* Whether more lines follow the one just read: text ends with its mark, a stream never does. */
static bool more_follows(const struct request *request, const char *line, int status)
{
    if (status != EX_OK)
        return false;
    if (strcmp(request->verb, "watch") == 0)
        return true;
    return *line != '{' && strcmp(line, "# EOF") != 0;
}

/* A number among the arguments. */
static unsigned argument_number(const struct request *request, const char *name, unsigned otherwise)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(request->arguments, name);

    return cJSON_IsNumber(number) && number->valueint >= 0 ? (unsigned)number->valueint : otherwise;
}

static int top(const struct request *request, struct error *err)
{
    struct ctl_client *client;
    int result = ctl_client_open(&client, request->socket, err);

    if (result == 0) {
        result = ctl_top_run(client, argument_number(request, "seconds", TOP_SECONDS),
                             argument_number(request, "screens", 0), err);
        ctl_client_close(client);
    }
    return exit_status(result);
}

static int ask(const struct request *request, struct error *err)
{
    struct ctl_client *client;
    const char *line = "";
    size_t length;
    int timeout = ANSWER_MILLISECONDS;
    int status = EX_OK;
    int result = ctl_client_open(&client, request->socket, err);

    if (result < 0)
        return exit_status(result);
    result = ctl_client_ask(client, request->verb, request->arguments, err);
    do {
        if (result == 0)
            result = ctl_client_line(client, timeout, &line, &length, err);
        if (result < 0)
            break;
        status = line_show(request, line, length);
        if (strcmp(request->verb, "watch") == 0) {
            timeout = -1;
            (void)fflush(stdout);
        }
    } while (more_follows(request, line, status));
    ctl_client_close(client);
    return result < 0 ? exit_status(result) : status;
}

int main(int argc, char *argv[])
{
    struct request request = {.socket = default_socket};
    struct error err = {0};
    int result = request_parse(&request, argc, argv);
    int status = result < 0 ? -result : EX_OK;

    if (result == 0) {
        status = strcmp(request.verb, "top") == 0 ? top(&request, &err) : ask(&request, &err);
        if (err.code != 0)
            (void)fprintf(stderr, "flowclassctl: %s\n", err.text);
    }
    cJSON_Delete(request.arguments);
    if (fflush(stdout) != 0 && status == EX_OK)
        status = EX_IOERR;
    return status;
}
