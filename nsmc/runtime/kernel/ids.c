/* Reads token ids, lists of lists of whole numbers, and checks each. */

#include "tensors.h"

#include <stdlib.h>
#include <string.h>

#define FEWEST 256 /* ids that there is room for at first */

static PyObject *item(PyObject *list_or_tuple, Py_ssize_t index)
{
    return PyList_Check(list_or_tuple) ? PyList_GetItem(list_or_tuple, index)
                                       : PyTuple_GetItem(list_or_tuple, index);
}

/* Room for `needed` ids in all; memory grows by half or more. */
static int reserve(Ids *ids, ptrdiff_t *room, ptrdiff_t needed)
{
    if (needed <= *room)
        return 1;
    ptrdiff_t more = *room + *room / 2 > needed ? *room + *room / 2 : needed;
    more = more > FEWEST ? more : FEWEST;
    int32_t *moved =
        (size_t)more > PTRDIFF_MAX / sizeof *moved ? NULL : realloc(ids->ids, (size_t)more * sizeof *moved);
    if (!moved) {
        PyErr_NoMemory();
        return 0;
    }
    ids->ids = moved;
    *room = more;
    return 1;
}

static int read_id(PyObject *object, ptrdiff_t vocabulary, int32_t *id)
{
    int overflow = 0;
    long long value = object ? PyLong_AsLongLongAndOverflow(object, &overflow) : -1;
    if (value == -1 && PyErr_Occurred())
        return 0;
    if (overflow || value < 0 || value >= vocabulary) {
        PyErr_Format(PyExc_ValueError, "token ids are from 0 to %zd", vocabulary - 1);
        return 0;
    }
    *id = (int32_t)value;
    return 1;
}

/* Adds the ids of a review. An id may be any object with __index__, which may even shorten the list
   meanwhile: each is fetched by a function that looks at the list's length. */
static int read_review(PyObject *review, ptrdiff_t vocabulary, Ids *ids, ptrdiff_t *room,
                       ptrdiff_t *count)
{
    PyObject *list = PySequence_Fast(review, "a review is a sequence of token ids");
    if (!list)
        return 0;
    Py_ssize_t length = PySequence_Size(list);
    int good = length >= 0 && reserve(ids, room, *count + length);
    for (Py_ssize_t i = 0; i < length && good; i++)
        good = read_id(item(list, i), vocabulary, &ids->ids[*count + i]);
    *count += length;
    Py_DecRef(list);
    return good;
}

int read_ids(PyObject *token_ids, ptrdiff_t vocabulary, Ids *ids)
{
    PyObject *list = PySequence_Fast(token_ids, "reviews are a sequence");
    if (!list)
        return 0;
    ptrdiff_t count = 0, room = 0;
    ids->count = PySequence_Size(list);
    ids->starts = allocate(ids->count + 1, sizeof *ids->starts);
    int good = ids->starts != NULL;
    if (!good)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < ids->count && good; i++) {
        PyObject *review = item(list, i);
        ids->starts[i] = count;
        good = review && (Py_IncRef(review), 1);
        if (good) {
            good = read_review(review, vocabulary, ids, &room, &count);
            Py_DecRef(review);
        }
    }
    if (good)
        ids->starts[ids->count] = count;
    Py_DecRef(list);
    return good;
}

void drop_ids(Ids *ids)
{
    free(ids->ids);
    free(ids->starts);
}
