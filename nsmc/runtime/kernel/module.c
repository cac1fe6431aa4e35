/* The kernel's face to Python: `Network`, a GRU or LSTM classifier from token ids to logits.

   Optional: where this cannot be compiled, the package does without; `network` has it in numpy.
   All that Python code passes is checked here, so that nothing can make the kernel read or write
   beyond an array: the tensors' shapes once, when they are copied, the ids in each call. Only the
   embedding is not copied; as no number in it is an index, whoever alters it alters answers alone. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000 /* one build for Python 3.11 and all that follow */
#include <Python.h>
#include <stdlib.h>
#include <unistd.h>

#include "network.h"
#include "tensors.h"

typedef struct {
    PyObject_HEAD
    Network network;
    Py_buffer embedding;
    Py_ssize_t seen;      /* tokens that were asked for */
    pid_t table_maker;    /* the process that makes tables, while it does; a fork has another */
} Object;

static PyObject *new_network(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"embedding", "cells", "directions", "pooling",
                            "attention", "head",  "bias",       NULL};
    PyObject *embedding, *cells, *attention, *head, *bias;
    int directions;
    const char *pooling;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OOisOOO:Network", names, &embedding,
                                     &cells, &directions, &pooling, &attention, &head, &bias))
        return NULL;
    allocfunc make = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Object *self = (Object *)make(type, 0); /* zeros */
    if (!self)
        return NULL;
    Network *network = &self->network;
    if (!take_pooling(network, pooling) || !take_embedding(network, embedding, &self->embedding) ||
        !take_cells(network, cells, directions) || !take_head(network, attention, head, bias)) {
        Py_DecRef((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

static void dealloc(PyObject *object)
{
    Object *self = (Object *)object;
    PyTypeObject *type = Py_TYPE(object);
    drop(&self->network);
    if (self->embedding.obj)
        PyBuffer_Release(&self->embedding);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DecRef((PyObject *)type);
}

static void drop_tables(float **tables, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; tables && i < count; i++)
        free(tables[i]);
    free(tables);
}

/* The first layer's inputs of each token, which are the same wherever it stands; NULL where there
   is no memory for them. Runs without Python's lock. */
static float **made_tables(const Network *network)
{
    ptrdiff_t V = network->vocabulary, G = network->G;
    float **tables = calloc((size_t)network->directions, sizeof *tables);
    float *embedded = allocate(BLOCK_MOST * network->embedding_dim, sizeof *embedded);
    float *inputs = allocate(BLOCK_MOST * network->cells[0].input.width, sizeof *inputs);
    int good = tables && embedded && inputs && V <= PTRDIFF_MAX / G;
    for (ptrdiff_t i = 0; good && i < network->directions; i++) {
        tables[i] = allocate(V * G, sizeof(float));
        good = tables[i] != NULL;
        if (good)
            fill_table(network, &network->cells[i], embedded, inputs, tables[i]);
    }
    free(embedded);
    free(inputs);
    if (good)
        return tables;
    drop_tables(tables, network->directions);
    return NULL;
}

/* Makes the tables once as many tokens were asked for as they have: by then, what they cost was
   spent. Other threads go on without, and a table is seen only when it is whole. */
static void consider_tables(Object *self, ptrdiff_t tokens)
{
    Network *network = &self->network;
    self->seen += tokens < network->vocabulary ? tokens : network->vocabulary;
    if (network->tables || self->seen < network->vocabulary || self->table_maker == getpid())
        return;
    float **tables;
    self->table_maker = getpid();
    Py_BEGIN_ALLOW_THREADS
    tables = made_tables(network);
    Py_END_ALLOW_THREADS
    network->tables = tables;
    if (!tables) /* no memory: to be tried again after as many tokens more, not by each call */
        self->seen = 0;
    self->table_maker = 0;
}

static PyObject *logits(PyObject *object, PyObject *arguments)
{
    Object *self = (Object *)object;
    PyObject *token_ids, *out;
    if (!PyArg_ParseTuple(arguments, "OO:logits", &token_ids, &out))
        return NULL;
    Ids ids = {0};
    Py_buffer view = {0};
    int good = read_ids(token_ids, self->network.vocabulary, &ids) &&
               take_logits(&self->network, out, ids.count, &view);
    if (good) {
        consider_tables(self, ids.starts[ids.count]);
        Network network = self->network; /* with the tables as they are now */
        Reviews reviews = {ids.ids, ids.starts, ids.count};
        Py_BEGIN_ALLOW_THREADS
        good = classify(&network, &reviews, view.buf);
        Py_END_ALLOW_THREADS
        if (!good)
            PyErr_NoMemory();
    }
    if (view.obj)
        PyBuffer_Release(&view);
    drop_ids(&ids);
    return good ? Py_NewRef(Py_None) : NULL;
}

static PyObject *has_tables(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(((Object *)object)->network.tables != NULL);
}

static PyMethodDef methods[] = {
    {"logits", logits, METH_VARARGS, "logits(token_ids, out): see _kernel.pyi"},
    {"has_tables", has_tables, METH_NOARGS, "has_tables(): see _kernel.pyi"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, new_network}, {Py_tp_dealloc, dealloc}, {Py_tp_methods, methods},
    {Py_tp_doc, "A classifier from token ids to logits: see _kernel.pyi"}, {0, NULL},
};

static PyType_Spec spec = {
    .name = "nsmc.runtime._kernel.Network", .basicsize = sizeof(Object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, .slots = slots,
};

static int execute(PyObject *module)
{
    find_processor();
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    int failed = !type || PyModule_AddObjectRef(module, "Network", type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "nsmc.runtime._kernel", .m_size = 0, .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&module);
}
