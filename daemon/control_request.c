#include "daemon/control_request.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERB_MAX = 32 };

static const struct control_verb *verb_find(const struct control_verbs *verbs, const char *name)
{
    for (size_t i = 0; i < verbs->n_verbs; i++)
        if (strcmp(verbs->verbs[i].name, name) == 0)
            return &verbs->verbs[i];
    return NULL;
}

static int help_run(const struct control_verbs *verbs, struct control_reply *reply)
{
    reply->message = cJSON_CreateObject();
    for (size_t i = 0; i < verbs->n_verbs; i++)
        if (cJSON_AddStringToObject(reply->message, verbs->verbs[i].name, verbs->verbs[i].help) == NULL)
            return -ENOMEM;
    return 0;
}

static int __attribute__((format(printf, 2, 3))) refuse(struct control_reply *reply, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reply->why, sizeof reply->why, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static int verb_run(const struct control_verbs *verbs, bool privileged, const char *name,
                    const cJSON *arguments, struct control_reply *reply)
{
    const struct control_verb *verb = verb_find(verbs, name);

    if (strcmp(name, "help") == 0 && verb == NULL)
        return help_run(verbs, reply);
    if (verb == NULL)
        return refuse(reply, "no verb \"%s\"; \"help\" lists them", name);
    if (verb->changes && !privileged)
        return refuse(reply, "\"%s\" changes something: only root or the daemon's own user may ask for it",
                      name);
    return verb->run(verbs->context, arguments, reply);
}

/* A request in JSON. */
static int object_run(const struct control_verbs *verbs, bool privileged, const char *line, size_t length,
                      struct control_reply *reply)
{
    cJSON *request = cJSON_ParseWithLength(line, length);
    const cJSON *command = cJSON_GetObjectItemCaseSensitive(request, "command");
    const cJSON *arguments = cJSON_GetObjectItemCaseSensitive(request, "arguments");
    int result = 0;

    if (request == NULL)
        result = refuse(reply, "the request is not JSON");
    else if (command == NULL && cJSON_IsString(cJSON_GetObjectItemCaseSensitive(request, "version")))
        result = 0;
    else if (!cJSON_IsString(command))
        result = refuse(reply, "the request has no string \"command\"");
    else if (arguments != NULL && !cJSON_IsObject(arguments))
        result = refuse(reply, "\"arguments\" is not an object");
    else if (strlen(command->valuestring) >= VERB_MAX)
        result = refuse(reply, "no verb is that long");
    else
        result = verb_run(verbs, privileged, command->valuestring, arguments, reply);
    cJSON_Delete(request);
    return result;
}

/* A bare verb. */
static int word_run(const struct control_verbs *verbs, bool privileged, const char *line, size_t length,
                    struct control_reply *reply)
{
    char name[VERB_MAX];

    if (length >= sizeof name)
        return refuse(reply, "no verb is that long");
    for (size_t i = 0; i < length; i++)
        if (!islower((unsigned char)line[i]) && line[i] != '-')
            return refuse(reply, "a request is one verb, or a JSON object");
    memcpy(name, line, length);
    name[length] = '\0';
    return verb_run(verbs, privileged, name, NULL, reply);
}

/* Put the answer in its envelope. Return: one JSON line, NULL: no memory. */
static char *envelope(int result, struct control_reply *reply)
{
    cJSON *object = cJSON_CreateObject();
    char *text = NULL;
    bool complete;

    complete = cJSON_AddStringToObject(object, "return", result < 0 ? "NOK" : "OK") != NULL;
    if (result < 0) {
        complete = complete && cJSON_AddStringToObject(object, "message", reply->why) != NULL;
    } else if (reply->message != NULL) {
        complete = complete && cJSON_AddItemToObject(object, "message", reply->message);
        if (complete)
            reply->message = NULL;
    }
    if (complete)
        text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    return text;
}

int control_request(const struct control_verbs *verbs, bool privileged, const char *line, size_t length,
                    struct control_answer *answer)
{
    struct control_reply reply = {0};
    char *text;
    int result;

    while (length > 0 && isspace((unsigned char)*line)) {
        line++;
        length--;
    }
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    result = length > 0 && *line == '{' ? object_run(verbs, privileged, line, length, &reply)
                                        : word_run(verbs, privileged, line, length, &reply);
    if (result == -ENOMEM && reply.why[0] == '\0')
        (void)snprintf(reply.why, sizeof reply.why, "no memory");
    if (result >= 0 && reply.text != NULL) {
        text = reply.text;
        length = strlen(text);
    } else {
        free(reply.text);
        text = envelope(result, &reply);
        length = text == NULL ? 0 : strlen(text);
        if (text != NULL)
            text[length++] = '\n'; /* over the NUL: the answer is octets and a length */
    }
    cJSON_Delete(reply.message);
    if (text == NULL)
        return -ENOMEM;
    *answer = (struct control_answer){text, length, result < 0, result >= 0 && reply.watch};
    return 0;
}
