/* The memory that a message grows in, and whole messages and frames made in it. */
#include "framing/codec.h"

static Py_ssize_t last_long; /* what the last long message took: a guess for the next */

void fc_writer_init(fc_writer *w, const fc_pack_options *options) {
    w->base = w->local;
    w->end = w->local + FC_LOCAL - FC_SLACK;
    w->bytes = NULL;
    w->options = options;
}

void fc_writer_drop(fc_writer *w) { Py_CLEAR(w->bytes); }

FC_NOINLINE char *fc_writer_grow(fc_writer *w, char *p, Py_ssize_t need) {
    Py_ssize_t used = p - w->base, size = w->end - w->base;
    if (need > PY_SSIZE_T_MAX / 4 - used) {
        PyErr_NoMemory();
        return NULL;
    }
    size = size * 2 > used + need ? size * 2 : used + need;
    if (w->bytes == NULL) {
        if (size < last_long) {
            size = last_long;
        }
        w->bytes = PyBytes_FromStringAndSize(NULL, size + FC_SLACK);
        if (w->bytes == NULL) {
            return NULL;
        }
        memcpy(PyBytes_AS_STRING(w->bytes), w->base, (size_t)used);
    } else if (_PyBytes_Resize(&w->bytes, size + FC_SLACK) < 0) {
        return NULL;
    }
    w->base = PyBytes_AS_STRING(w->bytes);
    w->end = w->base + size;
    return w->base + used;
}

PyObject *fc_writer_finish(fc_writer *w, char *from, char *to) {
    PyObject *done = w->bytes;
    if (done != NULL) {
        last_long = to - w->base + (to - w->base) / 16;
        if (last_long > (1 << 20)) {
            last_long = 1 << 20;
        }
        if (from == w->base) {
            w->bytes = NULL;
            _PyBytes_Resize(&done, to - from);
            return done;
        }
    }
    done = PyBytes_FromStringAndSize(from, to - from);
    Py_CLEAR(w->bytes);
    return done;
}

PyObject *fc_pack(PyObject *obj, const fc_pack_options *options) {
    fc_writer w;
    fc_writer_init(&w, options);
    char *p = fc_put(&w, w.base, obj, options->max_depth, 0);
    if (p == NULL) {
        fc_writer_drop(&w);
        return NULL;
    }
    return fc_writer_finish(&w, w.base, p);
}

PyObject *fc_pack_pairs(PyObject *pairs, const fc_pack_options *options) {
    fc_writer w;
    fc_writer_init(&w, options);
    char *p = fc_put_pairs(&w, w.base, pairs, options->max_depth);
    if (p == NULL) {
        fc_writer_drop(&w);
        return NULL;
    }
    return fc_writer_finish(&w, w.base, p);
}

PyObject *fc_header(int is_map, int64_t n) {
    char head[8];
    char *end = is_map ? fc_head_map(head, (uint64_t)n) : fc_head_array(head, (uint64_t)n);
    return PyBytes_FromStringAndSize(head, end - head);
}

/* One whole unmasked frame; its header is written last, into the room left before the payload, which ends at p. */
PyObject *fc_finish_frame(fc_writer *w, char *p, int head) {
    char *payload = w->base + FC_FRAME_HEADER;
    uint64_t n = (uint64_t)(p - payload);
    char *from;
    if (n < 126) {
        from = payload - 2;
        from[1] = (char)n;
    } else if (n <= 0xFFFF) {
        from = payload - 4;
        from[1] = 126;
        fc_be16(from + 2, (uint32_t)n);
    } else {
        from = payload - 10;
        from[1] = 127;
        fc_be64(from + 2, n);
    }
    from[0] = (char)(0x80 | head);
    return fc_writer_finish(w, from, p);
}

PyObject *fc_frame(PyObject *obj, const fc_pack_options *options, int head) {
    fc_writer w;
    fc_writer_init(&w, options);
    char *p = fc_put(&w, w.base + FC_FRAME_HEADER, obj, options->max_depth, 0);
    if (p == NULL) {
        fc_writer_drop(&w);
        return NULL;
    }
    return fc_finish_frame(&w, p, head);
}
