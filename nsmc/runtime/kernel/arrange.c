/* Puts a bundle's tensors into the order in which they are read: once, when a bundle is loaded. */

#include "network.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64 /* bytes of a vector, and of what the cache reads at once */

void *allocate(ptrdiff_t count, size_t size)
{
    void *memory = NULL;
    if (count < 0 || (size_t)count > (PTRDIFF_MAX - ALIGNMENT) / size)
        return NULL;
    if (posix_memalign(&memory, ALIGNMENT, (size_t)count * size + ALIGNMENT))
        return NULL;
    return memory;
}

static void *allocate_zeros(ptrdiff_t count, size_t size)
{
    void *memory = allocate(count, size);
    if (memory)
        memset(memory, 0, (size_t)count * size);
    return memory;
}

/* Our order of PyTorch's gates r, z, n and i, f, g, o. */
static ptrdiff_t source_gate(const Weight *weight, ptrdiff_t gate)
{
    static const ptrdiff_t lstm[] = {0, 1, 3, 2};
    return weight->is_lstm ? lstm[gate] : gate;
}

static ptrdiff_t gates_of(const Weight *weight)
{
    return weight->is_lstm ? 4 : 3;
}

static float factor(const Weight *weight, ptrdiff_t gate)
{
    return gate < gates_of(weight) - 1 ? -1 : 2;
}

static ptrdiff_t filled(ptrdiff_t count, ptrdiff_t unit)
{
    return (count + unit - 1) / unit * unit;
}

/* Whether a number is one of float16's, and which. */
static int as_half(float value, uint16_t *half)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    int exponent = (int)(bits >> 23 & 0xFF) - 127;
    uint32_t fraction = bits & 0x7FFFFF;
    *half = sign;
    if (exponent == -127)
        return fraction == 0; /* 0, and what is far below float16's least number */
    int lost = exponent < -14 ? 13 - 14 - exponent : 13; /* bits that there is no room for */
    if (exponent > 15 || exponent < -24 || fraction & ((1u << (lost < 23 ? lost : 23)) - 1))
        return 0;
    if (exponent < -14)
        *half |= (uint16_t)((fraction | 0x800000) >> lost);
    else
        *half |= (uint16_t)((exponent + 15) << 10 | fraction >> 13);
    return 1;
}

/* The panels as float16, too, for a review alone: what limits that is the way from the cache. */
static int halve(Matrix *matrix)
{
    ptrdiff_t count = matrix->depth * matrix->width;
    if (!processor_widens())
        return 1;
    uint16_t *half = allocate(count, sizeof *half);
    if (!half)
        return 0;
    for (ptrdiff_t i = 0; i < count; i++)
        if (!as_half(matrix->full[i], &half[i])) {
            free(half);
            return 1;
        }
    matrix->half = half;
    return 1;
}

int arrange_matrix(const Weight *weight, Matrix *matrix)
{
    ptrdiff_t H = filled(weight->hidden, LANES_MOST), columns = weight->parts * weight->part;
    matrix->depth = weight->parts * weight->filled;
    matrix->width = filled(gates_of(weight) * H, PANEL);
    if (matrix->depth > PTRDIFF_MAX / matrix->width)
        return 0;
    matrix->full = allocate_zeros(matrix->depth * matrix->width, sizeof(float));
    if (!matrix->full)
        return 0;
    for (ptrdiff_t gate = 0; gate < gates_of(weight); gate++)
        for (ptrdiff_t unit = 0; unit < weight->hidden; unit++) {
            const float *row = weight->values +
                               (source_gate(weight, gate) * weight->hidden + unit) * columns;
            ptrdiff_t column = gate * H + unit;
            float *panel = matrix->full + column / PANEL * matrix->depth * PANEL + column % PANEL;
            for (ptrdiff_t d = 0; d < columns; d++) {
                ptrdiff_t place = d / weight->part * weight->filled + d % weight->part;
                panel[place * PANEL] = factor(weight, gate) * row[d];
            }
        }
    return halve(matrix);
}

float *arrange_vector(const Weight *weight)
{
    ptrdiff_t H = filled(weight->hidden, LANES_MOST);
    float *vector = allocate_zeros(gates_of(weight) * H, sizeof(float));
    for (ptrdiff_t gate = 0; vector && gate < gates_of(weight); gate++)
        for (ptrdiff_t unit = 0; unit < weight->hidden; unit++)
            vector[gate * H + unit] =
                factor(weight, gate) *
                weight->values[source_gate(weight, gate) * weight->hidden + unit];
    return vector;
}

/* Values [rows, parts, part] as [rows, parts, filled]. */
float *spread(const float *values, ptrdiff_t rows, ptrdiff_t parts, ptrdiff_t part, ptrdiff_t filled)
{
    if (parts > PTRDIFF_MAX / filled / rows)
        return NULL;
    float *wide = allocate_zeros(rows * parts * filled, sizeof(float));
    for (ptrdiff_t i = 0; wide && i < rows * parts; i++)
        memcpy(wide + i * filled, values + i * part, (size_t)part * sizeof(float));
    return wide;
}

static void drop_matrix(Matrix *matrix)
{
    free(matrix->full);
    free(matrix->half);
}

void drop(Network *network)
{
    for (ptrdiff_t i = 0; network->cells && i < network->layers * network->directions; i++) {
        drop_matrix(&network->cells[i].input);
        drop_matrix(&network->cells[i].hidden);
        free(network->cells[i].input_bias);
        free(network->cells[i].hidden_bias);
    }
    for (ptrdiff_t i = 0; network->tables && i < network->directions; i++)
        free(network->tables[i]);
    free(network->cells);
    free(network->tables);
    free(network->attention);
    free(network->head);
    free(network->bias);
}
