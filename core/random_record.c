#include "core/random_record.h"

enum { TRIAL_SEED = 1 };

static void random_side(struct random *random, struct record_side *side, uint16_t *ids, unsigned max)
{
    side->present = true;
    side->bytes = random_below(random, 1 << 20);
    side->packets = random_below(random, 1000);
    side->has_ip = random_below(random, 5) > 0;
    side->ttl = side->has_ip ? (uint8_t)random_next(random) : 0;
    side->n_ids =
        side->has_ip ? (uint8_t)random_below(random, (max < RECORD_IDS_MAX ? max : RECORD_IDS_MAX) + 1) : 0;
    for (unsigned i = 0; i < side->n_ids; i++)
        ids[i] = (uint16_t)random_next(random);
}

static void random_packets(struct random *random, struct record *record, unsigned n)
{
    record->n_packets = (uint8_t)n;
    for (unsigned i = 0; i < n; i++)
        record->packets[i] = (struct record_packet){.ipt_ms = (uint32_t)random_below(random, 2000),
                                                    .bytes = (uint16_t)random_below(random, 1500),
                                                    .out = (uint8_t)random_below(random, 2)};
}

void random_record(struct random *random, struct record *record, unsigned packets)
{
    *record = (struct record){.family = 4, .protocol = random_below(random, 2) == 0 ? 6 : 17};
    random_side(random, &record->out, record->ids_out, packets);
    if (random_below(random, 4) > 0)
        random_side(random, &record->in, record->ids_in, packets);
    record->time_start = 1500000000000000;
    record->time_end = record->time_start + (int64_t)random_below(random, 30000000);
    random_packets(random, record, (unsigned)random_below(random, packets + 1));
}

/* Every list as long as it can be. */
static void fill(struct random *random, struct record *record)
{
    record->in.present = record->out.has_ip = record->in.has_ip = true;
    record->out.n_ids = record->in.n_ids = RECORD_IDS_MAX;
    for (unsigned i = 0; i < RECORD_IDS_MAX; i++) {
        record->ids_out[i] = (uint16_t)random_next(random);
        record->ids_in[i] = (uint16_t)random_next(random);
    }
    random_packets(random, record, RECORD_PACKETS_MAX);
}

void random_records_trial(struct record *records, size_t n)
{
    struct random random = {TRIAL_SEED};

    for (size_t i = 0; i < n; i++)
        random_record(&random, &records[i], i == 0 ? 0 : i % 2 == 0 ? 10 : RECORD_PACKETS_MAX);
    if (n > 1)
        fill(&random, &records[1]);
}
