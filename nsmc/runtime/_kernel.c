/* The recurrence of a GRU or LSTM layer in one direction, for `recurrence`, which has it in numpy.

   Optional: where this cannot be compiled, the package does without. Here is the face to Python:
   what it is given is checked, so that nothing that Python code passes can make it read or write
   beyond an array, as long as no other thread writes to the arrays meanwhile. The maths is in `_recurrence.h`, compiled for each kind of processor.

   Legend: R rows of inputs, N tokens, T steps, B reviews, M rows of outputs, H hidden size,
   G gates x H, P panels. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000 /* one build for Python 3.11 and all that follow */
#include <Python.h>
#include <stdint.h>
#include <string.h>

#ifndef __GNUC__
#error "this needs the vectors of GCC or Clang"
#endif

#define BLOCK 6       /* reviews whose sums stay in registers together */
#define MOST_LANES 16 /* H is a multiple of it */
/* Columns of the weights that lie together, so that what is read stands in a row in memory: that
   takes a third off the time of a review alone, which reads all the weights for each token. */
#define PANEL 64

typedef struct {
    const float *inputs, *weight, *bias; /* [R, G], [P, H, PANEL], [H] for a GRU */
    const int64_t *source, *active;      /* rows of inputs [N], reviews that have a step [T] */
    float *state, *memory;               /* [B, H], [B, H] for an LSTM */
    float *outputs;                      /* [M, H], or NULL where they are not wanted */
    const int64_t *target;               /* rows of outputs [N] */
    float *product;                      /* [BLOCK, width], to work on */
    Py_ssize_t steps, H, G, width;       /* width is P x PANEL, G filled up */
} Run;

#define JOINED(x, y) x##y

#define NAME(x) JOINED(x, _anywhere)
#define TARGET
#define LANES 4
#include "_recurrence.h"
#undef LANES
#undef TARGET
#undef NAME

#ifdef __x86_64__
#define NAME(x) JOINED(x, _avx2)
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#include "_recurrence.h"
#undef LANES
#undef TARGET
#undef NAME

#define NAME(x) JOINED(x, _avx512)
#define TARGET __attribute__((target("avx512f")))
#define LANES 16
#include "_recurrence.h"
#endif

static void run_here(const Run *run)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f")) {
        run_avx512(run);
        return;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        run_avx2(run);
        return;
    }
#endif
    run_anywhere(run);
}

/* The arguments, in order, and how many dimensions each has. */
enum { INPUTS, SOURCE, ACTIVE, WEIGHT, BIAS, STATE, MEMORY, OUTPUTS, TARGET_ROWS, ARGUMENTS };
static const int dimensions[] = {2, 1, 1, 3, 1, 2, 2, 2, 1};

static int is_of_integers(int argument)
{
    return argument == SOURCE || argument == ACTIVE || argument == TARGET_ROWS;
}

/* A view of an array; None, where that may be, leaves its buf NULL. 0 with an exception set. */
static int look(PyObject *array, int argument, Py_buffer *view)
{
    int is_written = argument == STATE || argument == MEMORY || argument == OUTPUTS;
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (is_written ? PyBUF_WRITABLE : 0);
    if (array == Py_None && (argument == BIAS || argument >= MEMORY))
        return 1;
    if (PyObject_GetBuffer(array, view, flags) < 0)
        return 0;
    const char *kinds = is_of_integers(argument) ? "lq" : "f";
    int size = is_of_integers(argument) ? 8 : 4;
    if (view->ndim == dimensions[argument] && view->itemsize == size && view->format &&
        strlen(view->format) == 1 && strchr(kinds, view->format[0]))
        return 1;
    PyErr_Format(PyExc_TypeError, "argument %d: expected an array of %s with %d dimensions",
                 argument, size == 8 ? "int64" : "float32", dimensions[argument]);
    return 0;
}

static int are_below(const int64_t *numbers, Py_ssize_t count, Py_ssize_t limit)
{
    for (Py_ssize_t i = 0; i < count; i++)
        if (numbers[i] < 0 || numbers[i] >= limit)
            return 0;
    return 1;
}

/* Steps have ever fewer reviews, and their tokens are all there are. */
static int are_steps(const int64_t *active, Py_ssize_t steps, Py_ssize_t reviews, Py_ssize_t tokens)
{
    for (Py_ssize_t t = 0; t < steps; t++) {
        if (active[t] < 0 || active[t] > reviews)
            return 0;
        reviews = active[t];
        tokens -= reviews;
    }
    return tokens == 0;
}

/* Whether an array that is written shares memory with any other: checked rows could change. */
static int are_apart(const Py_buffer *views)
{
    for (int written = STATE; written <= OUTPUTS; written++)
        for (int other = 0; other < ARGUMENTS; other++) {
            uintptr_t start = (uintptr_t)views[written].buf, place = (uintptr_t)views[other].buf;
            if (other != written && start < place + (size_t)views[other].len &&
                place < start + (size_t)views[written].len)
                return 0;
        }
    return 1;
}

#define ROWS(argument) views[argument].shape[0]
#define COLUMNS(argument) views[argument].shape[1]
#define IS_GIVEN(argument) (views[argument].buf != NULL)

/* Whether the shapes fit each other; 0 with an exception set. */
static int is_sound(const Py_buffer *views)
{
    Py_ssize_t H = COLUMNS(WEIGHT), tokens = ROWS(SOURCE);
    int is_lstm = IS_GIVEN(MEMORY), has_outputs = IS_GIVEN(OUTPUTS);
    Py_ssize_t G = (is_lstm ? 4 : 3) * H;
    int fits = H > 0 && H % MOST_LANES == 0 && views[WEIGHT].shape[2] == PANEL &&
               ROWS(WEIGHT) == (G + PANEL - 1) / PANEL &&
               COLUMNS(INPUTS) == G && COLUMNS(STATE) == H && is_lstm != IS_GIVEN(BIAS) &&
               (is_lstm ? COLUMNS(MEMORY) == H && ROWS(MEMORY) == ROWS(STATE) : ROWS(BIAS) == H) &&
               has_outputs == IS_GIVEN(TARGET_ROWS) &&
               (!has_outputs || (COLUMNS(OUTPUTS) == H && ROWS(TARGET_ROWS) == tokens));
    if (!fits || !are_steps(views[ACTIVE].buf, ROWS(ACTIVE), ROWS(STATE), tokens)) {
        PyErr_SetString(PyExc_ValueError, "the arrays' shapes do not fit each other");
        return 0;
    }
    if (!are_apart(views)) {
        PyErr_SetString(PyExc_ValueError, "an array that is written shares memory with another");
        return 0;
    }
    if (!are_below(views[SOURCE].buf, tokens, ROWS(INPUTS)) ||
        (has_outputs && !are_below(views[TARGET_ROWS].buf, tokens, ROWS(OUTPUTS)))) {
        PyErr_SetString(PyExc_IndexError, "a row that is not there");
        return 0;
    }
    return 1;
}

/* Runs without Python's lock, so that other threads go on. 0 with an exception set. */
static int compute(const Py_buffer *views)
{
    Run run = {
        .inputs = views[INPUTS].buf, .weight = views[WEIGHT].buf, .bias = views[BIAS].buf,
        .source = views[SOURCE].buf, .active = views[ACTIVE].buf, .state = views[STATE].buf,
        .memory = views[MEMORY].buf, .outputs = views[OUTPUTS].buf,
        .target = views[TARGET_ROWS].buf, .steps = ROWS(ACTIVE), .H = COLUMNS(WEIGHT),
        .G = COLUMNS(INPUTS), .width = ROWS(WEIGHT) * PANEL,
    };
    run.product = PyMem_Malloc(BLOCK * run.width * sizeof(float));
    if (!run.product) {
        PyErr_NoMemory();
        return 0;
    }
    Py_BEGIN_ALLOW_THREADS
    run_here(&run);
    Py_END_ALLOW_THREADS
    PyMem_Free(run.product);
    return 1;
}

static PyObject *run(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *arrays[ARGUMENTS];
    Py_buffer views[ARGUMENTS] = {{0}};
    if (!PyArg_UnpackTuple(arguments, "run", ARGUMENTS, ARGUMENTS, &arrays[0], &arrays[1],
                           &arrays[2], &arrays[3], &arrays[4], &arrays[5], &arrays[6], &arrays[7],
                           &arrays[8]))
        return NULL;
    int good = 1;
    for (int i = 0; i < ARGUMENTS && good; i++)
        good = look(arrays[i], i, &views[i]);
    good = good && is_sound(views) && compute(views);
    for (int i = 0; i < ARGUMENTS; i++)
        if (views[i].obj)
            PyBuffer_Release(&views[i]);
    return good ? Py_NewRef(Py_None) : NULL;
}

static PyMethodDef methods[] = {
    {"run", run, METH_VARARGS,
     "run(inputs, source, active, weight, bias, state, memory, outputs, target): see _kernel.pyi"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "nsmc.runtime._kernel", .m_size = 0, .m_methods = methods,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&module);
}
