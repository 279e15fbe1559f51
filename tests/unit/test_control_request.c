#include "daemon/control_request.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static int run_echo(void *context, const cJSON *arguments, struct control_reply *reply)
{
    (void)context;
    if (arguments == NULL)
        return 0;
    reply->message = cJSON_Duplicate(arguments, true);
    return reply->message == NULL ? -ENOMEM : 0;
}

static int run_fail(void *context, const cJSON *arguments, struct control_reply *reply)
{
    (void)arguments;
    (void)snprintf(reply->why, sizeof reply->why, "no %s today", (const char *)context);
    return -EIO;
}

static int run_text(void *context, const cJSON *arguments, struct control_reply *reply)
{
    (void)context;
    (void)arguments;
    reply->text = strdup("a 1\n# EOF\n");
    return reply->text == NULL ? -ENOMEM : 0;
}

static int run_watch(void *context, const cJSON *arguments, struct control_reply *reply)
{
    (void)context;
    (void)arguments;
    reply->watch = true;
    return 0;
}

static const struct control_verb table[] = {
    {"echo", "says it again", false, run_echo}, {"fail", "never works", false, run_fail},
    {"text", "plain text", false, run_text},    {"watch", "a stream", false, run_watch},
    {"change", "privileged", true, run_echo},
};
static char luck[] = "luck";
static const struct control_verbs verbs = {table, sizeof table / sizeof *table, luck};

static const struct {
    const char *line;
    bool privileged;
    bool failed;
    const char *answer;
} cases[] = {
    {"echo", false, false, "{\"return\":\"OK\"}\n"},
    {"  echo \r", false, false, "{\"return\":\"OK\"}\n"},
    {"{\"command\":\"echo\"}", false, false, "{\"return\":\"OK\"}\n"},
    {"{\"command\":\"echo\",\"arguments\":{\"n\":7}}", false, false,
     "{\"return\":\"OK\",\"message\":{\"n\":7}}\n"},
    {"{\"version\":\"0.2\"}", false, false, "{\"return\":\"OK\"}\n"},
    {"text", false, false, "a 1\n# EOF\n"},
    {"fail", false, true, "{\"return\":\"NOK\",\"message\":\"no luck today\"}\n"},
    {"change", true, false, "{\"return\":\"OK\"}\n"},
    {"change", false, true,
     "{\"return\":\"NOK\",\"message\":\"\\\"change\\\" changes something: only root or the daemon's own user "
     "may ask for it\"}\n"},
    {"nothing", false, true,
     "{\"return\":\"NOK\",\"message\":\"no verb \\\"nothing\\\"; \\\"help\\\" lists them\"}\n"},
    {"", false, true, "{\"return\":\"NOK\",\"message\":\"no verb \\\"\\\"; \\\"help\\\" lists them\"}\n"},
    {"two words", false, true,
     "{\"return\":\"NOK\",\"message\":\"a request is one verb, or a JSON object\"}\n"},
    {"\xff\x01", false, true,
     "{\"return\":\"NOK\",\"message\":\"a request is one verb, or a JSON object\"}\n"},
    {"{\"command\":", false, true, "{\"return\":\"NOK\",\"message\":\"the request is not JSON\"}\n"},
    {"{}", false, true, "{\"return\":\"NOK\",\"message\":\"the request has no string \\\"command\\\"\"}\n"},
    {"{\"command\":7}", false, true,
     "{\"return\":\"NOK\",\"message\":\"the request has no string \\\"command\\\"\"}\n"},
    {"{\"command\":\"echo\",\"arguments\":[1]}", false, true,
     "{\"return\":\"NOK\",\"message\":\"\\\"arguments\\\" is not an object\"}\n"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, true,
     "{\"return\":\"NOK\",\"message\":\"no verb is that long\"}\n"},
};

START_TEST(requests_get_their_answers)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct control_answer answer;

        ck_assert_int_eq(
            control_request(&verbs, cases[i].privileged, cases[i].line, strlen(cases[i].line), &answer), 0);
        ck_assert_msg(answer.length == strlen(cases[i].answer) &&
                          memcmp(answer.text, cases[i].answer, answer.length) == 0,
                      "%s: %.*s", cases[i].line, (int)answer.length, answer.text);
        ck_assert(answer.failed == cases[i].failed);
        ck_assert(!answer.watch);
        free(answer.text);
    }
}
END_TEST

START_TEST(watching_is_asked_for)
{
    struct control_answer answer;

    ck_assert_int_eq(control_request(&verbs, false, "watch", 5, &answer), 0);
    ck_assert(answer.watch);
    free(answer.text);
}
END_TEST

START_TEST(help_lists_every_verb)
{
    struct control_answer answer;

    ck_assert_int_eq(control_request(&verbs, false, "help", 4, &answer), 0);
    cJSON *reply = cJSON_ParseWithLength(answer.text, answer.length);
    const cJSON *message = cJSON_GetObjectItem(reply, "message");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_str_eq(cJSON_GetObjectItem(message, table[i].name)->valuestring, table[i].help);
    cJSON_Delete(reply);
    free(answer.text);
}
END_TEST

int main(void)
{
    return UNIT_RUN("control_request", requests_get_their_answers, watching_is_asked_for,
                    help_lists_every_verb);
}
