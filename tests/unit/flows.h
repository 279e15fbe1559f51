/* flows.h - small labelled data sets in memory, for tests of learning. */
#ifndef TESTS_UNIT_FLOWS_H
#define TESTS_UNIT_FLOWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/learn/dataset.h"
#include "core/random.h"

static inline void *flows_alloc(size_t n, size_t size)
{
    void *memory = calloc(n, size);

    if (memory == NULL)
        abort();
    return memory;
}

/* A record that looks like its label: so many packets of such a size, with some noise. */
static inline struct record *flows_record(uint32_t label, uint64_t number)
{
    struct random random = {.state = number * 31 + label};
    struct record record = {.family = 4, .protocol = label % 2 == 0 ? 6 : 17, .has_ports = true};
    struct record *kept;

    record.source_port = (uint16_t)(40000 + random_below(&random, 1000));
    record.destination_port = (uint16_t)(label % 2 == 0 ? 443 : 80);
    record.time_start = 1500000000000000 + (int64_t)number * 1000000;
    record.time_end = record.time_start + (int64_t)random_below(&random, 5000000);
    record.out = (struct record_side){.present = true, .has_ip = true, .ttl = 64, .n_ids = 3};
    record.in =
        (struct record_side){.present = true, .has_ip = true, .ttl = (uint8_t)(50 + label), .n_ids = 2};
    for (uint8_t i = 0; i < record.out.n_ids; i++)
        record.ids_out[i] = record.ids_in[i] = (uint16_t)random_next(&random);
    record.n_packets = (uint8_t)(4 + label * 3 + random_below(&random, 6));
    for (uint8_t i = 0; i < record.n_packets; i++) {
        bool out = i % (label + 2) == 0;
        uint16_t bytes = (uint16_t)(100 + 400 * label + random_below(&random, 200));
        struct record_side *side = out ? &record.out : &record.in;

        record.packets[i] = (struct record_packet){
            .bytes = bytes, .out = out, .ipt_ms = (uint32_t)random_below(&random, 50 * (label + 1))};
        side->packets++;
        side->bytes += bytes;
    }
    kept = flows_alloc(1, record_size(&record));
    record_copy(kept, &record);
    return kept;
}

/* A data set from counts.
 *
 * labels: (n_labels), "other" last. counts: (n_groups, n_labels) records of each label in each capture.
 */
static inline struct dataset *flows_of_counts(const char *const *labels, size_t n_labels, uint32_t n_groups,
                                              const unsigned *counts)
{
    struct dataset *dataset = flows_alloc(1, sizeof(*dataset));
    size_t n = 0;

    for (size_t i = 0; i < n_groups * n_labels; i++)
        n += counts[i];
    dataset->n_labels = n_labels;
    for (size_t l = 0; l < n_labels; l++)
        snprintf(dataset->labels[l], sizeof(dataset->labels[l]), "%s", labels[l]);
    dataset->n_groups = n_groups;
    dataset->groups = flows_alloc(n_groups, sizeof(*dataset->groups));
    dataset->files = flows_alloc(n_groups * n_labels, sizeof(*dataset->files));
    dataset->records = flows_alloc(n, sizeof(struct record *));
    dataset->label = flows_alloc(n, sizeof(*dataset->label));
    dataset->file = flows_alloc(n, sizeof(*dataset->file));
    for (uint32_t g = 0; g < n_groups; g++) {
        dataset->groups[g] = flows_alloc(16, 1);
        snprintf(dataset->groups[g], 16, "capture-%03u", g);
        for (uint32_t l = 0; l < n_labels; l++) {
            struct dataset_file *file = &dataset->files[dataset->n_files];

            if (counts[g * n_labels + l] == 0)
                continue;
            *file = (struct dataset_file){.label = l, .group = g, .records = counts[g * n_labels + l]};
            file->path = flows_alloc(64, 1);
            snprintf(file->path, 64, "%.30s/%s.json", dataset->labels[l], dataset->groups[g]);
            for (unsigned i = 0; i < file->records; i++) {
                dataset->label[dataset->n] = l;
                dataset->file[dataset->n] = (uint32_t)dataset->n_files;
                dataset->records[dataset->n] = flows_record(l, dataset->n);
                dataset->n++;
            }
            dataset->n_files++;
        }
    }
    memset(dataset->hash, 'a', sizeof(dataset->hash) - 1);
    return dataset;
}

/* The same number of records of every label in each of its own captures. */
static inline struct dataset *flows_even(const char *const *labels, size_t n_labels, uint32_t captures,
                                         unsigned flows)
{
    unsigned *counts = flows_alloc(captures * n_labels * n_labels, sizeof(*counts));
    struct dataset *dataset;

    for (size_t g = 0; g < captures * n_labels; g++)
        counts[g * n_labels + g % n_labels] = flows;
    dataset = flows_of_counts(labels, n_labels, (uint32_t)(captures * n_labels), counts);
    free(counts);
    return dataset;
}

#endif
