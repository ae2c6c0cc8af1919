/* msgpack to objects. The builder checks bounds, depth and what each container promises, and leaves all words to the
 * walk. */
#include "framing/codec.h"
#include <datetime.h>

/* Keys come again and again: short ASCII ones are kept, and each remembers which one came after it last time. */
enum { KEYS = 1024, KEY_BYTES = 32 };
typedef struct {
    PyObject *key; /* owned; NULL where the slot is free */
    uint8_t coded[KEY_BYTES]; /* with its header */
    uint16_t next;
} known_key;
static known_key known[KEYS];

typedef struct {
    const uint8_t *at, *end;
    const fc_unpack_options *options;
    int64_t owed; /* items that the open containers lack: never more than there are bytes */
    unsigned last;
} reader;

static PyObject *take(reader *r, int room);

FC_INLINE uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }

FC_INLINE uint32_t get32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

FC_INLINE uint64_t get64(const uint8_t *p) { return (uint64_t)get32(p) << 32 | get32(p + 4); }

FC_INLINE int is_ascii(const uint8_t *p, size_t n) {
    uint64_t seen = 0, word;
    if (n < 8) {
        uint8_t any = 0;
        for (size_t i = 0; i < n; i++) {
            any |= p[i];
        }
        return any < 0x80;
    }
    for (size_t i = 0; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        seen |= word;
    }
    memcpy(&word, p + n - 8, 8);
    return !((seen | word) & 0x8080808080808080ULL);
}

static PyObject *decode(const uint8_t *p, size_t n, const fc_unpack_options *o) {
    if (o->errors != NULL) {
        const char *errors = PyUnicode_AsUTF8(o->errors);
        return errors == NULL ? NULL : PyUnicode_DecodeUTF8((const char *)p, (Py_ssize_t)n, errors);
    }
    return PyUnicode_DecodeUTF8((const char *)p, (Py_ssize_t)n, NULL);
}

FC_INLINE PyObject *make_str(const uint8_t *p, size_t n, const fc_unpack_options *o) {
    if (FC_UNLIKELY(o->raw)) {
        return PyBytes_FromStringAndSize((const char *)p, (Py_ssize_t)n);
    }
    if (FC_LIKELY(n > 1 && is_ascii(p, n))) { /* those of one character are there already */
        PyObject *text = PyUnicode_New((Py_ssize_t)n, 127);
        if (text != NULL) {
            if (n <= 31) {
                fc_copy_short((char *)PyUnicode_1BYTE_DATA(text), (const char *)p, n);
            } else {
                memcpy(PyUnicode_1BYTE_DATA(text), p, n);
            }
        }
        return text;
    }
    return decode(p, n, o);
}

FC_INLINE int is_known(const known_key *k, const uint8_t *p, size_t n) {
    if (k->key == NULL || k->coded[0] != p[0]) {
        return 0;
    }
    if (n >= 8) {
        uint64_t a, b, c, d;
        memcpy(&a, k->coded, 8), memcpy(&b, p, 8);
        memcpy(&c, k->coded + n - 8, 8), memcpy(&d, p + n - 8, 8);
        return a == b && c == d && (n <= 16 || memcmp(k->coded + 8, p + 8, n - 8) == 0);
    }
    return memcmp(k->coded + 1, p + 1, n - 1) == 0;
}

FC_INLINE unsigned slot_of(const uint8_t *p, size_t n) {
    uint64_t a = 0, b = 0;
    if (n >= 8) {
        memcpy(&a, p, 8), memcpy(&b, p + n - 8, 8);
    } else {
        memcpy(&a, p, n);
    }
    a = (a ^ (b << 29 | b >> 35)) * 0x9E3779B97F4A7C15ULL;
    return (unsigned)(a >> 40) & (KEYS - 1);
}

/* The key of `n` coded bytes at p, header included; a new reference. */
static PyObject *make_key(reader *r, const uint8_t *p, size_t n) {
    unsigned slot = known[r->last].next;
    known_key *k = &known[slot];
    if (FC_UNLIKELY(!is_known(k, p, n))) {
        slot = slot_of(p, n);
        k = &known[slot];
        if (!is_known(k, p, n)) {
            PyObject *key = make_str(p + 1, n - 1, r->options), *old = k->key;
            if (key == NULL || !PyUnicode_IS_COMPACT_ASCII(key)) {
                return key;
            }
#if PY_VERSION_HEX < 0x030C0000 || PY_VERSION_HEX >= 0x030D0000
            PyUnicode_InternInPlace(&key); /* in 3.12 it would never be freed */
#endif
            k->key = Py_NewRef(key);
            memcpy(k->coded, p, n);
            Py_XDECREF(old); /* a str: frees memory, runs nothing */
            known[r->last].next = (uint16_t)slot;
            r->last = slot;
            return key;
        }
        known[r->last].next = (uint16_t)slot;
    }
    r->last = slot;
    return Py_NewRef(k->key);
}

static PyObject *call_hook(PyObject *hook, PyObject *stolen) {
    if (stolen == NULL || hook == NULL) {
        return stolen;
    }
    PyObject *result = FC_GUARDED(PyObject_CallOneArg(hook, stolen));
    Py_DECREF(stolen);
    return result;
}

static PyObject *take_array(reader *r, int64_t n, int room) {
    r->owed += n;
    if (FC_UNLIKELY(r->owed > r->end - r->at || !fc_level_fits(room))) {
        return NULL;
    }
    PyObject *items;
    if (r->options->use_list) {
        if ((items = PyList_New((Py_ssize_t)n)) == NULL) {
            return NULL;
        }
        PyObject_GC_UnTrack(items); /* gc.get_objects() must not return it before it is complete */
        PyObject **out = ((PyListObject *)items)->ob_item;
        for (int64_t i = 0; i < n; i++) {
            if (FC_UNLIKELY((out[i] = take(r, room - 1)) == NULL)) {
                Py_DECREF(items);
                return NULL;
            }
        }
        PyObject_GC_Track(items);
    } else {
        if ((items = PyTuple_New((Py_ssize_t)n)) == NULL) {
            return NULL;
        }
        if (n) { /* the empty one is everybody's */
            PyObject_GC_UnTrack(items);
            for (int64_t i = 0; i < n; i++) {
                PyObject *item = take(r, room - 1);
                if (item == NULL) {
                    Py_DECREF(items);
                    return NULL;
                }
                PyTuple_SET_ITEM(items, i, item);
            }
            PyObject_GC_Track(items);
        }
    }
    return call_hook(r->options->list_hook, items);
}

/* The next key, which takes part in `owed` as every item does. */
FC_INLINE PyObject *take_key(reader *r, int room) {
    if (FC_LIKELY(r->at < r->end)) {
        unsigned head = *r->at;
        if (FC_LIKELY(head >= 0xA0 && head <= 0xBF && !r->options->raw)) {
            size_t n = (head & 0x1F) + 1;
            if (FC_UNLIKELY((size_t)(r->end - r->at) < n)) {
                return NULL;
            }
            const uint8_t *p = r->at;
            r->at += n;
            r->owed--;
            return FC_LIKELY(r->options->errors == NULL) ? make_key(r, p, n) : decode(p + 1, n - 1, r->options);
        }
        if (r->options->strict_map_key && !(head >= 0xA0 && head <= 0xBF) && !(head >= 0xC4 && head <= 0xC6) &&
            !(head >= 0xD9 && head <= 0xDB)) {
            return NULL;
        }
    }
    return take(r, room);
}

static PyObject *take_pairs(reader *r, int64_t n, int room) {
    PyObject *pairs = PyList_New(0); /* appended to: hooks below may look at it */
    for (int64_t i = 0; i < n && pairs != NULL; i++) {
        PyObject *key = take_key(r, room - 1);
        PyObject *value = key == NULL ? NULL : take(r, room - 1);
        PyObject *pair = value == NULL ? NULL : PyTuple_Pack(2, key, value);
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (pair == NULL || PyList_Append(pairs, pair) < 0) {
            Py_CLEAR(pairs);
        }
        Py_XDECREF(pair);
    }
    return call_hook(r->options->object_pairs_hook, pairs);
}

static PyObject *take_map(reader *r, int64_t n, int room) {
    r->owed += 2 * n;
    if (FC_UNLIKELY(r->owed > r->end - r->at || !fc_level_fits(room))) {
        return NULL;
    }
    if (FC_UNLIKELY(r->options->object_pairs_hook != NULL)) {
        return take_pairs(r, n, room);
    }
    PyObject *map = n > 5 ? _PyDict_NewPresized((Py_ssize_t)n) : PyDict_New();
    if (map == NULL) {
        return NULL;
    }
    for (int64_t i = 0; i < n; i++) {
        PyObject *key = take_key(r, room - 1);
        if (FC_UNLIKELY(key == NULL)) {
            Py_DECREF(map);
            return NULL;
        }
        PyObject *value = take(r, room - 1);
        int failed = value == NULL || PyDict_SetItem(map, key, value) < 0;
        Py_DECREF(key);
        Py_XDECREF(value);
        if (FC_UNLIKELY(failed)) {
            Py_DECREF(map);
            return NULL;
        }
    }
    return call_hook(r->options->object_hook, map);
}

static PyObject *epoch_plus(int64_t seconds, uint32_t nanoseconds) {
    if (PyDateTimeAPI == NULL) {
        PyDateTime_IMPORT;
        if (PyDateTimeAPI == NULL) {
            return NULL;
        }
    }
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400, days--;
    }
    PyObject *epoch = PyDateTimeAPI->DateTime_FromDateAndTime(1970, 1, 1, 0, 0, 0, 0, PyDateTime_TimeZone_UTC,
                                                              PyDateTimeAPI->DateTimeType);
    PyObject *delta = PyDelta_FromDSU((int)days, (int)rest, (int)(nanoseconds / 1000));
    PyObject *sum = epoch == NULL || delta == NULL ? NULL : PyNumber_Add(epoch, delta);
    Py_XDECREF(epoch);
    Py_XDECREF(delta);
    return sum;
}

static PyObject *make_timestamp(const uint8_t *p, size_t n, int form) {
    int64_t seconds;
    uint32_t nanoseconds = 0;
    if (n == 4) {
        seconds = get32(p);
    } else if (n == 8) {
        uint64_t both = get64(p);
        seconds = (int64_t)(both & (((uint64_t)1 << 34) - 1));
        nanoseconds = (uint32_t)(both >> 34);
    } else if (n == 12) {
        nanoseconds = get32(p);
        seconds = (int64_t)get64(p + 4);
    } else {
        return NULL;
    }
    if (nanoseconds > 999999999 || (form == 3 && (seconds < -62135596800LL || seconds > 253402300799LL))) {
        return NULL;
    }
    if (form == 1) {
        return PyFloat_FromDouble((double)seconds + (double)nanoseconds / 1e9);
    }
    if (form == 3) {
        return epoch_plus(seconds, nanoseconds);
    }
    if (form == 2) {
        PyObject *s = PyLong_FromLongLong(seconds), *giga = PyLong_FromLong(1000000000);
        PyObject *whole = s == NULL || giga == NULL ? NULL : PyNumber_Multiply(s, giga);
        PyObject *rest = PyLong_FromUnsignedLong(nanoseconds);
        PyObject *sum = whole == NULL || rest == NULL ? NULL : PyNumber_Add(whole, rest);
        Py_XDECREF(s), Py_XDECREF(giga), Py_XDECREF(whole), Py_XDECREF(rest);
        return sum;
    }
    PyObject *cls = fc_get(&fc_Timestamp);
    return cls == NULL ? NULL : PyObject_CallFunction(cls, "Lk", (long long)seconds, (unsigned long)nanoseconds);
}

/* The extension whose `n` bytes follow its code. */
static PyObject *take_ext(reader *r, size_t n) {
    if ((size_t)(r->end - r->at) < n + 1) {
        return NULL;
    }
    int code = (int8_t)r->at[0];
    const uint8_t *body = r->at + 1;
    r->at = body + n;
    if (code == -1) {
        return make_timestamp(body, n, r->options->timestamp);
    }
    PyObject *hook = r->options->ext_hook != NULL ? r->options->ext_hook : fc_get(&fc_ExtType);
    return hook == NULL ? NULL
                        : FC_GUARDED(PyObject_CallFunction(hook, "iy#", code, (const char *)body, (Py_ssize_t)n));
}

static PyObject *take_str(reader *r, size_t n) {
    const uint8_t *p = r->at;
    if (FC_UNLIKELY((size_t)(r->end - p) < n)) {
        return NULL;
    }
    r->at = p + n;
    return make_str(p, n, r->options);
}

static PyObject *take_bin(reader *r, size_t n) {
    const uint8_t *p = r->at;
    if (FC_UNLIKELY((size_t)(r->end - p) < n)) {
        return NULL;
    }
    r->at = p + n;
    return PyBytes_FromStringAndSize((const char *)p, (Py_ssize_t)n);
}

/* After its header of `size` bytes there is the rest of the item. */
#define HAVE(size)                                                                                                     \
    if (FC_UNLIKELY(r->end - p < (size))) {                                                                            \
        return NULL;                                                                                                   \
    }                                                                                                                  \
    r->at = p + (size)

static PyObject *take(reader *r, int room) {
    const uint8_t *p = r->at;
    if (FC_UNLIKELY(p >= r->end)) {
        return NULL;
    }
    unsigned head = *p++;
    r->at = p;
    r->owed--;
    if (head < 0x80) {
        return PyLong_FromLong((long)head);
    }
    if (head >= 0xE0) {
        return PyLong_FromLong((long)(int8_t)head);
    }
    if (head >= 0xA0 && head <= 0xBF) {
        return take_str(r, head & 0x1F);
    }
    switch (head) {
    case 0xC0:
        return Py_NewRef(Py_None);
    case 0xC2:
        return Py_NewRef(Py_False);
    case 0xC3:
        return Py_NewRef(Py_True);
    case 0xC4:
        HAVE(1);
        return take_bin(r, p[0]);
    case 0xC5:
        HAVE(2);
        return take_bin(r, get16(p));
    case 0xC6:
        HAVE(4);
        return take_bin(r, get32(p));
    case 0xC7:
        HAVE(1);
        return take_ext(r, p[0]);
    case 0xC8:
        HAVE(2);
        return take_ext(r, get16(p));
    case 0xC9:
        HAVE(4);
        return take_ext(r, get32(p));
    case 0xCA: {
        HAVE(4);
        uint32_t bits = get32(p);
        float x;
        memcpy(&x, &bits, 4);
        return PyFloat_FromDouble((double)x);
    }
    case 0xCB: {
        HAVE(8);
        uint64_t bits = get64(p);
        double x;
        memcpy(&x, &bits, 8);
        return PyFloat_FromDouble(x);
    }
    case 0xCC:
        HAVE(1);
        return PyLong_FromLong((long)p[0]);
    case 0xCD:
        HAVE(2);
        return PyLong_FromLong((long)get16(p));
    case 0xCE:
        HAVE(4);
        return PyLong_FromUnsignedLong(get32(p));
    case 0xCF:
        HAVE(8);
        return PyLong_FromUnsignedLongLong(get64(p));
    case 0xD0:
        HAVE(1);
        return PyLong_FromLong((long)(int8_t)p[0]);
    case 0xD1:
        HAVE(2);
        return PyLong_FromLong((long)(int16_t)get16(p));
    case 0xD2:
        HAVE(4);
        return PyLong_FromLong((long)(int32_t)get32(p));
    case 0xD3:
        HAVE(8);
        return PyLong_FromLongLong((int64_t)get64(p));
    case 0xD4:
    case 0xD5:
    case 0xD6:
    case 0xD7:
    case 0xD8:
        return take_ext(r, (size_t)1 << (head - 0xD4));
    case 0xD9:
        HAVE(1);
        return take_str(r, p[0]);
    case 0xDA:
        HAVE(2);
        return take_str(r, get16(p));
    case 0xDB:
        HAVE(4);
        return take_str(r, get32(p));
    case 0xDC:
        HAVE(2);
        return take_array(r, get16(p), room);
    case 0xDD:
        HAVE(4);
        return take_array(r, get32(p), room);
    case 0xDE:
        HAVE(2);
        return take_map(r, get16(p), room);
    case 0xDF:
        HAVE(4);
        return take_map(r, get32(p), room);
    case 0xC1:
        return NULL;
    default:
        return head < 0x90 ? take_map(r, head & 0x0F, room) : take_array(r, head & 0x0F, room);
    }
}

PyObject *fc_build(const uint8_t **at, const uint8_t *end, const fc_unpack_options *options) {
    reader r = {*at, end, options, 1, 0};
    PyObject *found = take(&r, options->max_depth);
    *at = r.at;
    return found;
}
