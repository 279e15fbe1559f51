#include "daemon/config_schema.h"

#include "daemon/config.h"
#include "daemon/live.h"
#include "daemon/paths.h"
#include "flowtrack/record.h"

#define MILLISECOND INT64_C(1000)
#define SECOND (1000 * MILLISECOND)
#define DAY (86400 * SECOND)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

const char *const config_rules_names[] = {"flowclassd", "joy", NULL};

static const char *const seccomp_names[] = {"off", "log", "kill", NULL};

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
    {#section, #name, domain, offsetof(struct config, section.name), standard, meaning, false, #section "." #name}
#define RELOAD(section, name, domain, standard, meaning) \
    {#section, #name, domain, offsetof(struct config, section.name), standard, meaning " [reload]", true, #section "." #name}

const struct config_key config_keys[] = {
    KEY(capture, interface, TEXT, "",
        "where packets come from: one or more interfaces, separated by blanks"),
    KEY(capture, filter, TEXT, "",
        "BPF expression; empty: every packet"),
    KEY(capture, snaplen, COUNT(96, 262144), "512",
        "octets of a packet that are captured; sizes come from its headers all the same"),
    KEY(capture, buffer, SIZE(MIB, GIB), "64M",
        "ring of the kernel, for each interface"),
    KEY(capture, promiscuous, FLAG, "yes",
        "also packets that are not for this machine"),
    KEY(capture, workers, COUNT(1, LIVE_WORKERS_MAX), "1",
        "threads that read each interface; buffer, max_flows and memory are shared out among them"),

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
    KEY(flows, memory, SIZE(4 * MIB, 1024 * GIB), "1G",
        "memory of the flow table, lists included; no more than the service may use (MemoryMax=)"),
    KEY(flows, byte_dist, FLAG, "no",
        "count payload octets by value, for records"),

    RELOAD(classify, model, TEXT, "",
        "model file; empty: the current one, or else the one that came with the program"),
    KEY(classify, engine, CHOICE(engine_names), "auto",
        "auto (GPU if it works), cpu, cuda (GPU or nothing)"),
    KEY(classify, module, TEXT, "",
        "file of the GPU engine, a module; empty: the one that came with the program"),
    KEY(classify, retry, TIME(MILLISECOND, DAY), "1m",
        "how long a GPU that has failed is left alone before it is tried again"),
    KEY(classify, batch, COUNT(1, 65536), "1024",
        "flows that go through the model at once"),
    KEY(classify, delay, TIME(MILLISECOND, 60 * SECOND), "50ms",
        "the longest that a finished flow waits for others"),
    KEY(classify, queue, COUNT(2, 4096), "64",
        "batches that may wait for the model, and as many for the disk"),
    RELOAD(classify, threshold, SHARE, "0",
        "a verdict less sure than this is \"unknown\"; 0: as the model says"),
    KEY(classify, threads, COUNT(0, 1024), "0",
        "threads of the CPU engine; 0: one for each processor"),

    KEY(log, verdicts, TEXT, PATHS_LOG,
        "file of the verdicts of live traffic; - is standard output; journal; none"),
    KEY(log, rotate, SIZE(0, 1024 * GIB), "256M",
        "a file of this size is finished; 0: no limit but the quota's"),
    KEY(log, period, TIME(0, 366 * DAY), "1d",
        "and one of this age; 0: no limit"),
    KEY(log, quota, SIZE(0, 1024 * GIB), "4G",
        "all files together; the oldest are removed; 0: no limit"),

    KEY(archive, directory, TEXT, "",
        "folder for archives of live records, for --train; empty: none"),
    KEY(archive, label, TEXT, "",
        "folder in it, when all traffic is of one label; empty: none"),
    KEY(archive, rotate, SIZE(0, 1024 * GIB), "64M",
        "as for the log"),
    KEY(archive, period, TIME(0, 366 * DAY), "1h",
        "as for the log"),
    KEY(archive, quota, SIZE(0, 1024 * GIB), "10G",
        "as for the log"),

    KEY(retrain, store, TEXT, PATHS_MODELS,
        "folder of the models that were trained here; the link \"current\" in it is the one in use"),
    KEY(retrain, directories, TEXT, "",
        "folders of labelled archives to learn from, separated by blanks; empty: no retraining"),
    KEY(retrain, tree, TEXT, "",
        "tree to learn; empty: the one that came with the program"),
    KEY(retrain, interval, TIME(0, 366 * DAY), "0",
        "how often; 0: on request only"),
    KEY(retrain, min_flows, COUNT(0, 1000000000), "500",
        "a model that learnt from fewer flows is refused"),
    KEY(retrain, holdout, SHARE, "0.25",
        "share of the captures on which the new and the current model are compared"),
    KEY(retrain, keep, COUNT(0, 200), "5",
        "earlier models that are kept, for rollback"),

    KEY(control, socket, TEXT, PATHS_SOCKET,
        "where flowclassctl asks; empty: nowhere"),
    KEY(control, group, TEXT, "",
        "group that may ask; empty: that of the process"),
    RELOAD(control, metrics_file, TEXT, "",
        "file with OpenMetrics text, replaced every 15 s; empty: none"),

    KEY(sandbox, capabilities, FLAG, "yes",
        "give up every capability but CAP_NET_RAW"),
    KEY(sandbox, files, FLAG, "no",
        "reach no files but those that this configuration names (Landlock)"),
    KEY(sandbox, system_calls, CHOICE(seccomp_names), "off",
        "what becomes of a system call that the daemon has no use for: off, log, kill (seccomp)"),
};
/* clang-format on */

_Static_assert(sizeof config_keys / sizeof config_keys[0] <= CONFIG_KEYS_MAX,
               "config.c keeps a line for each");

const size_t config_n_keys = sizeof config_keys / sizeof config_keys[0];
