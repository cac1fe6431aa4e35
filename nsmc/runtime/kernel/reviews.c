/* Puts reviews in order of length and has them computed some at a time. */

#include "network.h"

#include <stdlib.h>
#include <string.h>

/* Reviews computed together: a multiple of 6 and of 8, of enough rows for the product to run well,
   few enough for the cache. */
#define BATCH 120
/* Steps times reviews of a batch: the longer reviews are, the fewer are computed together. */
#define BATCH_TOKENS (1 << 15)

typedef struct {
    ptrdiff_t length, review;
} Entry;

static int compare(const void *first, const void *second)
{
    const Entry *a = first, *b = second;
    if (a->length != b->length)
        return a->length > b->length ? -1 : 1;
    return a->review < b->review ? -1 : 1;
}

/* The reviews' numbers in order of length, the longest first. */
static ptrdiff_t *ordered(const Reviews *reviews)
{
    ptrdiff_t *order = allocate(reviews->count, sizeof *order);
    Entry *entries = allocate(reviews->count, sizeof *entries);
    for (ptrdiff_t i = 0; order && entries && i < reviews->count; i++)
        entries[i] = (Entry){reviews->starts[i + 1] - reviews->starts[i], i};
    if (order && entries) {
        qsort(entries, (size_t)reviews->count, sizeof *entries, compare);
        for (ptrdiff_t i = 0; i < reviews->count; i++)
            order[i] = entries[i].review;
    } else {
        free(order);
        order = NULL;
    }
    free(entries);
    return order;
}

static ptrdiff_t length_of(const Reviews *reviews, ptrdiff_t review)
{
    return reviews->starts[review + 1] - reviews->starts[review];
}

/* How many of the reviews from `order` on are computed together. */
static ptrdiff_t batch_size(const Reviews *reviews, const ptrdiff_t *order, ptrdiff_t left)
{
    ptrdiff_t longest = length_of(reviews, order[0]), most = BATCH;
    if (longest > BATCH_TOKENS / BATCH)
        most = longest > BATCH_TOKENS ? 1 : BATCH_TOKENS / longest;
    return left < most ? left : most;
}

static ptrdiff_t widest(const Network *network)
{
    ptrdiff_t width = 0;
    for (ptrdiff_t i = 0; i < network->layers * network->directions; i++)
        if (network->cells[i].hidden.width > width)
            width = network->cells[i].hidden.width;
    return width;
}

static void drop_batch(Batch *batch)
{
    free(batch->places);
    free(batch->states[0]);
    free(batch->states[1]);
    free(batch->embedded);
    free(batch->last);
    free(batch->memory);
    free(batch->inputs);
    free(batch->products);
    free(batch->pooled);
    free(batch->scores);
}

/* Memory for any batch of these reviews. 0 where there is none. */
static int make_batch(const Network *network, const Reviews *reviews, const ptrdiff_t *order,
                      Batch *batch)
{
    ptrdiff_t longest = length_of(reviews, order[0]), tokens = 0, count = 0;
    for (ptrdiff_t start = 0, size; start < reviews->count; start += size) {
        ptrdiff_t of_this = 0;
        size = batch_size(reviews, order + start, reviews->count - start);
        for (ptrdiff_t i = start; i < start + size; i++)
            of_this += length_of(reviews, order[i]);
        tokens = of_this > tokens ? of_this : tokens;
        count = size > count ? size : count;
    }
    ptrdiff_t W = network->W, rows = count < BLOCK_MOST ? count : BLOCK_MOST;
    int is_half = network->half_embedding && !network->tables;
    int has_states = network->layers > 1 || network->pooling != LAST;
    if (tokens > PTRDIFF_MAX / W)
        return 0;
    *batch = (Batch){
        .places = allocate(count, sizeof(ptrdiff_t)),
        .states = {has_states ? allocate(tokens * W, sizeof(float)) : NULL,
                   network->layers > 1 ? allocate(tokens * W, sizeof(float)) : NULL},
        .embedded = is_half ? allocate(BLOCK_MOST * network->embedding_dim, sizeof(float)) : NULL,
        .last = allocate(count * W, sizeof(float)),
        .memory = network->is_lstm ? allocate(count * network->H, sizeof(float)) : NULL,
        .inputs = allocate(rows * widest(network), sizeof(float)),
        .products = allocate(rows * widest(network), sizeof(float)),
        .pooled = has_states ? allocate(2 * W, sizeof(float)) : NULL,
        .scores = has_states ? allocate(longest + LANES_MOST, sizeof(float)) : NULL,
    };
    return batch->places && batch->last && batch->inputs && batch->products &&
           (batch->embedded || !is_half) && (batch->memory || !network->is_lstm) &&
           (batch->states[1] || network->layers == 1) &&
           ((batch->states[0] && batch->pooled && batch->scores) || !has_states);
}

int classify(const Network *network, const Reviews *reviews, float *logits)
{
    if (reviews->count == 0)
        return 1;
    ptrdiff_t *order = ordered(reviews);
    Batch batch = {0};
    int good = order && make_batch(network, reviews, order, &batch);
    for (ptrdiff_t start = 0; good && start < reviews->count; start += batch.count) {
        ptrdiff_t tokens = 0;
        batch.order = order + start;
        batch.count = batch_size(reviews, batch.order, reviews->count - start);
        for (ptrdiff_t i = 0; i < batch.count; i++) {
            batch.places[i] = tokens;
            tokens += length_of(reviews, batch.order[i]);
        }
        classify_batch(network, reviews, &batch, logits);
    }
    drop_batch(&batch);
    free(order);
    return good;
}
