#define PY_SSIZE_T_CLEAN
#include "switch/assignment.h"

#include "common/clock.h"
#include "common/forks.h"
#include "common/stack.h"

/* MurmurHash3_x86_32, Austin Appleby, public domain. */

static uint32_t rotate(uint32_t x, int by) { return (x << by) | (x >> (32 - by)); }

static uint32_t scramble(uint32_t k) { return rotate(k * UINT32_C(0xCC9E2D51), 15) * UINT32_C(0x1B873593); }

static uint32_t mix(uint32_t h, uint32_t k) { return rotate(h ^ scramble(k), 13) * 5 + UINT32_C(0xE6546B64); }

static uint32_t block(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t finish(uint32_t h, uint32_t rest, size_t size) {
    h ^= scramble(rest);
    h ^= (uint32_t)size;
    h = (h ^ h >> 16) * UINT32_C(0x85EBCA6B);
    h = (h ^ h >> 13) * UINT32_C(0xC2B2AE35);
    return h ^ h >> 16;
}

/* Hashes on from where `salt` is; what is left over after the last whole block replaces its rest. */
static inline void absorb(fc_salt *salt, const uint8_t *data, size_t size) {
    uint32_t h = salt->hash;
    uint64_t pending = salt->rest; /* less than a block of bits not hashed yet, and after a load up to one more */
    int bits = 8 * salt->rest_size;
    salt->size += size;
    for (; size >= 4; data += 4, size -= 4) {
        pending |= (uint64_t)block(data) << bits;
        h = mix(h, (uint32_t)pending);
        pending >>= 32;
    }
    for (; size > 0; size--, bits += 8) {
        pending |= (uint64_t)*data++ << bits;
    }
    if (bits >= 32) {
        h = mix(h, (uint32_t)pending);
        pending >>= 32;
        bits -= 32;
    }
    salt->hash = h;
    salt->rest = (uint32_t)pending;
    salt->rest_size = bits / 8;
}

static uint32_t murmur3_32(const uint8_t *data, size_t size, uint32_t seed) {
    fc_salt state = {seed, 0, 0, 0};
    absorb(&state, data, size);
    return finish(state.hash, state.rest, state.size);
}

int fc_salt_init(fc_salt *salt, PyObject *text) {
    Py_ssize_t size;
    const char *data = PyUnicode_AsUTF8AndSize(text, &size);
    if (data == NULL) {
        return -1;
    }
    *salt = (fc_salt){0, 0, 0, 0};
    absorb(salt, (const uint8_t *)data, (size_t)size);
    absorb(salt, (const uint8_t *)":", 1);
    return 0;
}

static uint32_t place_of(const fc_salt *salt, const void *data, size_t size) {
    fc_salt state = *salt;
    absorb(&state, data, size);
    return finish(state.hash, state.rest, state.size);
}

static int place_of_int(const fc_salt *salt, PyObject *key, uint32_t *place) {
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(key, &overflow);
    if (overflow == 0) {
        char digits[24], *p = digits + sizeof digits;
        unsigned long long left = value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value;
        do {
            *--p = (char)('0' + left % 10);
            left /= 10;
        } while (left != 0);
        if (value < 0) {
            *--p = '-';
        }
        *place = place_of(salt, p, (size_t)(digits + sizeof digits - p));
        return 0;
    }
    PyObject *text = PyLong_Type.tp_repr(key);
    if (text == NULL) {
        return -1;
    }
    int done = fc_place(salt, text, place);
    Py_DECREF(text);
    return done;
}

/* The text form of a key of another type, which both twins share. */
static PyObject *plain_key(PyObject *key) {
    PyObject *twin = PyImport_ImportModule("python_fallback.shared.assignment_key");
    PyObject *text = twin == NULL ? NULL : FC_GUARDED(PyObject_CallMethod(twin, "plain_key", "(O)", key));
    Py_XDECREF(twin);
    if (text != NULL && !PyUnicode_CheckExact(text)) {
        Py_CLEAR(text);
        PyErr_SetString(PyExc_SystemError, "plain_key: expected a str");
    }
    return text;
}

int fc_place(const fc_salt *salt, PyObject *key, uint32_t *place) {
    if (PyUnicode_Check(key)) {
        if (PyUnicode_IS_COMPACT_ASCII(key)) {
            *place = place_of(salt, PyUnicode_DATA(key), (size_t)PyUnicode_GET_LENGTH(key));
            return 0;
        }
        Py_ssize_t size;
        const char *data = PyUnicode_AsUTF8AndSize(key, &size);
        if (data != NULL) {
            *place = place_of(salt, data, (size_t)size);
            return 0;
        }
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) {
            return -1;
        }
        PyErr_Clear(); /* lone surrogates: a key comes from outside */
        PyObject *encoded = PyUnicode_AsEncodedString(key, "utf-8", "surrogatepass");
        if (encoded == NULL) {
            return -1;
        }
        *place = place_of(salt, PyBytes_AS_STRING(encoded), (size_t)PyBytes_GET_SIZE(encoded));
        Py_DECREF(encoded);
        return 0;
    }
    if (PyBytes_Check(key)) {
        *place = place_of(salt, PyBytes_AS_STRING(key), (size_t)PyBytes_GET_SIZE(key));
        return 0;
    }
    if (PyLong_Check(key)) {
        return place_of_int(salt, key, place);
    }
    PyObject *text = plain_key(key);
    int done = text == NULL ? -1 : fc_place(salt, text, place);
    Py_XDECREF(text);
    return done;
}

int fc_check_key(PyObject *key) {
    if (key == Py_None || PyUnicode_Check(key) || PyBytes_Check(key) || PyLong_Check(key)) {
        return 0;
    }
    PyObject *text = plain_key(key);
    Py_XDECREF(text);
    return text == NULL ? -1 : 0;
}

/* xorshift64 (Marsaglia 2003), seeded by splitmix64: enough for shares of calls, and a handful of instructions. */

static uint32_t generation = 1; /* guarded by the GIL */
static FC_THREAD_LOCAL uint32_t seeded; /* the generation this thread's state is of */
static FC_THREAD_LOCAL uint64_t state;

static uint64_t seed(void) {
    uint64_t x = fc_clock_ns() ^ (uint64_t)(uintptr_t)&state;
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    x ^= x >> 31;
    return x == 0 ? 1 : x;
}

uint32_t fc_random(void) {
    if (seeded != generation) {
        state = seed();
        seeded = generation;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

/* ---- what Python sees of it ---- */

static PyObject *assign_murmur3_32(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer data;
    unsigned long long seed = 0;
    if (!PyArg_ParseTuple(args, "y*|K:murmur3_32", &data, &seed)) {
        return NULL;
    }
    uint32_t hash = murmur3_32(data.buf, (size_t)data.len, (uint32_t)seed);
    PyBuffer_Release(&data);
    return PyLong_FromUnsignedLong(hash);
}

static PyObject *assign_bucket(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *text, *key;
    fc_salt salt;
    uint32_t place;
    if (!PyArg_ParseTuple(args, "UO:bucket", &text, &key)) {
        return NULL;
    }
    if (fc_salt_init(&salt, text) < 0 || fc_place(&salt, key, &place) < 0) {
        return NULL;
    }
    return PyLong_FromUnsignedLong(place);
}

static PyObject *assign_belongs(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *text, *key;
    unsigned long long threshold;
    fc_salt salt;
    uint32_t place;
    if (!PyArg_ParseTuple(args, "UKO:belongs", &text, &threshold, &key)) {
        return NULL;
    }
    if (key == Py_None) {
        place = fc_random();
    } else if (fc_salt_init(&salt, text) < 0 || fc_place(&salt, key, &place) < 0) {
        return NULL;
    }
    return PyBool_FromLong(place < threshold);
}

static PyObject *assign_reseed(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    generation++;
    Py_RETURN_NONE;
}

static PyMethodDef assign_methods[] = {
    {"murmur3_32", assign_murmur3_32, METH_VARARGS, NULL},
    {"bucket", assign_bucket, METH_VARARGS, NULL},
    {"belongs", assign_belongs, METH_VARARGS, NULL},
    {"_reseed", assign_reseed, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* A forked child draws a new seed, else all workers of one parent would draw the same numbers. */
int fc_assign_exec(PyObject *module) {
    return PyModule_AddFunctions(module, assign_methods) < 0 ? -1 : fc_follow_forks(module, "_reseed");
}
