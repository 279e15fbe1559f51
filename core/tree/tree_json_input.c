#include "core/tree/tree_json_parts.h"

#include <math.h>
#include <stdlib.h>

/* A map: "log1p", or {"scale": 0.5}. */
static int parse_map(const struct json_at *at, const cJSON *value, enum field_scope scope, struct map *map)
{
    const cJSON *argument = cJSON_IsObject(value) ? value->child : NULL;
    const char *name = argument != NULL ? argument->string : value->valuestring;
    int kind, r = 0;

    if ((argument == NULL && !cJSON_IsString(value)) || (argument != NULL && argument->next != NULL))
        return json_refuse(at, "a map is a name, or an object with one key");
    kind = map_find(name);
    if (kind < 0)
        return json_refuse(at, "unknown map \"%.64s\"", name);
    if (map_takes_argument((enum map_kind)kind) != (argument != NULL))
        return json_refuse(at, argument != NULL ? "map \"%s\" takes no number" : "map \"%s\" takes a number",
                           name);
    if (!map_allowed((enum map_kind)kind, scope))
        return json_refuse(at, "map \"%s\" means nothing in a %s", name, field_scope_name(scope));
    *map = (struct map){.kind = (enum map_kind)kind};
    if (argument != NULL)
        r = json_float(at, argument, &map->argument);
    if (r == 0 && kind == MAP_DIVIDE && map->argument == 0)
        return json_refuse(at, "division by 0");
    return r;
}

static int parse_maps(const struct json_at *at, const cJSON *value, enum field_scope scope,
                      struct column *column)
{
    const cJSON *item;

    if (!cJSON_IsArray(value))
        return json_refuse(at, "not an array");
    cJSON_ArrayForEach(item, value)
    {
        struct json_at here = json_at_index(at, column->n_maps);
        int r;

        if (column->n_maps == COLUMN_MAPS_MAX)
            return json_refuse(at, "more than %d maps", COLUMN_MAPS_MAX);
        r = parse_map(&here, item, scope, &column->maps[column->n_maps]);
        if (r < 0)
            return r;
        column->n_maps++;
    }
    return 0;
}

/* A column: "b", or {"field": "b", "map": [...]}. */
static int parse_column(const struct json_at *at, const cJSON *value, enum field_scope scope,
                        struct column *column)
{
    static const char *const keys[] = {"field", "map", NULL};
    const cJSON *name = value, *maps = NULL;
    int field;

    *column = (struct column){0};
    if (cJSON_IsObject(value)) {
        int r = json_object(at, value, keys);

        if (r < 0)
            return r;
        name = json_member(value, "field");
        maps = json_member(value, "map");
    }
    if (!cJSON_IsString(name))
        return json_refuse(at, "a column is the name of a field, or an object with \"field\"");
    field = field_find(scope, name->valuestring);
    if (field < 0)
        return json_refuse(at, "a %s has no field \"%.64s\"", field_scope_name(scope), name->valuestring);
    column->field = (uint16_t)field;
    if (maps != NULL) {
        struct json_at here = json_at_key(at, "map");

        return parse_maps(&here, maps, scope, column);
    }
    return 0;
}

static int parse_select(const struct json_at *at, const cJSON *value, struct element *element)
{
    const cJSON *item;
    size_t n;

    if (!cJSON_IsArray(value))
        return json_refuse(at, "not an array");
    n = (size_t)cJSON_GetArraySize(value);
    if (n < 1 || n > TREE_WIDTH_MAX)
        return json_refuse(at, "%zu columns, not within 1..%d", n, TREE_WIDTH_MAX);
    element->columns = calloc(n, sizeof *element->columns);
    if (element->columns == NULL)
        return tree_json_out_of_memory(at);
    cJSON_ArrayForEach(item, value)
    {
        struct json_at here = json_at_index(at, element->n_columns);
        int r = parse_column(&here, item, element->scope, &element->columns[element->n_columns]);

        if (r < 0)
            return r;
        element->n_columns++;
    }
    return 0;
}

/* `each`, `first`, `flatten`: which list, and how much of it. */
static int parse_list(const struct json_at *at, const cJSON *input, enum field_scope scope,
                      struct element *element)
{
    const cJSON *each = json_member(input, "each"), *first = json_member(input, "first");
    const cJSON *flatten = json_member(input, "flatten");
    struct json_at here;
    int list, r = 0;

    if (each == NULL)
        return first == NULL && flatten == NULL
                   ? 0
                   : json_refuse(at, "\"%s\" needs \"each\"", first != NULL ? "first" : "flatten");
    here = json_at_key(at, "each");
    if (!cJSON_IsString(each))
        return json_refuse(&here, "not a string");
    list = field_list_find(scope, each->valuestring);
    if (list < 0)
        return json_refuse(&here, "a %s has no list \"%.64s\"", field_scope_name(scope), each->valuestring);
    element->is_list = true;
    element->list = (enum field_list)list;
    element->scope = field_list_items(element->list);
    element->first = field_list_max(element->list);
    here = json_at_key(at, "first");
    if (first != NULL)
        r = json_whole(&here, first, 1, element->first, &element->first);
    here = json_at_key(at, "flatten");
    if (r == 0 && flatten != NULL)
        r = json_bool(&here, flatten, &element->flatten);
    if (r == 0 && element->flatten && first == NULL)
        return json_refuse(&here, "needs \"first\": how many items to lay side by side");
    return r;
}

static int parse_standardise(const struct json_at *at, const cJSON *value, struct element *element)
{
    static const char *const keys[] = {"clip", NULL};
    struct json_at here = json_at_key(at, "clip");
    int r = json_object(at, value, keys);
    const cJSON *clip;

    if (r < 0)
        return r;
    if (element->n_columns == 0)
        return json_refuse(at, "there are no columns");
    element->normalise_clip = INFINITY;
    clip = json_member(value, "clip");
    if (clip == NULL)
        return 0;
    r = json_float(&here, clip, &element->normalise_clip);
    if (r == 0 && element->normalise_clip <= 0)
        return json_refuse(&here, "not above 0");
    return r;
}

int tree_json_input(const struct json_at *at, const cJSON *input, struct element *element, bool *standardise)
{
    static const char *const keys[] = {"each", "first", "flatten", "select", "standardise", NULL};
    struct json_at here;
    const cJSON *value;
    int number, r = json_object(at, input, keys);

    if (r == 0)
        r = parse_list(at, input, element->scope, element);
    if (r < 0)
        return r;
    value = json_member(input, "select");
    number = element->is_list ? field_list_number(element->list) : -1;
    if (value != NULL) {
        here = json_at_key(at, "select");
        r = parse_select(&here, value, element);
    } else if (number >= 0) {
        element->columns = calloc(1, sizeof *element->columns);
        if (element->columns == NULL)
            return tree_json_out_of_memory(at);
        element->columns[0].field = (uint16_t)number;
        element->n_columns = 1;
    }
    value = json_member(input, "standardise");
    if (r == 0 && value != NULL) {
        here = json_at_key(at, "standardise");
        *standardise = true;
        r = parse_standardise(&here, value, element);
    }
    return r;
}
