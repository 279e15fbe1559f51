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

void random_record_even(struct random *random, struct record *record, unsigned packets, unsigned ids)
{
    random_record(random, record, 0);
    record->in.present = record->out.has_ip = record->in.has_ip = true;
    record->out.n_ids = record->in.n_ids = (uint8_t)ids;
    for (unsigned i = 0; i < ids; i++) {
        record->ids_out[i] = (uint16_t)random_next(random);
        record->ids_in[i] = (uint16_t)random_next(random);
    }
    random_packets(random, record, packets);
}

void random_records_trial(struct record *records, size_t n)
{
    struct random random = {TRIAL_SEED};

    for (size_t i = 0; i < n; i++)
        random_record(&random, &records[i], i == 0 ? 0 : i % 2 == 0 ? 10 : RECORD_PACKETS_MAX);
    if (n > 1)
        random_record_even(&random, &records[1], RECORD_PACKETS_MAX, RECORD_IDS_MAX);
}

void random_values(struct random *random, struct batch *batch)
{
    for (size_t i = 0; i < batch->tree->n_elements; i++) {
        const struct element *element = &batch->tree->elements[i];
        const struct layer *first = element->n_layers > 0 ? &element->layers[0] : NULL;
        bool chooses = first != NULL && first->kind == LAYER_EMBEDDING;

        for (size_t k = 0; k < batch->inputs[i].n_rows * element->n_columns; k++)
            batch->inputs[i].values[k] =
                chooses ? (float)random_below(random, first->rows + 1) : (float)(2 * random_unit(random) - 1);
    }
}
