/* Vectors of LANES numbers, and functions of them. See processors.c for what is defined before. */

#define vec NAME(vec)
#define bits NAME(bits)
#define INLINE static inline __attribute__((always_inline)) TARGET

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t bits __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

#define LOAD(place) (*(const vec *)(place))
#define STORE(place, value) (*(vec *)(place) = (value))

/* e^x within 2 units of the last place, for -28 <= x <= 28, and the nearer end of that beyond it:
   so far, products of three such numbers are finite, and sigmoids and tanh are 0 or 1.
   x = n ln 2 + r, so e^x = 2^n e^r, where |r| <= ln(2) / 2; e^r is the polynomial of degree 6 with
   the least relative error there, 2e-9 (by Remez's algorithm). */
INLINE vec NAME(exponential)(vec x)
{
    x = LEAST((vec){0} + 28.0f, GREATEST((vec){0} - 28.0f, x)); /* NaN stays NaN */
    vec shifted = x * 1.44269504f + 12582912.0f; /* 1.5 x 2^23, which leaves no bit for fractions */
    vec r = x - (shifted - 12582912.0f) * 0.693147181f;
    vec series = r * 0.00138368353f + 0.00837482419f;
    series = series * r + 0.0416682251f;
    series = series * r + 0.166664198f;
    series = series * r + 0.499999911f;
    series = series * r + 1.0f;
    series = series * r + 1.0f;
    return (vec)((bits)series + ((bits)shifted << 23)); /* n more in the exponent is times 2^n */
}

INLINE float NAME(sum)(vec x)
{
    float total = 0;
    for (int lane = 0; lane < LANES; lane++)
        total += x[lane];
    return total;
}

/* Two vectors [count], a multiple of LANES, multiplied. */
INLINE float NAME(dot)(const float *a, const float *b, ptrdiff_t count)
{
    vec total = {0};
    for (ptrdiff_t k = 0; k < count; k += LANES)
        total += LOAD(a + k) * LOAD(b + k);
    return NAME(sum)(total);
}
