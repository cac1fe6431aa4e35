/* Checks the arrays that Python passes and copies them into a network. */

#include "tensors.h"

#include <stdlib.h>
#include <string.h>

#define LARGEST (1 << 24) /* of a dimension that others are multiplied by, so that none overflows */

static int refuse(const char *what)
{
    PyErr_SetString(PyExc_ValueError, what);
    return 0;
}

static int holds(const Py_buffer *view, const char *format, Py_ssize_t size)
{
    return view->itemsize == size && view->format && strcmp(view->format, format) == 0 &&
           (uintptr_t)view->buf % (size_t)size == 0;
}

/* A view of an array of float32, where `may_be_half` also of float16, whose shape is [rows, columns],
   or [rows]; where one is -1, any that is positive. */
static int look_at(PyObject *array, const char *name, int may_be_half, int dimensions,
                   Py_ssize_t rows, Py_ssize_t columns, int flags, Py_buffer *view)
{
    if (PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags) < 0)
        return 0;
    int is_float = holds(view, "f", 4) || (may_be_half && holds(view, "e", 2));
    if (!is_float || view->ndim != dimensions) {
        PyErr_Format(PyExc_TypeError, "%s: expected an array of float32%s with %d dimensions", name,
                     may_be_half ? " or float16" : "", dimensions);
    } else if ((rows < 0 ? view->shape[0] < 1 : view->shape[0] != rows) ||
               (dimensions == 2 &&
                (columns < 0 ? view->shape[1] < 1 : view->shape[1] != columns))) {
        PyErr_Format(PyExc_ValueError, "%s: the arrays' shapes do not fit each other", name);
    } else {
        return 1;
    }
    PyBuffer_Release(view);
    memset(view, 0, sizeof *view);
    return 0;
}

static int look(PyObject *array, const char *name, int dimensions, Py_ssize_t rows,
                Py_ssize_t columns, int flags, Py_buffer *view)
{
    return look_at(array, name, 0, dimensions, rows, columns, flags, view);
}

int take_pooling(Network *network, const char *name)
{
    static const char *const names[] = {"last", "mean", "max", "max_mean", "attention"};
    for (int i = 0; i < POOLINGS; i++)
        if (strcmp(name, names[i]) == 0) {
            network->pooling = i;
            return 1;
        }
    return refuse("no such pooling");
}

int take_embedding(Network *network, PyObject *array, Py_buffer *view)
{
    if (!look_at(array, "embedding", 1, 2, -1, -1, 0, view))
        return 0;
    if (view->shape[0] > INT32_MAX || view->shape[1] > LARGEST)
        return refuse("embedding: too large");
    if (view->itemsize == sizeof(float))
        network->embedding = view->buf;
    else
        network->half_embedding = view->buf;
    network->vocabulary = view->shape[0];
    network->embedding_dim = view->shape[1];
    return 1;
}

static int take_weight(PyObject *array, const char *name, Weight weight, Matrix *matrix)
{
    Py_buffer view = {0};
    Py_ssize_t gates = weight.is_lstm ? 4 : 3;
    if (!look(array, name, 2, gates * weight.hidden, weight.parts * weight.part, 0, &view))
        return 0;
    weight.values = view.buf;
    int good = arrange_matrix(&weight, matrix);
    PyBuffer_Release(&view);
    if (!good)
        PyErr_NoMemory();
    return good;
}

static float *take_bias(PyObject *array, const char *name, Weight weight)
{
    Py_buffer view = {0};
    Py_ssize_t gates = weight.is_lstm ? 4 : 3;
    if (!look(array, name, 1, gates * weight.hidden, 0, 0, &view))
        return NULL;
    weight.values = view.buf;
    float *vector = arrange_vector(&weight);
    PyBuffer_Release(&view);
    if (!vector)
        PyErr_NoMemory();
    return vector;
}

/* The two biases are added up, except that which r multiplies. */
static int take_biases(const Network *network, PyObject *of_input, PyObject *of_hidden,
                       Weight weight, Cell *cell)
{
    ptrdiff_t G = network->G, kept = network->is_lstm ? G : G - network->H;
    cell->input_bias = take_bias(of_input, "bias_ih", weight);
    float *hidden = cell->input_bias ? take_bias(of_hidden, "bias_hh", weight) : NULL;
    if (!hidden)
        return 0;
    for (ptrdiff_t k = 0; k < kept; k++)
        cell->input_bias[k] += hidden[k];
    memmove(hidden, hidden + (G - network->H), (size_t)network->H * sizeof(float));
    cell->hidden_bias = hidden;
    return 1;
}

static int take_cell(Network *network, PyObject *tensors, Weight input, Cell *cell)
{
    PyObject *weight_ih, *weight_hh, *bias_ih, *bias_hh;
    if (!PyTuple_Check(tensors))
        return refuse("a cell is a tuple of four arrays");
    if (!PyArg_ParseTuple(tensors, "OOOO", &weight_ih, &weight_hh, &bias_ih, &bias_hh))
        return 0;
    Weight hidden = {NULL, 1, input.hidden, network->H, input.hidden, input.is_lstm};
    return take_weight(weight_ih, "weight_ih", input, &cell->input) &&
           take_weight(weight_hh, "weight_hh", hidden, &cell->hidden) &&
           take_biases(network, bias_ih, bias_hh, input, cell);
}

/* The hidden size and the kind of cell, which the first `weight_hh` [3 H or 4 H, H] tells. */
static int measure(Network *network, PyObject *tensors, int directions)
{
    Py_buffer view = {0};
    if (!PyTuple_Check(tensors) || PyTuple_Size(tensors) != 4)
        return refuse("a cell is a tuple of four arrays");
    if (!look(PyTuple_GetItem(tensors, 1), "weight_hh", 2, -1, -1, 0, &view))
        return 0;
    Py_ssize_t rows = view.shape[0], columns = view.shape[1];
    PyBuffer_Release(&view);
    if (columns > LARGEST || (rows != 3 * columns && rows != 4 * columns))
        return refuse("weight_hh: neither a GRU's nor an LSTM's");
    network->is_lstm = rows == 4 * columns;
    network->H = (columns + LANES_MOST - 1) / LANES_MOST * LANES_MOST;
    network->G = (network->is_lstm ? 4 : 3) * network->H;
    network->W = directions * network->H;
    network->hidden = columns;
    return 1;
}

int take_cells(Network *network, PyObject *cells, int directions)
{
    Py_ssize_t count = PyTuple_Check(cells) ? PyTuple_Size(cells) : 0;
    if (count < 1 || count > LARGEST || directions < 1 || directions > 2 || count % directions)
        return refuse("cells: a tuple of those of each layer, in one direction or two");
    if (!measure(network, PyTuple_GetItem(cells, 0), directions))
        return 0;
    network->cells = calloc((size_t)count, sizeof *network->cells);
    if (!network->cells) {
        PyErr_NoMemory();
        return 0;
    }
    network->directions = directions;
    network->layers = count / directions;
    ptrdiff_t E = network->embedding_dim, hidden = network->hidden;
    Weight first = {NULL, 1, E, E, hidden, network->is_lstm};
    Weight other = {NULL, directions, hidden, network->H, hidden, network->is_lstm};
    for (Py_ssize_t i = 0; i < count; i++)
        if (!take_cell(network, PyTuple_GetItem(cells, i), i < directions ? first : other,
                       &network->cells[i]))
            return 0;
    return 1;
}

int take_head(Network *network, PyObject *attention, PyObject *head, PyObject *bias)
{
    ptrdiff_t hidden = network->hidden, H = network->H, width = network->directions * hidden;
    ptrdiff_t parts = (network->pooling == MAX_MEAN ? 2 : 1) * network->directions;
    Py_buffer view = {0};
    if (network->pooling == ATTENTION) {
        if (!look(attention, "attention", 2, 1, width, 0, &view))
            return 0;
        network->attention = spread(view.buf, 1, network->directions, hidden, H);
        PyBuffer_Release(&view);
    } else if (attention != Py_None) {
        return refuse("attention: only pooling by attention has it");
    }
    if (!look(head, "head", 2, -1, parts * hidden, 0, &view))
        return 0;
    network->labels = view.shape[0];
    network->head = spread(view.buf, network->labels, parts, hidden, H);
    PyBuffer_Release(&view);
    if (!look(bias, "bias", 1, network->labels, 0, 0, &view))
        return 0;
    network->bias = spread(view.buf, 1, 1, network->labels, network->labels);
    PyBuffer_Release(&view);
    if (network->head && network->bias && (network->attention || network->pooling != ATTENTION))
        return 1;
    PyErr_NoMemory();
    return 0;
}

int take_logits(const Network *network, PyObject *array, ptrdiff_t count, Py_buffer *view)
{
    return look(array, "out", 2, count, network->labels, PyBUF_WRITABLE, view);
}
