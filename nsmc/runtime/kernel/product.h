/* Rows times a weight, with the sums in registers. Each sum adds its terms in the same order in
   whatever company and vectors it is computed, so that on one processor a review has the same bits
   alone and among others. */

/* rows [rows, D] times `columns` vectors of a panel into out [rows, width]. */
INLINE void NAME(product_block)(const int rows, const int columns, const int is_half,
                                const float *const *in, const void *panel, ptrdiff_t depth,
                                float *out, ptrdiff_t width)
{
    const float *full = panel;
    const uint16_t *half = panel;
    vec sum[rows * columns], weight[columns];
    for (int i = 0; i < rows * columns; i++)
        sum[i] = (vec){0};
    for (ptrdiff_t k = 0; k < depth; k++) {
        for (int column = 0; column < columns; column++)
            weight[column] = is_half ? (vec)WIDENED(half + k * PANEL + LANES * column)
                                     : LOAD(full + k * PANEL + LANES * column);
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                sum[row * columns + column] += in[row][k] * weight[column];
    }
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            STORE(out + row * width + LANES * column, sum[row * columns + column]);
}

/* rows [rows, D] times a weight into out [rows, width]. Panels that were read last by one call are
   read first by the next, which goes the other way: one of them is still in the nearest cache. */
INLINE void NAME(product_rows)(const int rows, const int columns, const int is_half,
                               const float *const *in, const Matrix *weight, float *out,
                               int is_backward)
{
    ptrdiff_t depth = weight->depth, width = weight->width, size = is_half ? 2 : 4;
    const char *panels = is_half ? (const char *)weight->half : (const char *)weight->full;
    for (ptrdiff_t i = 0; i < width; i += PANEL) {
        ptrdiff_t start = is_backward ? width - PANEL - i : i;
        for (int place = 0; place < PANEL; place += LANES * columns)
            NAME(product_block)(rows, columns, is_half, in,
                                panels + (start * depth + place) * size, depth,
                                out + start + place, width);
    }
}

/* Of one row, by float16 weights. */
static TARGET void NAME(product_half)(const float *const *in, const Matrix *weight, float *out,
                                      int is_backward)
{
    NAME(product_rows)(1, PANEL / LANES < 8 ? PANEL / LANES : 8, 1, in, weight, out, is_backward);
}

static TARGET void NAME(product)(int rows, const float *const *in, const Matrix *weight,
                                 float *out, int is_backward)
{
#define CASE(n, columns) \
    case n: NAME(product_rows)(n, columns, 0, in, weight, out, is_backward); break;
    if (rows == 1 && weight->half)
        HALF_PRODUCT(in, weight, out, is_backward);
    else
        switch (rows) { EACH_BLOCK(CASE) }
#undef CASE
}

/* What inputs contribute to the gates: in [rows, D] into out [rows, width]. */
INLINE void NAME(project)(const Cell *cell, int rows, const float *const *in, float *out,
                          ptrdiff_t G)
{
    NAME(product)(rows, in, &cell->input, out, 0);
    for (int row = 0; row < rows; row++, out += cell->input.width)
        for (ptrdiff_t k = 0; k < G; k += LANES)
            STORE(out + k, LOAD(out + k) + LOAD(cell->input_bias + k));
}

/* A token's row of the embedding: where it is or, of float16 numbers, in `wide` [E]. */
INLINE const float *NAME(embed)(const Network *network, ptrdiff_t token, float *wide)
{
    const ptrdiff_t E = network->embedding_dim;
    if (!network->half_embedding)
        return network->embedding + token * E;
    const uint16_t *half = network->half_embedding + token * E;
    ptrdiff_t k = 0;
    for (; k + LANES <= E; k += LANES)
        STORE(wide + k, WIDENED(half + k));
    for (; k < E; k++)
        wide[k] = widened(half[k]);
    return wide;
}

/* The inputs of all tokens of the vocabulary. To work on: `embedded` [BLOCK_MOST, E] and `inputs`
   [BLOCK_MOST, width]. */
static TARGET void NAME(fill_table)(const Network *network, const Cell *cell, float *embedded,
                                    float *inputs, float *table)
{
    const ptrdiff_t G = network->G, E = network->embedding_dim;
    for (ptrdiff_t token = 0; token < network->vocabulary; token += BLOCK) {
        ptrdiff_t left = network->vocabulary - token;
        int rows = left < BLOCK ? (int)left : BLOCK;
        const float *in[BLOCK];
        for (int row = 0; row < rows; row++)
            in[row] = NAME(embed)(network, token + row, embedded + row * E);
        NAME(project)(cell, rows, in, inputs, G);
        for (int row = 0; row < rows; row++)
            memcpy(table + (token + row) * G, inputs + row * cell->input.width,
                   (size_t)G * sizeof(float));
    }
}
