// Get and commit as a Python extension: what ctypes does for each argument of each call costs more than the call.
// The addresses of the bridge's functions come from the caller (`bind`), so nothing is linked and the file stays this
// small. It is built beside the bridge where Python's headers are; calls.py does the same through ctypes elsewhere.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

enum { NOT_FOUND = -1, PUT = 1, DELETE = 2, HEADER_BYTES = 9, ROOM_BYTES = 64 * 1024 };

typedef int64_t get_function(int64_t, int64_t, const char *, int64_t, char *, int64_t);
typedef int64_t commit_function(int64_t, const char *, int64_t, int64_t, char *, int64_t);

static get_function *badger_get = NULL;
static commit_function *badger_commit = NULL;

// Answers of get, small batches, and the words of errors. Every thread has its own, freed when it ends.
static _Thread_local char room[ROOM_BYTES];

static PyObject *bind(PyObject *module, PyObject *arguments) {
    unsigned long long get, commit;
    if (!PyArg_ParseTuple(arguments, "KK", &get, &commit)) return NULL;
    badger_get = (get_function *)(uintptr_t)get;
    badger_commit = (commit_function *)(uintptr_t)commit;
    Py_RETURN_NONE;
}

static int right_count(const char *name, Py_ssize_t given) {
    if (given == 3 && badger_get != NULL) return 1;
    PyErr_Format(PyExc_TypeError, "%s takes 3 arguments, after bind; %zd were given", name, given);
    return 0;
}

// get(database, snapshot, key) -> the value, None when there is none, or the code of an error.
static PyObject *get(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    char *key, *buffer = room;
    Py_ssize_t key_size;
    if (!right_count("get", count)) return NULL;
    int64_t database = PyLong_AsLongLong(arguments[0]), snapshot = PyLong_AsLongLong(arguments[1]), size;
    if (PyErr_Occurred() || PyBytes_AsStringAndSize(arguments[2], &key, &key_size) < 0) return NULL;
    Py_BEGIN_ALLOW_THREADS
    size = badger_get(database, snapshot, key, key_size, buffer, ROOM_BYTES);
    Py_END_ALLOW_THREADS
    if (size >= 0) return PyBytes_FromStringAndSize(buffer, size);
    if (size == NOT_FOUND) Py_RETURN_NONE;
    return PyLong_FromLongLong(size);
}

// size_of says how many bytes a change takes in a batch, or -1 with an exception.
static Py_ssize_t size_of(PyObject *change) {
    if (!PyTuple_Check(change) || PyTuple_GET_SIZE(change) != 2) {
        PyErr_SetString(PyExc_TypeError, "a change is a key and a value");
        return -1;
    }
    PyObject *key = PyTuple_GET_ITEM(change, 0), *value = PyTuple_GET_ITEM(change, 1);
    if (!PyBytes_Check(key) || !(value == Py_None || PyBytes_Check(value)) || PyBytes_GET_SIZE(key) > UINT32_MAX ||
        (value != Py_None && PyBytes_GET_SIZE(value) > UINT32_MAX)) {
        PyErr_SetString(PyExc_TypeError, "key and value are bytes of less than 4 GiB; no value (None) deletes");
        return -1;
    }
    return HEADER_BYTES + PyBytes_GET_SIZE(key) + (value == Py_None ? 0 : PyBytes_GET_SIZE(value));
}

static void put_number(char *place, Py_ssize_t number) {
    for (int byte = 0; byte < 4; byte++) place[byte] = (char)(number >> (8 * byte));
}

static char *append(char *place, PyObject *change) {
    PyObject *key = PyTuple_GET_ITEM(change, 0), *value = PyTuple_GET_ITEM(change, 1);
    Py_ssize_t key_size = PyBytes_GET_SIZE(key), value_size = value == Py_None ? 0 : PyBytes_GET_SIZE(value);
    *place = value == Py_None ? DELETE : PUT;
    put_number(place + 1, key_size);
    put_number(place + 5, value_size);
    memcpy(place + HEADER_BYTES, PyBytes_AS_STRING(key), key_size);
    if (value_size) memcpy(place + HEADER_BYTES + key_size, PyBytes_AS_STRING(value), value_size);
    return place + HEADER_BYTES + key_size + value_size;
}

// encode writes the batch to the room, or to memory of its own (to be freed by the caller) when that is too small.
static char *encode(PyObject *changes, Py_ssize_t *size) {
    Py_ssize_t count = PySequence_Fast_GET_SIZE(changes);
    *size = 0;
    for (Py_ssize_t row = 0; row < count; row++) {
        Py_ssize_t needed = size_of(PySequence_Fast_GET_ITEM(changes, row));
        if (needed < 0) return NULL;
        *size += needed;
    }
    char *batch = *size <= ROOM_BYTES ? room : PyMem_RawMalloc(*size);
    if (batch == NULL) return (char *)PyErr_NoMemory();
    char *place = batch;
    for (Py_ssize_t row = 0; row < count; row++) place = append(place, PySequence_Fast_GET_ITEM(changes, row));
    return batch;
}

// commit(database, changes, sync) -> None, or the code of an error and its words.
static PyObject *commit(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    char words[4096];
    uint32_t length = 0;
    if (!right_count("commit", count)) return NULL;
    int64_t database = PyLong_AsLongLong(arguments[0]), sync = PyObject_IsTrue(arguments[2]), result;
    if (PyErr_Occurred()) return NULL;
    PyObject *changes = PySequence_Fast(arguments[1], "changes are pairs of key and value");
    if (changes == NULL) return NULL;
    Py_ssize_t size;
    char *batch = encode(changes, &size);
    Py_DECREF(changes);
    if (batch == NULL) return NULL;
    Py_BEGIN_ALLOW_THREADS
    result = badger_commit(database, batch, size, sync, words, sizeof words);
    Py_END_ALLOW_THREADS
    if (batch != room) PyMem_RawFree(batch);
    if (result >= 0) Py_RETURN_NONE;
    memcpy(&length, words, sizeof length);
    return Py_BuildValue("Ly#", (long long)result, words + 4, (Py_ssize_t)length);
}

static PyMethodDef methods[] = {
    {"bind", bind, METH_VARARGS, "bind(get, commit): take the addresses of the bridge's functions"},
    {"get", (PyCFunction)(void (*)(void))get, METH_FASTCALL, "get(database, snapshot, key)"},
    {"commit", (PyCFunction)(void (*)(void))commit, METH_FASTCALL, "commit(database, changes, sync)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "parity_badger_calls", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit_parity_badger_calls(void) { return PyModule_Create(&definition); }
