/* fuzz_main.c - runs a fuzz target without a fuzzer: every file of its corpus, then mutations of them.
 *
 *     fuzz_NAME [-n MUTATIONS] CORPUS...
 *     fuzz_NAME -x K FILE
 *
 * CORPUS is a file or a folder of files. The first form runs the target on the empty input, on every file,
 * and on MUTATIONS inputs made from the files in turn. Mutation K of a file depends on K and on the file's
 * content alone; when the target dies, the last line says which it was, and the second form writes that input
 * to standard output, to become a file of the corpus.
 *
 * Every input lies in a heap block of exactly its size, so that AddressSanitizer sees the first octet read
 * beyond it. A target (fuzz.h) built with -Dfuzz=true is linked with libFuzzer in place of this
 * file.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

/* Called by a sanitizer's runtime before it ends the process; absent without one. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

enum {
    GROWTH_MAX = 4096, /* octets that a mutation may add */
    EDITS_MAX = 8,     /* edits in one mutation */
};

struct input {
    char *name;
    uint8_t *bytes; /* (size) */
    size_t size;
};

struct corpus {
    struct input *inputs; /* (n_inputs) */
    size_t n_inputs;
};

/* What runs now, for the last words. */
static const char *running_name = "the empty input";
static unsigned long running_mutation;

static void say_what_ran(void)
{
    char line[512];
    int length = snprintf(line, sizeof line, "died on %s, mutation %lu (0: the file itself)\n", running_name,
                          running_mutation);

    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0)
        return;
}

static void die_of_signal(int signal_number)
{
    say_what_ran();
    raise(signal_number); /* the handler is reset: SA_RESETHAND */
}

static void catch_death(void)
{
    static const int signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
    struct sigaction action = {.sa_handler = die_of_signal, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(say_what_ran);
        return;
    }
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)sigaction(signals[i], &action, NULL);
}

/* ---- inputs ---- */

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "%s %s: %s\n", what, name, strerror(errno));
    exit(EXIT_FAILURE);
}

static void *allocate(size_t size)
{
    void *bytes = malloc(size ? size : 1);

    if (!bytes)
        fail("allocate", "an input");
    return bytes;
}

static void corpus_add_file(struct corpus *corpus, const char *name, size_t size)
{
    FILE *file = fopen(name, "rb");
    struct input *input;

    corpus->inputs = realloc(corpus->inputs, (corpus->n_inputs + 1) * sizeof *corpus->inputs);
    if (!corpus->inputs)
        fail("allocate", name);
    input = &corpus->inputs[corpus->n_inputs++];
    *input = (struct input){.name = strdup(name), .bytes = allocate(size), .size = size};
    if (!file || !input->name || fread(input->bytes, 1, size, file) != size)
        fail("read", name);
    (void)fclose(file);
}

static void corpus_add(struct corpus *corpus, const char *name)
{
    struct stat status;
    struct dirent **entries;
    int n_entries;

    if (stat(name, &status) < 0)
        fail("open", name);
    if (!S_ISDIR(status.st_mode)) {
        corpus_add_file(corpus, name, (size_t)status.st_size);
        return;
    }
    n_entries = scandir(name, &entries, NULL, alphasort);
    if (n_entries < 0)
        fail("open", name);
    for (int i = 0; i < n_entries; i++) {
        char path[4096];

        (void)snprintf(path, sizeof path, "%s/%s", name, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            corpus_add(corpus, path);
        free(entries[i]);
    }
    free(entries);
}

static void corpus_deinit(struct corpus *corpus)
{
    for (size_t i = 0; i < corpus->n_inputs; i++) {
        free(corpus->inputs[i].name);
        free(corpus->inputs[i].bytes);
    }
    free(corpus->inputs);
}

/* ---- mutations ---- */

/* One step of a linear congruential generator; the high half of the state is the number (Knuth's MMIX
 * constants). */
static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

static size_t random_below(uint64_t *state, size_t limit)
{
    return limit ? next_random(state) % limit : 0;
}

/* FNV-1a, so that a mutation does not depend on the place of the file. */
static uint64_t hash(const uint8_t *bytes, size_t size)
{
    uint64_t value = 14695981039346656037u;

    for (size_t i = 0; i < size; i++)
        value = (value ^ bytes[i]) * 1099511628211u;
    return value;
}

/* One edit of a buffer of `size` octets with room for `room`. Return: the new size. */
static size_t edit(uint8_t *bytes, size_t size, size_t room, uint64_t *state)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '"', '{', '['};
    size_t at = random_below(state, size);
    size_t length = 1 + random_below(state, 1 + random_below(state, 64));

    if (length > size - at)
        length = size - at;
    switch (size ? next_random(state) % 7 : 5) {
    case 0: /* flip a bit */
        bytes[at] ^= (uint8_t)(1u << random_below(state, 8));
        return size;
    case 1: /* an edge value */
        bytes[at] = edges[random_below(state, sizeof edges)];
        return size;
    case 2: /* a run of one edge value, as lengths and counters have them */
        memset(bytes + at, edges[random_below(state, sizeof edges)], length < 8 ? length : 8);
        return size;
    case 3: /* cut out */
        memmove(bytes + at, bytes + at + length, size - at - length);
        return size - length;
    case 4: /* cut off */
        return at;
    case 5: /* put in, or append to nothing */
        if (length == 0)
            length = 1;
        if (length > room - size)
            return size;
        memmove(bytes + at + length, bytes + at, size - at);
        for (size_t i = 0; i < length; i++)
            bytes[at + i] = (uint8_t)next_random(state);
        return size + length;
    default: /* copy over another place */
        memmove(bytes + random_below(state, size - length + 1), bytes + at, length);
        return size;
    }
}

/* Mutation number `mutation` (from 1) of an input. Return: a new block; *sizep its octets in use. */
static uint8_t *mutate(const struct input *input, unsigned long mutation, size_t *sizep)
{
    uint64_t state = hash(input->bytes, input->size) ^ (mutation * 0x9e3779b97f4a7c15u);
    size_t room = input->size + GROWTH_MAX;
    size_t size = input->size;
    uint8_t *bytes = allocate(room);
    size_t n_edits;

    memcpy(bytes, input->bytes, input->size);
    n_edits = 1 + random_below(&state, EDITS_MAX);
    for (size_t i = 0; i < n_edits; i++)
        size = edit(bytes, size, room, &state);
    *sizep = size;
    return bytes;
}

/* ---- runs ---- */

static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = allocate(size);

    memcpy(exact, bytes, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void run_mutation(const struct input *input, unsigned long mutation)
{
    size_t size;
    uint8_t *bytes = mutate(input, mutation, &size);

    running_name = input->name;
    running_mutation = mutation;
    run(bytes, size);
    free(bytes);
}

static void run_corpus(const struct corpus *corpus, unsigned long n_mutations)
{
    run((const uint8_t *)"", 0);
    for (size_t i = 0; i < corpus->n_inputs; i++) {
        running_name = corpus->inputs[i].name;
        run(corpus->inputs[i].bytes, corpus->inputs[i].size);
    }
    for (unsigned long i = 0; i < n_mutations; i++)
        run_mutation(&corpus->inputs[i % corpus->n_inputs], i / corpus->n_inputs + 1);
    printf("%zu inputs, %lu mutations\n", corpus->n_inputs + 1, n_mutations);
}

static int write_mutation(const struct input *input, unsigned long mutation)
{
    size_t size;
    uint8_t *bytes = mutate(input, mutation, &size);
    bool written = fwrite(bytes, 1, size, stdout) == size;

    free(bytes);
    return written && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct corpus corpus = {0};
    unsigned long n_mutations = 0;
    unsigned long written = 0;
    int status = EXIT_SUCCESS;
    int option;

    while ((option = getopt(argc, argv, "n:x:")) != -1) {
        if (option == '?')
            return EXIT_FAILURE;
        *(option == 'n' ? &n_mutations : &written) = strtoul(optarg, NULL, 10);
    }
    for (int i = optind; i < argc; i++)
        corpus_add(&corpus, argv[i]);
    if (corpus.n_inputs == 0) {
        fprintf(stderr, "%s: no corpus\n", argv[0]);
        return EXIT_FAILURE;
    }
    if (written) {
        status = write_mutation(&corpus.inputs[0], written);
    } else {
        catch_death();
        run_corpus(&corpus, n_mutations);
    }
    corpus_deinit(&corpus);
    return status;
}
