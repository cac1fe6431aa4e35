/* The steps of a layer, as `recurrence` has them in numpy, for several reviews at once. */

#define AT(array, gate) LOAD((array) + (gate) * H + k)

/* Of a GRU: a = h W and x, the inputs, [3 H]; see network.h for what the gates hold.
   r = 1 / (1 + e^-r'), n = tanh(x_n + r (a_n + b)) and h' = n + z (h - n) with one division for
   z and n, of e^-z' and e^2n': (n - 1) / (n + 1) is the tanh. */
INLINE void NAME(gru_step)(const float *a, const float *x, const float *bias, float *h,
                           ptrdiff_t H)
{
    for (ptrdiff_t k = 0; k < H; k += LANES) {
        vec r = NAME(exponential)(AT(a, 0) + AT(x, 0));
        vec z = NAME(exponential)(AT(a, 1) + AT(x, 1));
        vec n = NAME(exponential)(AT(x, 2) + (AT(a, 2) + AT(bias, 0)) / (1.0f + r));
        vec above = (n - 1.0f) * z + AT(h, 0) * (n + 1.0f);
        STORE(h + k, above / ((n + 1.0f) * (z + 1.0f)));
    }
}

/* Of an LSTM: a and x are [4 H], c is the memory [H]. c' = f c + i g and h' = o tanh(c'), with one
   division each. */
INLINE void NAME(lstm_step)(const float *a, const float *x, float *c, float *h, ptrdiff_t H)
{
    for (ptrdiff_t k = 0; k < H; k += LANES) {
        vec i = 1.0f + NAME(exponential)(AT(a, 0) + AT(x, 0)); /* 1 / sigmoid */
        vec f = 1.0f + NAME(exponential)(AT(a, 1) + AT(x, 1));
        vec o = 1.0f + NAME(exponential)(AT(a, 2) + AT(x, 2));
        vec g = NAME(exponential)(AT(a, 3) + AT(x, 3)), both = i * (g + 1.0f);
        vec memory = (AT(c, 0) * both + (g - 1.0f) * f) / (f * both);
        vec e = NAME(exponential)(memory + memory);
        STORE(c + k, memory);
        STORE(h + k, (e - 1.0f) / ((e + 1.0f) * o));
    }
}

/* One direction of a layer. */
typedef struct {
    const Cell *cell;
    const float *table; /* [V, G] of the first layer, or NULL */
    const float *below; /* the states of the layer below [N, W]; NULL at the first */
    float *states;      /* where its own [N, W] are wanted: its columns of them */
    float *last;        /* [B, W] its columns */
    int is_backward;
} NAME(Direction);

/* The inputs [G] of a step's tokens, the first of them review `first`'s; the places of their states
   in `places`. */
INLINE void NAME(look_up)(const NAME(Direction) *direction, const Network *network,
                          const Reviews *reviews, const Batch *batch, const int rows,
                          ptrdiff_t first, ptrdiff_t step, const float **x, ptrdiff_t *places)
{
    const ptrdiff_t G = network->G, E = network->embedding_dim;
    const float *in[BLOCK];
    for (int row = 0; row < rows; row++) {
        ptrdiff_t review = batch->order[first + row], start = reviews->starts[review];
        ptrdiff_t length = reviews->starts[review + 1] - start;
        ptrdiff_t token = direction->is_backward ? length - 1 - step : step;
        places[row] = batch->places[first + row] + token;
        if (direction->table) {
            x[row] = direction->table + reviews->ids[start + token] * G;
            ptrdiff_t next = direction->is_backward ? token - 1 : token + 1;
            if (next >= 0 && next < length) { /* the table is larger than the caches */
                const float *row = direction->table + reviews->ids[start + next] * G;
                for (ptrdiff_t k = 0; k < G; k += 16) /* 64 bytes */
                    __builtin_prefetch(row + k, 0, 2);
            }
        } else if (direction->below) {
            in[row] = direction->below + places[row] * network->W;
        } else {
            in[row] = NAME(embed)(network, reviews->ids[start + token], batch->embedded + row * E);
        }
    }
    if (direction->table)
        return;
    NAME(project)(direction->cell, rows, in, batch->inputs, G);
    for (int row = 0; row < rows; row++)
        x[row] = batch->inputs + row * direction->cell->input.width;
}

static TARGET void NAME(advance)(const NAME(Direction) *direction, const Network *network,
                                 const Reviews *reviews, const Batch *batch, const int rows,
                                 ptrdiff_t first, ptrdiff_t step)
{
    const Cell *cell = direction->cell;
    const ptrdiff_t H = network->H, W = network->W, width = cell->hidden.width;
    const float *x[BLOCK], *in[BLOCK];
    ptrdiff_t places[BLOCK];
    float *a = batch->products;
    NAME(look_up)(direction, network, reviews, batch, rows, first, step, x, places);
    for (int row = 0; row < rows; row++)
        in[row] = direction->last + (first + row) * W;
    if (step > 0)
        NAME(product)(rows, in, &cell->hidden, a, step & 1);
    else /* of a state of zeros */
        memset(a, 0, (size_t)(rows * width) * sizeof(float));
    for (int row = 0; row < rows; row++, a += width) {
        float *h = direction->last + (first + row) * W;
        if (network->is_lstm)
            NAME(lstm_step)(a, x[row], batch->memory + (first + row) * H, h, H);
        else
            NAME(gru_step)(a, x[row], cell->hidden_bias, h, H);
        if (direction->states)
            memcpy(direction->states + places[row] * W, h, (size_t)H * sizeof(float));
    }
}

static TARGET void NAME(run_direction)(const NAME(Direction) *direction, const Network *network,
                                       const Reviews *reviews, const Batch *batch)
{
    ptrdiff_t active = batch->count; /* the first ones: the longest reviews come first */
    for (ptrdiff_t review = 0; review < batch->count; review++)
        memset(direction->last + review * network->W, 0, (size_t)network->H * sizeof(float));
    if (network->is_lstm)
        memset(batch->memory, 0, (size_t)(batch->count * network->H) * sizeof(float));
    for (ptrdiff_t step = 0;; step++) {
        while (active > 0 && LENGTH(reviews, batch->order[active - 1]) <= step)
            active--;
        if (active == 0)
            return;
        for (ptrdiff_t review = 0; review < active; review += BLOCK) {
            ptrdiff_t left = active - review;
            NAME(advance)(direction, network, reviews, batch, left < BLOCK ? (int)left : BLOCK,
                          review, step);
        }
    }
}
