/* What Python passes, checked. Each function returns 0 with an exception set where it is wrong. */

#ifndef NSMC_TENSORS_H
#define NSMC_TENSORS_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

#include "network.h"

typedef struct {
    int32_t *ids;
    ptrdiff_t *starts; /* [count + 1] */
    ptrdiff_t count;
} Ids;

int take_pooling(Network *network, const char *name);
/* The view stays open for as long as the network is. */
int take_embedding(Network *network, PyObject *array, Py_buffer *view);
int take_cells(Network *network, PyObject *cells, int directions);
int take_head(Network *network, PyObject *attention, PyObject *head, PyObject *bias);
/* An array [count, labels] to write to. */
int take_logits(const Network *network, PyObject *array, ptrdiff_t count, Py_buffer *view);

int read_ids(PyObject *token_ids, ptrdiff_t vocabulary, Ids *ids);
void drop_ids(Ids *ids);

#endif
