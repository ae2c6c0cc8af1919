/* What the parts of the framing extension share: options, the writer, the reader. */
#ifndef FASTCORE_FRAMING_CODEC_H
#define FASTCORE_FRAMING_CODEC_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "common/imports.h"
#include "common/macros.h"
#include "common/stack.h"

enum { FC_MAX_DEPTH = 128, FC_DEPTH_LIMIT = 256 };
#define FC_NO_LIMIT INT64_MAX

/* One test asks whether a level is the last, and at every sixteenth of the last 128 whether the stack takes more. */
FC_INLINE int fc_level_fits(int room) { return FC_LIKELY((room & 0x8F) != 0) || (room > 0 && fc_stack_guard() == 0); }

/* All references are borrowed from the call's arguments or held by the object that owns the options. */
typedef struct {
    PyObject *fallback;   /* `default`; NULL for none */
    PyObject *decimal;    /* NULL, or the str "str" or "float" */
    PyObject *errors;     /* NULL for strict */
    int single_float, bin_type, strict_types, datetime, numpy;
    int max_depth;
} fc_pack_options;

typedef struct {
    PyObject *object_hook, *object_pairs_hook, *list_hook, *ext_hook; /* NULL for none */
    PyObject *errors; /* NULL for strict */
    int use_list, raw, timestamp, strict_map_key;
    int max_depth;
    int walk_first; /* hooks must not see a message that is not good as a whole, and the builder knows no limits */
    int64_t max_str_len, max_bin_len, max_array_len, max_map_len, max_ext_len, max_memory;
} fc_unpack_options;

extern const fc_pack_options fc_pack_defaults;
extern const fc_unpack_options fc_unpack_defaults;

/* Keyword arguments as a call brings them: a vector with its names, or a dict. */
typedef struct {
    PyObject *const *values;
    PyObject *names; /* tuple, or NULL */
    PyObject *dict;  /* or NULL */
} fc_keywords;

/* Set one option; 1 if it was one of these, 0 if it is none of them, -1 with an error. */
int fc_pack_option(fc_pack_options *, PyObject *name, PyObject *value);
int fc_unpack_option(fc_unpack_options *, PyObject *name, PyObject *value);
int fc_unpack_options_done(fc_unpack_options *);
int fc_int_option(const char *name, PyObject *value, int64_t low, int64_t high, int64_t *out);

extern fc_import fc_ExtType, fc_Timestamp, fc_FormatError, fc_StackError, fc_BufferFull, fc_Incomplete, fc_ExtraData,
    fc_convert, fc_convert_rest, fc_frame_packed, fc_column_of;

/* -- packing ---------------------------------------------------------------------------------------------------- */

enum { FC_LOCAL = 2048, FC_SLACK = 32, FC_FRAME_HEADER = 10 };

/* The message grows in `local`, and in a bytes object once it is too long for that. At every item there are at least
   FC_SLACK bytes beyond `end`, so that headers and numbers are written without asking. */
typedef struct {
    char *base, *end;
    PyObject *bytes; /* owned; NULL while in `local` */
    const fc_pack_options *options;
    char local[FC_LOCAL];
} fc_writer;

void fc_writer_init(fc_writer *, const fc_pack_options *);
void fc_writer_drop(fc_writer *);
char *fc_writer_grow(fc_writer *, char *p, Py_ssize_t need); /* NULL with an error */
PyObject *fc_writer_finish(fc_writer *, char *from, char *to); /* a new bytes; ends the writer */

PyObject *fc_finish_frame(fc_writer *, char *p, int head);           /* the same, in a frame: see FC_FRAME_HEADER */

/* Append `obj` at `p`; the new end, or NULL with an error. */
char *fc_put(fc_writer *, char *p, PyObject *obj, int room, int converted);
char *fc_put_pairs(fc_writer *, char *p, PyObject *pairs, int room);
char *fc_put_long_str(fc_writer *, char *p, PyObject *obj);
char *fc_put_ext(fc_writer *, char *p, PyObject *obj);   /* an ExtType */
char *fc_put_stamp(fc_writer *, char *p, PyObject *obj); /* a Timestamp */
char *fc_too_long(PyObject *obj, Py_ssize_t n);          /* NULL with an error */
char *fc_put_timestamp(fc_writer *, char *p, int64_t seconds, uint32_t nanoseconds);

PyObject *fc_pack(PyObject *obj, const fc_pack_options *);
PyObject *fc_pack_pairs(PyObject *pairs, const fc_pack_options *); /* a list that no other code refers to */
PyObject *fc_header(int is_map, int64_t n);
PyObject *fc_frame(PyObject *obj, const fc_pack_options *, int head);
PyObject *fc_rows(PyObject *names, PyObject *values, PyObject *prefixes, PyObject *array_type, const fc_pack_options *,
                  int nan_as_none, int framed);

FC_INLINE int fc_fits_header(Py_ssize_t n) { return (uint64_t)n <= UINT32_MAX; }

FC_INLINE char *fc_room(fc_writer *w, char *p, Py_ssize_t need) {
    return FC_LIKELY(w->end - p >= need) ? p : fc_writer_grow(w, p, need);
}

FC_INLINE char *fc_be16(char *p, uint32_t x) {
    p[0] = (char)(x >> 8), p[1] = (char)x;
    return p + 2;
}

FC_INLINE char *fc_be32(char *p, uint32_t x) {
#if (defined(__GNUC__) || defined(__clang__)) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap32(x);
    memcpy(p, &x, 4);
#else
    p[0] = (char)(x >> 24), p[1] = (char)(x >> 16), p[2] = (char)(x >> 8), p[3] = (char)x;
#endif
    return p + 4;
}

FC_INLINE char *fc_be64(char *p, uint64_t x) {
#if (defined(__GNUC__) || defined(__clang__)) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap64(x);
    memcpy(p, &x, 8);
#else
    fc_be32(p, (uint32_t)(x >> 32));
    fc_be32(p + 4, (uint32_t)x);
#endif
    return p + 8;
}

FC_INLINE char *fc_head_array(char *p, uint64_t n) {
    if (n <= 0x0F) {
        *p = (char)(0x90 | n);
        return p + 1;
    }
    if (n <= 0xFFFF) {
        *p = (char)0xDC;
        return fc_be16(p + 1, (uint32_t)n);
    }
    *p = (char)0xDD;
    return fc_be32(p + 1, (uint32_t)n);
}

FC_INLINE char *fc_head_map(char *p, uint64_t n) {
    if (n <= 0x0F) {
        *p = (char)(0x80 | n);
        return p + 1;
    }
    if (n <= 0xFFFF) {
        *p = (char)0xDE;
        return fc_be16(p + 1, (uint32_t)n);
    }
    *p = (char)0xDF;
    return fc_be32(p + 1, (uint32_t)n);
}

FC_INLINE char *fc_put_uint(char *p, uint64_t x) {
    if (x < 0x80) {
        *p = (char)x;
        return p + 1;
    }
    if (x <= 0xFFFF) {
        if (x <= 0xFF) {
            p[0] = (char)0xCC, p[1] = (char)x;
            return p + 2;
        }
        *p = (char)0xCD;
        return fc_be16(p + 1, (uint32_t)x);
    }
    if (x <= 0xFFFFFFFF) {
        *p = (char)0xCE;
        return fc_be32(p + 1, (uint32_t)x);
    }
    *p = (char)0xCF;
    return fc_be64(p + 1, x);
}

FC_INLINE char *fc_put_int(char *p, int64_t x) {
    if (x >= 0) {
        return fc_put_uint(p, (uint64_t)x);
    }
    if (x >= -0x20) {
        *p = (char)x;
        return p + 1;
    }
    if (x >= -0x8000) {
        if (x >= -0x80) {
            p[0] = (char)0xD0, p[1] = (char)x;
            return p + 2;
        }
        *p = (char)0xD1;
        return fc_be16(p + 1, (uint32_t)x);
    }
    if (x >= -0x80000000LL) {
        *p = (char)0xD2;
        return fc_be32(p + 1, (uint32_t)x);
    }
    *p = (char)0xD3;
    return fc_be64(p + 1, (uint64_t)x);
}

FC_INLINE char *fc_put_double(char *p, double x) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    *p = (char)0xCB;
    return fc_be64(p + 1, bits);
}

/* Copy n <= 31 bytes without a call: two loads that overlap never leave the source. */
FC_INLINE void fc_copy_short(char *to, const char *from, size_t n) {
    if (n >= 16) {
        char a[16], b[16];
        memcpy(a, from, 16), memcpy(b, from + n - 16, 16);
        memcpy(to, a, 16), memcpy(to + n - 16, b, 16);
    } else if (n >= 8) {
        uint64_t a, b;
        memcpy(&a, from, 8), memcpy(&b, from + n - 8, 8);
        memcpy(to, &a, 8), memcpy(to + n - 8, &b, 8);
    } else if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, from, 4), memcpy(&b, from + n - 4, 4);
        memcpy(to, &a, 4), memcpy(to + n - 4, &b, 4);
    } else if (n) {
        to[0] = from[0];
        to[n >> 1] = from[n >> 1];
        to[n - 1] = from[n - 1];
    }
}

FC_INLINE char *fc_put_str(fc_writer *w, char *p, PyObject *obj) {
    if (FC_LIKELY(PyUnicode_IS_COMPACT_ASCII(obj))) {
        Py_ssize_t n = PyUnicode_GET_LENGTH(obj);
        if (FC_LIKELY(n <= 31)) {
            if ((p = fc_room(w, p, 0)) == NULL) {
                return NULL;
            }
            *p = (char)(0xA0 | n);
            fc_copy_short(p + 1, (const char *)(((PyASCIIObject *)obj) + 1), (size_t)n);
            return p + 1 + n;
        }
    }
    return fc_put_long_str(w, p, obj);
}

/* The shortest form of x without a branch, for numbers of mixed lengths; writes up to 9 bytes whatever its length. */
FC_INLINE char *fc_put_uint_steady(char *p, uint64_t x) {
#if defined(__GNUC__) || defined(__clang__)
    static const uint8_t HEAD[9] = {0, 0xCC, 0xCD, 0xCE, 0xCE, 0xCF, 0xCF, 0xCF, 0xCF};
    static const uint8_t BYTES[9] = {0, 1, 2, 4, 4, 8, 8, 8, 8};
    unsigned used = (71u - (unsigned)__builtin_clzll(x | 1)) / 8; /* 1 to 8 bytes */
    unsigned is_long = x >= 0x80;
    unsigned n = BYTES[is_long ? used : 0];
    *p = (char)(HEAD[is_long ? used : 0] | (is_long ? 0 : x));
    fc_be64(p + 1, x << ((64 - 8 * n) & 63));
    return p + 1 + n;
#else
    return fc_put_uint(p, x);
#endif
}

/* -- unpacking -------------------------------------------------------------------------------------------------- */

/* Where a walk over a message stands; see python_fallback/framing/decode.py, whose errors these are. */
typedef struct {
    int64_t memory, owed, left;
    int64_t limit; /* of a stream; -1: the data is all there will be */
    Py_ssize_t position;
    int in_map, depth;
    struct {
        int64_t left;
        int in_map;
    } outer[FC_DEPTH_LIMIT];
} fc_walk;

enum { FC_WALK_DONE = 0, FC_WALK_MORE = 1, FC_WALK_ERROR = -1 };
void fc_walk_init(fc_walk *, int64_t limit);
/* Go on at `position`; MORE (streams only, no exception) leaves it where the data lacks. */
int fc_walk_on(fc_walk *, const fc_unpack_options *, const uint8_t *data, Py_ssize_t size);

/* The object at *at, which moves on. NULL without an exception means that the message is not good: ask a walk why. */
PyObject *fc_build(const uint8_t **at, const uint8_t *end, const fc_unpack_options *);
PyObject *fc_build_whole(const uint8_t *data, const uint8_t *end, const fc_unpack_options *); /* one that was walked */
PyObject *fc_unpack(PyObject *data, const fc_unpack_options *);

/* -- sending ------------------------------------------------------------------------------------------------------ */

typedef struct {
    int fd; /* -1: of a client that is not sent to from here */
    Py_ssize_t size, sent;
    const char *data;
    void *client, *lines; /* borrowed, see fanout.pxi */
} fc_sending;

void fc_send_all(fc_sending *, Py_ssize_t n); /* without the GIL */

/* -- the module's functions, for framing.pyx ----------------------------------------------------------------------- */

PyObject *fc_function(int which, PyObject *module_name);

#endif
