/* From the states of a batch's reviews to their logits. */

/* The greatest of each feature of states [length, W]. */
INLINE void NAME(maximum)(const float *states, ptrdiff_t length, ptrdiff_t W, float *out)
{
    for (ptrdiff_t k = 0; k < W; k += LANES) {
        vec greatest = LOAD(states + k);
        for (ptrdiff_t token = 1; token < length; token++)
            greatest = GREATEST(LOAD(states + token * W + k), greatest);
        STORE(out + k, greatest);
    }
}

/* The mean of states [length, W], weighted by `weights` [length] or, without them, plain. What a sum
   loses of each term is added to the next one (Kahan): of a thousand states that are alike all lose
   the same, which would be more than 1e-6. */
INLINE void NAME(mean)(const float *states, const float *weights, ptrdiff_t length, ptrdiff_t W,
                       float *out)
{
    double total = (double)length;
    if (weights) {
        total = 0;
        for (ptrdiff_t token = 0; token < length; token++)
            total += weights[token];
    }
    for (ptrdiff_t k = 0; k < W; k += LANES) {
        vec sum = {0}, lost = {0};
        for (ptrdiff_t token = 0; token < length; token++) {
            vec term = (weights ? weights[token] : 1.0f) * LOAD(states + token * W + k) - lost;
            vec longer = sum + term;
            lost = (longer - sum) - term;
            sum = longer;
        }
        STORE(out + k, sum / (float)total);
    }
}

/* How much each of states [length, W] counts: e^(its score less the highest), filled up. */
INLINE void NAME(attend)(const Network *network, const float *states, ptrdiff_t length,
                         float *weights)
{
    float highest = -INFINITY;
    for (ptrdiff_t token = 0; token < length; token++) {
        weights[token] = NAME(dot)(states + token * network->W, network->attention, network->W);
        highest = weights[token] > highest ? weights[token] : highest;
    }
    for (ptrdiff_t token = length; token % LANES; token++)
        weights[token] = highest;
    for (ptrdiff_t token = 0; token < length; token += LANES)
        STORE(weights + token, NAME(exponential)(LOAD(weights + token) - highest));
}

/* One vector of states [length, W]; zeros without a token. */
INLINE void NAME(pool)(const Network *network, const Batch *batch, const float *states,
                       ptrdiff_t length)
{
    const ptrdiff_t W = network->W;
    float *pooled = batch->pooled;
    if (length == 0) {
        memset(pooled, 0, (size_t)(2 * W) * sizeof(float));
        return;
    }
    switch (network->pooling) {
    case MAX:
        NAME(maximum)(states, length, W, pooled);
        break;
    case MEAN:
        NAME(mean)(states, NULL, length, W, pooled);
        break;
    case MAX_MEAN:
        NAME(maximum)(states, length, W, pooled);
        NAME(mean)(states, NULL, length, W, pooled + W);
        break;
    case ATTENTION:
        NAME(attend)(network, states, length, batch->scores);
        NAME(mean)(states, batch->scores, length, W, pooled);
        break;
    }
}

/* The layers one after the other; the states of the last are in `last`, or in what is returned. */
INLINE const float *NAME(run_layers)(const Network *network, const Reviews *reviews,
                                     const Batch *batch)
{
    float *below = NULL, *states = NULL;
    for (ptrdiff_t layer = 0; layer < network->layers; layer++) {
        int are_wanted = layer + 1 < network->layers || network->pooling != LAST;
        states = are_wanted ? batch->states[layer % 2] : NULL;
        for (ptrdiff_t i = 0; i < network->directions; i++) {
            const NAME(Direction) direction = {
                .cell = &network->cells[layer * network->directions + i],
                .table = layer == 0 && network->tables ? network->tables[i] : NULL,
                .below = below,
                .states = states ? states + i * network->H : NULL,
                .last = batch->last + i * network->H,
                .is_backward = i == 1,
            };
            NAME(run_direction)(&direction, network, reviews, batch);
        }
        below = states;
    }
    return states;
}

static TARGET void NAME(classify_batch)(const Network *network, const Reviews *reviews,
                                        const Batch *batch, float *logits)
{
    const ptrdiff_t W = network->W, labels = network->labels;
    const ptrdiff_t width = network->pooling == MAX_MEAN ? 2 * W : W;
    const float *states = NAME(run_layers)(network, reviews, batch);
    for (ptrdiff_t i = 0; i < batch->count; i++) {
        const float *pooled = batch->last + i * W;
        if (states) {
            ptrdiff_t length = LENGTH(reviews, batch->order[i]);
            NAME(pool)(network, batch, states + batch->places[i] * W, length);
            pooled = batch->pooled;
        }
        float *row = logits + batch->order[i] * labels;
        for (ptrdiff_t label = 0; label < labels; label++)
            row[label] = NAME(dot)(pooled, network->head + label * width, width) +
                         network->bias[label];
    }
}
