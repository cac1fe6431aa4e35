/* A step of a GRU or an LSTM for each of several reviews: the maths of `recurrence`, in vectors.

   `_kernel.c` includes this file once for each kind of processor, having defined

     LANES    numbers in a vector
     TARGET   the attribute that lets a function use the processor's instructions
     NAME(x)  x with a suffix of its own

   Vectors are those of GCC and Clang. H is a multiple of LANES. */

#define vec NAME(vec)
#define bits NAME(bits)
#define INLINE static inline __attribute__((always_inline)) TARGET

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t bits __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* One of two numbers in each lane; a comparison gives all bits or none of them. */
INLINE vec NAME(chosen)(bits condition, vec yes, vec no)
{
    return (vec)((condition & (bits)yes) | (~condition & (bits)no));
}

/* e^x within 2 units of the last place; x is held where float32 has normal numbers.
   x = n ln 2 + r, so e^x = 2^n e^r, where |r| <= ln(2) / 2 and e^r is its Taylor series. */
INLINE vec NAME(exponential)(vec x)
{
    const vec lowest = (vec){0} - 87.0f, highest = (vec){0} + 88.0f;
    x = NAME(chosen)((bits)(x < lowest), lowest, x);
    x = NAME(chosen)((bits)(x > highest), highest, x);
    vec shifted = x * 1.44269504f + 12582912.0f; /* 1.5 x 2^23, which leaves no bit for fractions */
    vec n = shifted - 12582912.0f;
    vec r = x - n * 0.693359375f + n * 2.12194440e-4f; /* ln 2 in two parts, for accuracy */
    vec series = (vec){0} + 1.0f / 5040;
    series = series * r + 1.0f / 720;
    series = series * r + 1.0f / 120;
    series = series * r + 1.0f / 24;
    series = series * r + 1.0f / 6;
    series = series * r + 0.5f;
    series = series * r + 1.0f;
    series = series * r + 1.0f;
    bits power = ((bits)shifted << 23) + (127u << 23); /* 2^n, put together from its exponent */
    return series * (vec)power;
}

INLINE vec NAME(hyperbolic_tangent)(vec x)
{
    return 1.0f - 2.0f / (1.0f + NAME(exponential)(x + x));
}

/* h [rows, H] times `columns` vectors of a panel [H, PANEL] into out [rows, width], in registers. */
INLINE void NAME(product_block)(const int rows, const int columns, const float *h,
                                const float *panel, float *out, Py_ssize_t H, Py_ssize_t width)
{
    vec sum[rows * columns];
    for (int i = 0; i < rows * columns; i++)
        sum[i] = (vec){0};
    for (Py_ssize_t k = 0; k < H; k++, panel += PANEL)
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                sum[row * columns + column] +=
                    h[row * H + k] * *(const vec *)(panel + LANES * column);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            *(vec *)(out + row * width + LANES * column) = sum[row * columns + column];
}

/* h [rows, H] times weight [P, H, PANEL] into out [rows, P x PANEL]. */
INLINE void NAME(product)(const int rows, const int columns, const float *h, const float *weight,
                          float *out, Py_ssize_t H, Py_ssize_t width)
{
    for (Py_ssize_t start = 0; start < width; start += PANEL, weight += H * PANEL)
        for (int place = 0; place < PANEL; place += LANES * columns)
            NAME(product_block)(rows, columns, h, weight + place, out + start + place, H, width);
}

#define AT(array, gate) (*(const vec *)((array) + (gate) * H + k))

/* Gates r, z, n of a = h W and x [3 H], r and z negated; bias [H] is that which r multiplies. */
INLINE void NAME(gru_step)(const float *a, const float *x, const float *bias, float *h,
                           Py_ssize_t H)
{
    for (Py_ssize_t k = 0; k < H; k += LANES) {
        vec r = 1.0f + NAME(exponential)(AT(a, 0) + AT(x, 0)); /* 1 / sigmoid */
        vec z = 1.0f + NAME(exponential)(AT(a, 1) + AT(x, 1));
        vec n = NAME(hyperbolic_tangent)(AT(x, 2) + (AT(a, 2) + AT(bias, 0)) / r);
        *(vec *)(h + k) = n + (AT(h, 0) - n) / z;
    }
}

/* Gates i, f, o, g of a = h W and x [4 H], the first three negated; c is the memory [H]. */
INLINE void NAME(lstm_step)(const float *a, const float *x, float *c, float *h, Py_ssize_t H)
{
    for (Py_ssize_t k = 0; k < H; k += LANES) {
        vec i = 1.0f + NAME(exponential)(AT(a, 0) + AT(x, 0)); /* 1 / sigmoid */
        vec f = 1.0f + NAME(exponential)(AT(a, 1) + AT(x, 1));
        vec o = 1.0f + NAME(exponential)(AT(a, 2) + AT(x, 2));
        vec g = NAME(hyperbolic_tangent)(AT(a, 3) + AT(x, 3));
        vec memory = AT(c, 0) / f + g / i;
        *(vec *)(c + k) = memory;
        *(vec *)(h + k) = NAME(hyperbolic_tangent)(memory) / o;
    }
}

/* One step of `rows` reviews, the first of them `review`; `token` is the place of its token. */
INLINE void NAME(advance)(const Run *run, const int rows, const int columns, Py_ssize_t review,
                          Py_ssize_t token)
{
    const Py_ssize_t H = run->H;
    float *h = run->state + review * H;
    NAME(product)(rows, columns, h, run->weight, run->product, H, run->width);
    for (int row = 0; row < rows; row++, h += H) {
        const float *a = run->product + row * run->width;
        const float *x = run->inputs + run->source[token + row] * run->G;
        if (run->memory)
            NAME(lstm_step)(a, x, run->memory + (review + row) * H, h, H);
        else
            NAME(gru_step)(a, x, run->bias, h, H);
        if (run->outputs)
            memcpy(run->outputs + run->target[token + row] * H, h, H * sizeof(float));
    }
}

/* Six reviews by two vectors are twelve sums, which with what they are made of fill the sixteen
   registers that most processors have; a review alone takes up to eight. */
static TARGET void NAME(run)(const Run *run)
{
    Py_ssize_t token = 0; /* of the step's first review */
    for (Py_ssize_t t = 0; t < run->steps; token += run->active[t++]) {
        Py_ssize_t review = 0, count = run->active[t];
        for (; review + BLOCK <= count; review += BLOCK)
            NAME(advance)(run, BLOCK, 2, review, token + review);
        for (; review < count; review++)
            NAME(advance)(run, 1, PANEL / LANES < 8 ? PANEL / LANES : 8, review, token + review);
    }
}

#undef AT
#undef INLINE
#undef bits
#undef vec
