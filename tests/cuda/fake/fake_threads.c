/* Running kernels: blocks one after another, the threads of a block by turns.
 *
 * A thread runs until it waits or ends. Threads run on fibers (a stack and a place to go on from). A fiber
 * runs thread after thread as long as none of them waits, so that a kernel that never waits needs one fiber
 * and no switch; when a thread waits, its fiber is left with it, and the processor goes to a thread that may
 * go on, or a free fiber takes the next thread that has not begun. When neither exists, the block is done, or
 * stuck.
 */
#undef _FORTIFY_SOURCE /* which takes a jump to another stack for an accident */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/cuda/fake/fake_parts.h"

#if FAKE_SANITIZED
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define __sanitizer_finish_switch_fiber(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#endif

enum { THREADS_MAX = 1024, STACK_OCTETS = 256 << 10, GUARD_OCTETS = 4096 };

struct fiber {
    ucontext_t context; /* where it begins */
    jmp_buf place;      /* where it goes on, once begun */
    bool begun;
    const void *stack; /* where it ends, and how long it is */
    size_t octets;
    void *shadow; /* of the sanitizer */
    struct fiber *next_free;
};

enum state { FRESH, RUNS, READY, AT_WARP, AT_BARRIER, ENDED };

struct thread {
    enum state state;
    struct fiber *fiber;
    uint32_t mask; /* AT_WARP */
    fake_warp_operation *operation;
    void *argument;
    unsigned barrier; /* AT_BARRIER */
};

static struct {
    const struct fake_launch *launch;
    struct thread threads[THREADS_MAX];
    unsigned n, begun, ended;
    unsigned running;                     /* thread */
    unsigned ready[THREADS_MAX], n_ready; /* last in, first out */
    unsigned arrived[FAKE_BARRIERS], expected[FAKE_BARRIERS];
    void *shared;
} block;

struct fake_position fake_index;

static struct fiber fibers[THREADS_MAX + 1]; /* + 1: all threads wait, and one more looks for work */
static size_t n_fibers;
static struct fiber *free_fibers;
static struct fiber caller = {.begun = true}; /* who runs the kernel */
static struct fiber *current = &caller, *before = &caller;

/* Static shared memory (cuda_kernel.h), by the linker; not there if no kernel has any. */
extern char __start_fake_shared[] __attribute__((weak));
extern char __stop_fake_shared[] __attribute__((weak));

unsigned fake_thread(void)
{
    return block.running;
}

void *fake_shared_memory(void)
{
    return block.shared;
}

/* The first words on a fiber. The caller's stack is learnt when it is left. */
static void landed(void *shadow)
{
    bool left = before == &caller;

    __sanitizer_finish_switch_fiber(shadow, left ? &caller.stack : NULL, left ? &caller.octets : NULL);
}

/* Contexts would do for every switch, but they save and set the signal mask, with a call of the kernel
 * each, and there are millions. */
static void switch_to(struct fiber *to)
{
    struct fiber *from = current;

    if (to == from)
        return;
    before = from;
    current = to;
    __sanitizer_start_switch_fiber(&from->shadow, to->stack, to->octets);
    if (_setjmp(from->place) == 0) {
        if (to->begun)
            _longjmp(to->place, 1);
        to->begun = true;
        (void)setcontext(&to->context);
        fake_die("setcontext() failed");
    }
    landed(current->shadow);
}

static void set_running(unsigned thread)
{
    const struct fake_dim *d = &fake_index.threads;

    block.running = thread;
    block.threads[thread].state = RUNS;
    fake_index.thread = (struct fake_dim){thread % d->x, thread / d->x % d->y, thread / d->x / d->y};
}

static void make_ready(unsigned thread)
{
    block.threads[thread].state = READY;
    block.ready[block.n_ready++] = thread;
}

/* If all lanes of a waiting thread's mask are there, do what they came for; the thread `but` goes on by
 * itself. Return: they are. */
static bool warp_complete(unsigned thread, unsigned but)
{
    unsigned first = thread / FAKE_WARP * FAKE_WARP;
    const struct thread *it = &block.threads[thread];
    void *arguments[FAKE_WARP] = {NULL};
    uint32_t lanes = 0;

    for (unsigned lane = 0; lane < FAKE_WARP && first + lane < block.n; lane++) {
        const struct thread *other = &block.threads[first + lane];

        if ((it->mask >> lane & 1) == 0 || other->state == ENDED)
            continue;
        if (other->state != AT_WARP)
            return false;
        if (other->mask != it->mask || other->operation != it->operation)
            fake_die("lanes %u and %u of a warp come to different operations, or with different masks",
                     thread % FAKE_WARP, lane);
        arguments[lane] = other->argument;
        lanes |= UINT32_C(1) << lane;
    }
    it->operation(lanes, arguments);
    for (unsigned lane = 0; lane < FAKE_WARP; lane++)
        if ((lanes >> lane & 1) != 0 && first + lane != but)
            make_ready(first + lane);
    return true;
}

/* A thread has ended: who waits in its warp may wait for nobody now. */
static void end_thread(unsigned thread)
{
    unsigned first = thread / FAKE_WARP * FAKE_WARP;

    block.threads[thread].state = ENDED;
    block.ended++;
    for (unsigned t = first; t < first + FAKE_WARP && t < block.n; t++)
        if (block.threads[t].state == AT_WARP)
            (void)warp_complete(t, THREADS_MAX);
}

static void run_thread(void)
{
    unsigned thread = fake_setup.backwards ? block.n - 1 - block.begun : block.begun;

    block.begun++;
    block.threads[thread].fiber = current;
    set_running(thread);
    block.launch->run(block.launch->arguments);
    end_thread(thread);
}

static _Noreturn void stuck(void)
{
    unsigned at_warp = 0, at_barrier = 0;

    for (unsigned t = 0; t < block.n; t++) {
        at_warp += block.threads[t].state == AT_WARP;
        at_barrier += block.threads[t].state == AT_BARRIER;
    }
    fake_die(
        "a kernel is stuck: of %u threads %u have ended, %u wait at a barrier, %u for lanes of their warp",
        block.n, block.ended, at_barrier, at_warp);
}

static void work(void);

static void make_fiber(struct fiber *fiber)
{
    unsigned char *stack = mmap(NULL, GUARD_OCTETS + STACK_OCTETS, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (stack == MAP_FAILED || mprotect(stack, GUARD_OCTETS, PROT_NONE) != 0)
        fake_die("no stack for a thread");
    fiber->stack = stack + GUARD_OCTETS;
    fiber->octets = STACK_OCTETS;
    (void)getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = stack + GUARD_OCTETS;
    fiber->context.uc_stack.ss_size = STACK_OCTETS;
    makecontext(&fiber->context, work, 0);
}

static struct fiber *take_fiber(void)
{
    struct fiber *fiber = free_fibers;

    if (fiber != NULL) {
        free_fibers = fiber->next_free;
        return fiber;
    }
    make_fiber(&fibers[n_fibers]);
    return &fibers[n_fibers++];
}

/* Give the processor to whoever can go on; return when it is this fiber's turn. */
static void go_on(void)
{
    if (block.n_ready > 0) {
        unsigned thread = block.ready[--block.n_ready];

        set_running(thread);
        switch_to(block.threads[thread].fiber);
    } else if (block.begun < block.n) {
        switch_to(take_fiber());
    } else if (block.ended == block.n) {
        switch_to(&caller);
    } else {
        stuck();
    }
}

/* What a fiber does, block after block. */
static void work(void)
{
    landed(NULL);
    for (;;) {
        while (block.begun < block.n)
            run_thread();
        current->next_free = free_fibers;
        free_fibers = current;
        go_on();
    }
}

void fake_warp(uint32_t mask, fake_warp_operation *operation, void *argument)
{
    unsigned thread = block.running;
    struct thread *it = &block.threads[thread];

    if ((mask >> thread % FAKE_WARP & 1) == 0)
        fake_die("lane %u comes with mask %#010x, which leaves it out", thread % FAKE_WARP, mask);
    it->state = AT_WARP;
    it->mask = mask;
    it->operation = operation;
    it->argument = argument;
    if (warp_complete(thread, thread))
        it->state = RUNS;
    else
        go_on();
}

/* Count a thread at a barrier. Return: it was the last, and the others may go on. */
static bool arrive(unsigned id, unsigned n)
{
    if (id >= FAKE_BARRIERS || n == 0 || n > block.n)
        fake_die("barrier %u of %u threads in a block of %u", id, n, block.n);
    if (block.arrived[id] > 0 && block.expected[id] != n)
        fake_die("barrier %u: threads expect %u and %u", id, block.expected[id], n);
    block.expected[id] = n;
    if (++block.arrived[id] < n)
        return false;
    block.arrived[id] = 0;
    for (unsigned t = 0; t < block.n; t++)
        if (block.threads[t].state == AT_BARRIER && block.threads[t].barrier == id)
            make_ready(t);
    return true;
}

void fake_barrier(unsigned id, unsigned n)
{
    struct thread *it = &block.threads[block.running];

    if (arrive(id, n))
        return;
    it->state = AT_BARRIER;
    it->barrier = id;
    go_on();
}

void fake_barrier_arrive(unsigned id, unsigned n)
{
    (void)arrive(id, n);
}

static void run_block(const struct fake_launch *launch, struct fake_dim at)
{
    block.n = launch->threads.x * launch->threads.y * launch->threads.z;
    block.begun = block.ended = block.n_ready = 0;
    memset(block.threads, 0, block.n * sizeof *block.threads);
    memset(block.arrived, 0, sizeof block.arrived);
    if (launch->shared > 0)
        memset(block.shared, 0xff, launch->shared);
    if (__start_fake_shared != NULL)
        memset(__start_fake_shared, 0xff, (size_t)(__stop_fake_shared - __start_fake_shared));
    fake_index.block = at;
    switch_to(take_fiber());
    for (unsigned id = 0; id < FAKE_BARRIERS; id++)
        if (block.arrived[id] != 0)
            fake_die("a block ended with %u threads counted at barrier %u", block.arrived[id], id);
}

void fake_threads_run(const struct fake_launch *launch)
{
    if (posix_memalign(&block.shared, 128, launch->shared + (launch->shared == 0)) != 0)
        fake_die("out of memory");
    block.launch = launch;
    fake_index.blocks = launch->blocks;
    fake_index.threads = launch->threads;
    for (unsigned z = 0; z < launch->blocks.z; z++)
        for (unsigned y = 0; y < launch->blocks.y; y++)
            for (unsigned x = 0; x < launch->blocks.x; x++)
                run_block(launch, (struct fake_dim){x, y, z});
    free(block.shared);
    block.shared = NULL;
}

void fake_warp_nothing(uint32_t lanes, void *const *arguments)
{
    (void)lanes;
    (void)arguments;
}

void fake_warp_shuffle(uint32_t lanes, void *const *arguments)
{
    for (unsigned lane = 0; lane < FAKE_WARP; lane++) {
        struct fake_shuffle *to = arguments[lane];

        if ((lanes >> lane & 1) != 0)
            to->taken = (lanes >> to->source % FAKE_WARP & 1) != 0
                            ? ((const struct fake_shuffle *)arguments[to->source % FAKE_WARP])->given
                            : UINT64_MAX;
    }
}

static int64_t reduce(enum fake_reduce operation, int64_t a, int64_t b)
{
    switch (operation) {
    case FAKE_ADD:
        return a + b;
    case FAKE_MIN:
        return a < b ? a : b;
    case FAKE_MAX:
        return a > b ? a : b;
    case FAKE_AND:
        return a & b;
    default:
        return a | b;
    }
}

void fake_warp_reduce(uint32_t lanes, void *const *arguments)
{
    bool first = true;
    int64_t all = 0;

    for (unsigned lane = 0; lane < FAKE_WARP; lane++) {
        const struct fake_reduction *from = arguments[lane];
        int64_t value;

        if ((lanes >> lane & 1) == 0)
            continue;
        value = from->operation == FAKE_BALLOT ? from->given << lane : from->given;
        all = first ? value : reduce(from->operation, all, value);
        first = false;
    }
    for (unsigned lane = 0; lane < FAKE_WARP; lane++)
        if ((lanes >> lane & 1) != 0)
            ((struct fake_reduction *)arguments[lane])->taken = all;
}
