#include "core/json_build.h"

#include <math.h>

cJSON *json_build_add(struct json_build *build, cJSON *parent, const char *key, cJSON *value)
{
    if (key != NULL ? cJSON_AddItemToObject(parent, key, value) : cJSON_AddItemToArray(parent, value))
        return value;
    build->failed = true;
    cJSON_Delete(value);
    return NULL;
}

cJSON *json_build_object(struct json_build *build, cJSON *parent, const char *key)
{
    return json_build_add(build, parent, key, cJSON_CreateObject());
}

cJSON *json_build_array(struct json_build *build, cJSON *parent, const char *key)
{
    return json_build_add(build, parent, key, cJSON_CreateArray());
}

void json_build_text(struct json_build *build, cJSON *parent, const char *key, const char *text)
{
    (void)json_build_add(build, parent, key, cJSON_CreateString(text != NULL ? text : ""));
}

void json_build_number(struct json_build *build, cJSON *parent, const char *key, double number)
{
    (void)json_build_add(build, parent, key,
                         isfinite(number) ? cJSON_CreateNumber(number) : cJSON_CreateNull());
}

void json_build_bool(struct json_build *build, cJSON *parent, const char *key, bool truth)
{
    (void)json_build_add(build, parent, key, cJSON_CreateBool(truth));
}

cJSON *json_build_end(const struct json_build *build, cJSON *root)
{
    if (!build->failed)
        return root;
    cJSON_Delete(root);
    return NULL;
}
