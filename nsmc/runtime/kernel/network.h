/* A GRU or LSTM classifier in memory, and what the stages of the kernel call each other by.

   Legend: V vocabulary, E embedding, H hidden size, filled up with zeros to a multiple of LANES_MOST,
   G gates x H, D numbers that a layer reads (E, or W of the layer below), W width of a layer's
   states (H, or 2 H with both directions), C labels, N tokens, B reviews. */

#ifndef NSMC_NETWORK_H
#define NSMC_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#ifndef __GNUC__
#error "this needs the vectors of GCC or Clang"
#endif

#define LANES_MOST 16
/* Columns of the weights that lie together, so that what is read stands in a row in memory: that
   takes a third off the time of a review alone, which reads all the weights for each token. */
#define PANEL 64
#define BLOCK_MOST 8 /* reviews whose sums stay in registers together */

/* A weight [D, columns] as panels [P, D, PANEL], the last one filled up with zeros. */
typedef struct {
    ptrdiff_t depth, width; /* D, P x PANEL */
    float *full;            /* the panels */
    uint16_t *half;         /* the same as float16 where nothing is lost by it, else NULL */
} Matrix;

/* One direction of a layer. Gates are r, z, n of a GRU and i, f, o, g of an LSTM; those that are
   sigmoids are negated, and the last one, a tanh, is doubled: what is needed are e^-a and e^2a. */
typedef struct {
    Matrix input, hidden;
    float *input_bias;  /* [G] */
    float *hidden_bias; /* [H] of a GRU: what r multiplies */
} Cell;

enum { LAST, MEAN, MAX, MAX_MEAN, ATTENTION, POOLINGS };

typedef struct {
    int is_lstm, pooling;
    ptrdiff_t vocabulary, embedding_dim, H, G, W, layers, directions, labels;
    ptrdiff_t hidden; /* H without what fills it up */
    const float *embedding; /* [V, E], or NULL: */
    const uint16_t *half_embedding; /* the same as float16 */
    Cell *cells;            /* [layers, directions] */
    float *attention;       /* [W], or NULL */
    float *head, *bias;     /* [C, W] or [C, 2 W], [C] */
    float **tables;         /* [directions] the first layer's inputs of all tokens [V, G], or NULL */
} Network;

/* Reviews as one row of ids: review b is ids[starts[b]] to ids[starts[b + 1] - 1]. */
typedef struct {
    const int32_t *ids;
    const ptrdiff_t *starts; /* [B + 1] */
    ptrdiff_t count;
} Reviews;

/* Some of the reviews, in order of length, the longest first. */
typedef struct {
    const ptrdiff_t *order; /* [count] which review, which row of the logits */
    ptrdiff_t count;
    ptrdiff_t *places;  /* [count] where a review's states begin */
    float *states[2];   /* [N, W]: of the layer below and of this one, where they are wanted */
    float *embedded;    /* [BLOCK_MOST, E] of a float16 embedding */
    float *last;        /* [count, W] the state, which at the end is that after the last token */
    float *memory;      /* [count, H] of an LSTM */
    float *inputs;      /* [BLOCK_MOST, width] */
    float *products;    /* [BLOCK_MOST, width] */
    float *pooled;      /* [2 W] */
    float *scores;      /* of each token of a review, filled up */
} Batch;

/* In arrange.c. Memory is aligned for vectors; NULL where there is none. */
void *allocate(ptrdiff_t count, size_t size);
void drop(Network *network);

/* What is arranged: PyTorch's weights [G, parts x part]; the output has parts of `filled` rows. */
typedef struct {
    const float *values;
    ptrdiff_t parts, part, filled, hidden;
    int is_lstm;
} Weight;
int arrange_matrix(const Weight *weight, Matrix *matrix);
float *arrange_vector(const Weight *weight);
float *spread(const float *values, ptrdiff_t rows, ptrdiff_t parts, ptrdiff_t part, ptrdiff_t filled);

/* In reviews.c. 0 where there is no memory. */
int classify(const Network *network, const Reviews *reviews, float *logits);

/* In processors.c: whichever the processor can run, which is found first of all. */
void find_processor(void);
int processor_widens(void); /* whether it reads float16 fast */
void fill_table(const Network *network, const Cell *cell, float *embedded, float *inputs,
                float *table);
void classify_batch(const Network *network, const Reviews *reviews, const Batch *batch,
                    float *logits);

#endif
