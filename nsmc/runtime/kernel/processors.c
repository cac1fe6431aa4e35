/* The maths, compiled for each kind of processor; which one it is, is seen when it runs.

   Before the files of the maths are included, there are defined

     LANES            numbers in a vector
     TARGET           the attribute that lets a function use the processor's instructions
     NAME(x)          x with a suffix of its own
     BLOCK            the most reviews whose sums have room in the registers
     EACH_BLOCK(c)    c(rows, columns) for each number of reviews up to that: columns is how many
                      vectors of a panel are multiplied with them at once
     LEAST, GREATEST  of two vectors; the second one where one is NaN
     WIDENED(place)   a vector of float16 numbers as float32; slow if not `processor_widens`
     HALF_PRODUCT     what multiplies one row by float16 weights fastest */

#include "network.h"

#include <math.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

#define JOINED(x, y) x##y
#define LENGTH(reviews, review) ((reviews)->starts[(review) + 1] - (reviews)->starts[review])

/* Six reviews by two vectors are twelve sums, which with what they are made of fill the sixteen
   registers that most processors have; a review alone takes eight. */
#define EACH_OF_SIX(c) c(1, 8) c(2, 4) c(3, 2) c(4, 2) c(5, 2) c(6, 2)
#define EACH_OF_EIGHT(c) c(1, 4) c(2, 4) c(3, 2) c(4, 2) c(5, 2) c(6, 2) c(7, 2) c(8, 2)

/* One of two numbers in each lane; a comparison gives all bits or none of them. */
#define CHOSEN(condition, yes, no) ((vec)(((bits)(condition) & (bits)(yes)) | (~(bits)(condition) & (bits)(no))))

/* A float16 number as float32, which has the same bits but for an exponent that counts from 112
   lower. Those too small for an exponent are counted: programs may tell the processor to read such
   numbers of float32 as 0. */
static inline float widened(uint16_t half)
{
    uint32_t bits = ((uint32_t)(half & 0x7FFF) << 13) + (112u << 23);
    float value;
    memcpy(&value, &bits, sizeof value);
    if ((half & 0x7C00) == 0)
        value = (float)(half & 0x3FF) * 0x1p-24f;
    return half & 0x8000 ? -value : value;
}

#define NAME(x) JOINED(x, _anywhere)
#define TARGET
#define LANES 4
#define BLOCK 6
#define EACH_BLOCK EACH_OF_SIX
#define LEAST(a, b) CHOSEN((a) < (b), a, b)
#define GREATEST(a, b) CHOSEN((a) > (b), a, b)
#define WIDENED(place) \
    ((vec){widened((place)[0]), widened((place)[1]), widened((place)[2]), widened((place)[3])})
#define HALF_PRODUCT product_half_anywhere
#include "maths.h"

#ifdef __x86_64__
#define NAME(x) JOINED(x, _avx2)
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define LANES 8
#define BLOCK 6
#define EACH_BLOCK EACH_OF_SIX
#define LEAST(a, b) ((vec)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define GREATEST(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define WIDENED(place) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(place)))
#define HALF_PRODUCT product_half_avx2
#include "maths.h"

/* Zen 4 widens a vector of 16 in more than the time of two of 8, and with one row that is most of
   the work: 1.7 µs for 128 by 384 weights, and 1.0 µs in vectors of 8. */
#define NAME(x) JOINED(x, _avx512)
#define TARGET __attribute__((target("avx512f,fma,f16c")))
#define LANES 16
#define BLOCK 8
#define EACH_BLOCK EACH_OF_EIGHT
#define LEAST(a, b) ((vec)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define GREATEST(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define WIDENED(place) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(place)))
#define HALF_PRODUCT (__builtin_cpu_is("amd") ? product_half_avx2 : product_half_avx512)
#include "maths.h"
#endif

/* What the processor can run. Found once: to ask is slow in a virtual machine. */
static enum { ANYWHERE, AVX2, AVX512 } processor;

void find_processor(void)
{
#ifdef __x86_64__
    unsigned int eax, ebx, ecx, edx;
    int has_f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & bit_F16C;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c)
        processor = __builtin_cpu_supports("avx512f") ? AVX512 : AVX2;
#endif
}

int processor_widens(void)
{
    return processor != ANYWHERE;
}

#ifdef __x86_64__
#define RUN(function, ...)                     \
    do {                                       \
        if (processor == AVX512)               \
            function##_avx512(__VA_ARGS__);    \
        else if (processor == AVX2)            \
            function##_avx2(__VA_ARGS__);      \
        else                                   \
            function##_anywhere(__VA_ARGS__);  \
    } while (0)
#else
#define RUN(function, ...) function##_anywhere(__VA_ARGS__)
#endif

void fill_table(const Network *network, const Cell *cell, float *embedded, float *inputs,
                float *table)
{
    RUN(fill_table, network, cell, embedded, inputs, table);
}

void classify_batch(const Network *network, const Reviews *reviews, const Batch *batch,
                    float *logits)
{
    RUN(classify_batch, network, reviews, batch, logits);
}
