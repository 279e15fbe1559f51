/* test_slab.c - blocks do not overlap, pages change their class, the limit holds. */
#include "flowtrack/slab.h"

#include <string.h>

#include "unit.h"

enum { MANY = 4000 };

static bool is_filled(const uint8_t *block, size_t size, uint8_t fill)
{
    for (size_t i = 0; i < size; i++)
        if (block[i] != fill)
            return false;
    return true;
}

START_TEST(blocks_keep_their_content)
{
    struct slab slab;
    static uint32_t blocks[MANY];
    unsigned seed = 1;

    ck_assert_int_eq(slab_init(&slab, 64 * SLAB_PAGE), 0);
    memset(blocks, 0, sizeof(blocks));
    for (int round = 0; round < 20 * MANY; round++) {
        unsigned i = (seed = seed * 1103515245 + 12345) / 65536 % MANY;
        unsigned class = i % SLAB_CLASSES;
        size_t size = slab_class_size(class);
        uint8_t fill = (uint8_t)(i * 7 + 1);

        if (blocks[i] != 0) {
            ck_assert(is_filled(slab_at(&slab, blocks[i]), size, fill));
            slab_free(&slab, blocks[i]);
            blocks[i] = 0;
        } else {
            blocks[i] = slab_alloc(&slab, class);
            if (blocks[i] != 0)
                memset(slab_at(&slab, blocks[i]), fill, size);
        }
    }
    for (int i = 0; i < MANY; i++)
        slab_free(&slab, blocks[i]);
    ck_assert_uint_eq(slab.n_used, 0);
    ck_assert_uint_eq(slab_room(&slab), 64);
    slab_deinit(&slab);
}
END_TEST

START_TEST(pages_serve_another_class_when_they_are_empty)
{
    struct slab slab;
    uint32_t blocks[2 * SLAB_PAGE / 32 + 1]; /* and the refusal */
    unsigned n = 0;

    ck_assert_int_eq(slab_init(&slab, 2 * SLAB_PAGE), 0);
    while ((blocks[n] = slab_alloc(&slab, 0)) != 0)
        n++;
    ck_assert_uint_eq(n, 2 * SLAB_PAGE / 32);
    ck_assert_uint_eq(slab_alloc(&slab, SLAB_CLASSES - 1), 0);
    while (n > 0)
        slab_free(&slab, blocks[--n]);
    blocks[0] = slab_alloc(&slab, SLAB_CLASSES - 1);
    ck_assert_uint_ne(blocks[0], 0);
    slab_free(&slab, blocks[0]);
    slab_deinit(&slab);
}
END_TEST

static bool give_one_back(void *context)
{
    struct slab *slab = *(struct slab **)context;
    uint32_t *block = (uint32_t *)((struct slab **)context + 1);

    slab_free(slab, *block);
    *block = 0;
    return true;
}

START_TEST(a_full_slab_asks_for_room)
{
    struct slab slab;
    struct {
        struct slab *slab;
        uint32_t block;
    } context = {.slab = &slab};
    uint32_t last = 0;
    uint32_t block;

    ck_assert_int_eq(slab_init(&slab, SLAB_PAGE), 0);
    while ((block = slab_alloc(&slab, 1)) != 0)
        last = block;
    context.block = last;
    slab_on_full(&slab, give_one_back, &context);
    ck_assert_uint_eq(slab_alloc(&slab, 1), last);
    ck_assert_uint_eq(context.block, 0);
    slab_deinit(&slab);
}
END_TEST

START_TEST(a_lower_limit_holds_for_new_pages)
{
    struct slab slab;
    uint32_t first;

    ck_assert_int_eq(slab_init(&slab, 4 * SLAB_PAGE), 0);
    first = slab_alloc(&slab, 0);
    ck_assert_uint_ne(first, 0);
    slab_set_limit(&slab, SLAB_PAGE);
    ck_assert_uint_eq(slab_alloc(&slab, 1), 0);
    ck_assert_uint_ne(slab_alloc(&slab, 0), 0);
    slab_set_limit(&slab, 2 * SLAB_PAGE);
    ck_assert_uint_ne(slab_alloc(&slab, 1), 0);
    slab_clear(&slab);
    ck_assert_uint_eq(slab_room(&slab), 2);
    slab_deinit(&slab);
}
END_TEST

START_TEST(sizes_beyond_the_classes_are_refused)
{
    struct slab slab;

    ck_assert_uint_eq(slab_class_for(1), 0);
    ck_assert_uint_eq(slab_class_for(33), 1);
    ck_assert_uint_eq(slab_class_for(1 << 20), SLAB_CLASSES);
    ck_assert_int_lt(slab_init(&slab, 0), 0);
    ck_assert_int_eq(slab_init(&slab, UINT64_C(1) << 40), 0); /* as much as handles can name */
    ck_assert_uint_lt((uint64_t)slab.n_pages * (SLAB_PAGE / SLAB_UNIT), UINT32_MAX);
    ck_assert_uint_gt((uint64_t)slab.n_pages * SLAB_PAGE, UINT64_C(127) << 30);
    slab_deinit(&slab);
}
END_TEST

int main(void)
{
    return UNIT_RUN("slab", blocks_keep_their_content, pages_serve_another_class_when_they_are_empty,
                    a_full_slab_asks_for_room, a_lower_limit_holds_for_new_pages,
                    sizes_beyond_the_classes_are_refused);
}
