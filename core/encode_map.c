#include "core/encode_map.h"

#include "core/vector.h"

typedef void map_fn(const struct encode_map_context *context, float argument, const float *from, float *to,
                    size_t n);

static void map_log1p(const struct encode_map_context *context, float argument, const float *from, float *to,
                      size_t n)
{
    (void)context;
    (void)argument;
    vector_log1p(from, to, n);
}

VECTOR_CLONES
static void map_scale(const struct encode_map_context *context, float argument, const float *from, float *to,
                      size_t n)
{
    (void)context;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] * argument;
}

VECTOR_CLONES
static void map_divide(const struct encode_map_context *context, float argument, const float *from, float *to,
                       size_t n)
{
    (void)context;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] / argument;
}

VECTOR_CLONES
static void map_min(const struct encode_map_context *context, float argument, const float *from, float *to,
                    size_t n)
{
    (void)context;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] < argument ? from[i] : argument;
}

VECTOR_CLONES
static void map_max(const struct encode_map_context *context, float argument, const float *from, float *to,
                    size_t n)
{
    (void)context;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] > argument ? from[i] : argument;
}

VECTOR_CLONES
static void map_sign(const struct encode_map_context *context, float argument, const float *from, float *to,
                     size_t n)
{
    (void)argument;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] * context->direction[i];
}

static void map_delta(const struct encode_map_context *context, float argument, const float *from, float *to,
                      size_t n)
{
    (void)argument;
    (void)n;
    for (size_t list = 0; list < context->n_lists; list++) {
        for (size_t i = context->first_row[list + 1] - 1; i > context->first_row[list]; i--)
            to[i] = from[i] - from[i - 1];
        to[context->first_row[list]] = 0;
    }
}

static map_fn *const table[MAP_KINDS] = {
    [MAP_LOG1P] = map_log1p, [MAP_SCALE] = map_scale, [MAP_DIVIDE] = map_divide, [MAP_MIN] = map_min,
    [MAP_MAX] = map_max,     [MAP_SIGN] = map_sign,   [MAP_DELTA] = map_delta,
};

void encode_map(const struct map *map, const struct encode_map_context *context, const float *from, float *to,
                size_t n)
{
    table[map->kind](context, map->argument, from, to, n);
}

VECTOR_CLONES
void encode_normalise(const float *from, float *to, size_t n, float mean, float scale, float clip)
{
    for (size_t i = 0; i < n; i++) {
        float y = (from[i] - mean) / scale;

        y = y < clip ? y : clip;
        to[i] = y > -clip ? y : -clip;
    }
}
