#include "daemon/config_schema.h"

#include "daemon/config.h"
#include "flowtrack/record.h"

#define MILLISECOND INT64_C(1000)
#define SECOND (1000 * MILLISECOND)
#define DAY (86400 * SECOND)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

const char *const config_rules_names[] = {"flowclassd", "joy", NULL};

static const char *const engine_names[] = {"auto", "cpu", "cuda", NULL};

/* clang-format off */
#define TEXT        {CONFIG_TEXT,   0,   0,   NULL}
#define FLAG        {CONFIG_FLAG,   0,   0,   NULL}
#define COUNT(a, b) {CONFIG_COUNT,  (a), (b), NULL}
#define SIZE(a, b)  {CONFIG_SIZE,   (a), (b), NULL}
#define TIME(a, b)  {CONFIG_TIME,   (a), (b), NULL}
#define SHARE       {CONFIG_SHARE,  0,   0,   NULL}
#define CHOICE(c)   {CONFIG_CHOICE, 0,   0,   (c)}

#define KEY(section, name, domain, standard, meaning) \
    {#section, #name, domain, offsetof(struct config, section.name), standard, meaning}

const struct config_key config_keys[] = {
    KEY(flows, rules, CHOICE(config_rules_names), "flowclassd",
        "how packets become records: flowclassd, or joy (exactly Cisco Joy 4.5.0)"),
    KEY(flows, idle_timeout, TIME(MILLISECOND, DAY), "10s",
        "a flow without a packet for so long has ended"),
    KEY(flows, active_timeout, TIME(MILLISECOND, DAY), "30s",
        "a flow open for so long is written, and goes on as a new one"),
    KEY(flows, packets, COUNT(1, RECORD_SIDE_PACKETS_MAX), "50",
        "packets listed for each direction of a flow"),
    KEY(flows, ids, COUNT(0, RECORD_IDS_MAX), "50",
        "IP identifications listed for each direction"),
    KEY(flows, max_flows, COUNT(16, 100000000), "2000000",
        "flows open at once; beyond, the one idle longest ends early"),
    KEY(flows, memory, SIZE(MIB, 1024 * GIB), "1G",
        "memory of the flow table, lists included"),
    KEY(flows, byte_dist, FLAG, "no",
        "count payload octets by value, for records"),

    KEY(classify, model, TEXT, "",
        "model file; empty: the current one, or else the one that came with the program"),
    KEY(classify, engine, CHOICE(engine_names), "auto",
        "auto (GPU if it works), cpu, cuda (GPU or nothing)"),
    KEY(classify, batch, COUNT(1, 65536), "1024",
        "flows that go through the model at once"),
    KEY(classify, delay, TIME(MILLISECOND, 60 * SECOND), "50ms",
        "the longest that a finished flow waits for others"),
    KEY(classify, threshold, SHARE, "0",
        "a verdict less sure than this is \"unknown\"; 0: as the model says"),
    KEY(classify, threads, COUNT(0, 1024), "0",
        "threads of the CPU engine; 0: one for each processor"),
};
/* clang-format on */

_Static_assert(sizeof config_keys / sizeof config_keys[0] <= CONFIG_KEYS_MAX,
               "config.c keeps a line for each");

const size_t config_n_keys = sizeof config_keys / sizeof config_keys[0];
