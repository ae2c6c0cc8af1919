/* The walk over a message that checks all of it, in the order and the words of python_fallback/framing/decode.py. */
#include "framing/codec.h"

enum { INT_COST = 48, FLOAT_COST = 24, STR_COST = 80, BIN_COST = 40, EXT_COST = 250, LIST_COST = 64, DICT_COST = 64 };
enum { STR_BYTE = 4, LIST_ITEM = 8, DICT_FIRST = 176, DICT_ITEM = 56 };

typedef struct {
    fc_walk *state;
    const fc_unpack_options *options;
    const uint8_t *data;
    int64_t size;
} walker;

void fc_walk_init(fc_walk *s, int64_t limit) {
    s->memory = 0;
    s->owed = s->left = 1;
    s->limit = limit;
    s->position = 0;
    s->in_map = s->depth = 0;
}

static int lacks(const walker *w, int64_t end) {
    if (w->state->limit >= 0) {
        return FC_WALK_MORE;
    }
    PyObject *type = fc_get(&fc_Incomplete);
    if (type != NULL) {
        PyObject *error = PyObject_CallFunction(type, "LL", (long long)w->state->position, (long long)(end - w->size));
        if (error != NULL) {
            PyErr_SetObject(type, error);
            Py_DECREF(error);
        }
    }
    return FC_WALK_ERROR;
}

/* Ask for the bytes up to `end`; where no more will come, also for one byte for each item owed after that. */
static int require(const walker *w, int64_t end) {
    if (w->state->limit < 0) {
        end += w->state->owed - 1;
    }
    return FC_UNLIKELY(end > w->size) ? lacks(w, end) : FC_WALK_DONE;
}

static int check_fits(const walker *w, int64_t end) {
    const fc_walk *s = w->state;
    if (s->limit >= 0 && end + s->owed - 1 > s->limit) {
        fc_error(&fc_BufferFull, "max_buffer_size: expected a message that fits, got a longer one by byte %zd",
                 s->position);
        return FC_WALK_ERROR;
    }
    return FC_WALK_DONE;
}

static int check_memory(const walker *w, int64_t cost) {
    if (FC_UNLIKELY(cost > w->options->max_memory - w->state->memory)) {
        PyErr_Format(PyExc_ValueError, "max_memory: expected objects of at most %lld bytes, got more at byte %zd",
                     (long long)w->options->max_memory, w->state->position);
        return FC_WALK_ERROR;
    }
    return FC_WALK_DONE;
}

static int check_length(const walker *w, const char *name, int64_t most, int64_t n) {
    if (FC_UNLIKELY(n > most)) {
        PyErr_Format(PyExc_ValueError, "%s: expected a length of at most %lld at byte %zd, got %lld", name,
                     (long long)most, w->state->position, (long long)n);
        return FC_WALK_ERROR;
    }
    return FC_WALK_DONE;
}

static uint64_t big_endian(const uint8_t *p, int n) {
    uint64_t x = 0;
    while (n--) {
        x = x << 8 | *p++;
    }
    return x;
}

/* The length in the header at the position, of `bytes` bytes; *begin is where the header ends. */
static int read_length(const walker *w, int bytes, int64_t *n, int64_t *begin) {
    *begin = w->state->position + 1 + bytes;
    int more = require(w, *begin);
    if (more) {
        return more;
    }
    *n = (int64_t)big_endian(w->data + w->state->position + 1, bytes);
    return FC_WALK_DONE;
}

static int open_container(const walker *w, int head) {
    fc_walk *s = w->state;
    const fc_unpack_options *o = w->options;
    int is_map = head < 0x90 || head >= 0xDE, more;
    int64_t n = head & 0x0F, begin = s->position + 1;
    if (head >= 0xDC && (more = read_length(w, head & 1 ? 4 : 2, &n, &begin))) {
        return more;
    }
    if (check_length(w, is_map ? "max_map_len" : "max_array_len", is_map ? o->max_map_len : o->max_array_len, n)) {
        return FC_WALK_ERROR;
    }
    if (s->depth >= o->max_depth) {
        fc_error(&fc_StackError, "max_depth: expected at most %d nested levels, got more at byte %zd", o->max_depth,
                 s->position);
        return FC_WALK_ERROR;
    }
    int64_t cost = is_map ? DICT_COST + (n ? DICT_FIRST + n * DICT_ITEM : 0) : LIST_COST + n * LIST_ITEM;
    int64_t items = is_map ? 2 * n : n;
    if (check_memory(w, cost)) {
        return FC_WALK_ERROR;
    }
    if (s->limit < 0 && (more = require(w, begin + items))) {
        return more;
    }
    if (check_fits(w, begin + items)) {
        return FC_WALK_ERROR;
    }
    s->memory += cost;
    s->owed += items - 1;
    s->outer[s->depth].left = s->left - 1;
    s->outer[s->depth].in_map = s->in_map;
    s->depth++;
    s->left = items;
    s->in_map = is_map;
    s->position = (Py_ssize_t)begin;
    return FC_WALK_DONE;
}

static int check_timestamp(const walker *w, const uint8_t *body, int64_t n) {
    int64_t seconds;
    uint64_t nanoseconds = 0;
    if (n == 4) {
        seconds = (int64_t)big_endian(body, 4);
    } else if (n == 8) {
        uint64_t both = big_endian(body, 8);
        seconds = (int64_t)(both & (((uint64_t)1 << 34) - 1));
        nanoseconds = both >> 34;
    } else {
        nanoseconds = big_endian(body, 4);
        seconds = (int64_t)big_endian(body + 4, 8);
    }
    if (nanoseconds > 999999999) {
        fc_error(&fc_FormatError, "data: expected a timestamp of at most 999999999 nanoseconds at byte %zd, got %llu",
                 w->state->position, (unsigned long long)nanoseconds);
        return FC_WALK_ERROR;
    }
    if (w->options->timestamp == 3 && (seconds < -62135596800LL || seconds > 253402300799LL)) {
        PyErr_Format(PyExc_ValueError,
                     "timestamp: expected a datetime of the years 1 to 9999 at byte %zd, got %lld seconds",
                     w->state->position, (long long)seconds);
        return FC_WALK_ERROR;
    }
    return FC_WALK_DONE;
}

/* What the str, bin or ext at the position costs, and where it ends. */
static int measure(const walker *w, int head, int64_t *cost, int64_t *end) {
    static const uint8_t LENGTH_BYTES[] = {1, 2, 4};
    const fc_unpack_options *o = w->options;
    int64_t n, begin = w->state->position + 1;
    int is_ext = (head >= 0xC7 && head <= 0xC9) || (head >= 0xD4 && head <= 0xD8), more = 0;
    if (head < 0xC0) {
        n = head & 0x1F;
    } else if (head >= 0xD4 && head <= 0xD8) {
        n = (int64_t)1 << (head - 0xD4);
    } else {
        int first = head >= 0xD9 ? 0xD9 : head >= 0xC7 ? 0xC7 : 0xC4;
        if ((more = read_length(w, LENGTH_BYTES[head - first], &n, &begin))) {
            return more;
        }
    }
    const char *name = "max_str_len";
    int64_t most = o->max_str_len;
    *cost = STR_COST + STR_BYTE * n;
    if (is_ext) {
        name = "max_ext_len", most = o->max_ext_len, *cost = EXT_COST + n;
        begin++;
    } else if (head >= 0xC4 && head <= 0xC6) {
        name = "max_bin_len", most = o->max_bin_len, *cost = BIN_COST + n;
    }
    *end = begin + n;
    if (check_length(w, name, most, n) || check_fits(w, *end)) {
        return FC_WALK_ERROR;
    }
    if (is_ext && begin <= w->size && w->data[begin - 1] == 0xFF) {
        if (n != 4 && n != 8 && n != 12) {
            fc_error(&fc_FormatError, "data: expected a timestamp of 4, 8 or 12 bytes at byte %zd, got %lld",
                     w->state->position, (long long)n);
            return FC_WALK_ERROR;
        }
        if (*end <= w->size && check_timestamp(w, w->data + begin, n)) {
            return FC_WALK_ERROR;
        }
    }
    return FC_WALK_DONE;
}

static int is_key(int head) {
    return (head >= 0xA0 && head <= 0xBF) || (head >= 0xC4 && head <= 0xC6) || (head >= 0xD9 && head <= 0xDB);
}

int fc_walk_on(fc_walk *s, const fc_unpack_options *options, const uint8_t *data, Py_ssize_t size) {
    static const uint8_t FIXED[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8}; /* from 0xCA */
    walker w = {s, options, data, size};
    for (;;) {
        int more;
        while (s->left == 0) {
            if (s->depth == 0) {
                return FC_WALK_DONE;
            }
            s->depth--;
            s->left = s->outer[s->depth].left;
            s->in_map = s->outer[s->depth].in_map;
        }
        if (s->position >= size && (more = require(&w, s->position + 1))) {
            return more;
        }
        int head = data[s->position];
        if (s->in_map && !(s->left & 1) && options->strict_map_key && !is_key(head)) {
            PyErr_Format(PyExc_ValueError,
                         "strict_map_key: expected a key of type str or bytes at byte %zd, got header 0x%02x",
                         s->position, head);
            return FC_WALK_ERROR;
        }
        int64_t cost, end;
        if (head < 0x80 || head >= 0xE0) {
            cost = INT_COST, end = s->position + 1;
        } else if (head >= 0xCA && head <= 0xD3) {
            cost = head <= 0xCB ? FLOAT_COST : INT_COST, end = s->position + 1 + FIXED[head - 0xCA];
        } else if (head == 0xC1) {
            fc_error(&fc_FormatError, "data: expected a msgpack header at byte %zd, got 0xc1", s->position);
            return FC_WALK_ERROR;
        } else if (head >= 0xC0 && head <= 0xC3) {
            cost = 0, end = s->position + 1;
        } else if (head < 0xA0 || head >= 0xDC) {
            if ((more = open_container(&w, head))) {
                return more;
            }
            continue;
        } else if ((more = measure(&w, head, &cost, &end))) {
            return more;
        }
        if (check_memory(&w, cost)) {
            return FC_WALK_ERROR;
        }
        if ((more = require(&w, end))) {
            return more;
        }
        s->memory += cost;
        s->left--;
        s->owed--;
        s->position = (Py_ssize_t)end;
    }
}
