/* A program over a series with missing bars: its nodes run one after the other over a tile of bars. Each kind of operator
 * treats missing bars in its own way. A map computes through them. A recurrence gets the other bars packed, and so do maps of
 * its results. A window gets the bar before in place of a missing one, and its results that depend on one are missing. An
 * operator that counts the values of its window gets NaN.
 */
#include "indicators/gaps.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "indicators/gap_bits.h"
#include "indicators/room.h"

#define TILE 1024
#define TILE_MOST 8192 /* grown so far so that looking back costs little */
#define SPARE 40 /* values after a tile that a block may read */

/* A value at the bars of a tile. */
typedef struct {
    const double *raw; /* of an input, as it was given; of others NULL */
    double *series, *packed; /* of all bars, filled, after those of earlier tiles; of the bars in `packed_there` */
    uint64_t *inputs, *results; /* memory for bars: those that have a node's inputs, and those that have its result */
    const uint64_t *there, *packed_there;
    ptrdiff_t back; /* how many earlier ones */
    double *open; /* of all bars, NaN where they are missing; only if some are `infinite` */
    int has_series, constant, infinite;
} tile_value;

enum { SERIES, PACKED, HOLED }; /* forms of a value */

/* What a window keeps from tile to tile. */
typedef struct {
    ptrdiff_t until; /* bars that lack a result, from the tile's first on */
    ptrdiff_t begin; /* the first bar that it is run for, or -1 before there is one */
    int goes_on; /* whether the bar before the tile has a result */
} window_state;

typedef struct {
    const fc_program *p;
    const fc_gap_passes *pass;
    ptrdiff_t tile, n; /* room for bars, and how many there are */
    tile_value *values;
    window_state *windows; /* of each node */
    uint64_t *bits, *all, *both;
    double *holed[FC_OP_IN], *scratch;
    char *carry; /* at the beginning of a cache line */
    double *memory;
} gaps;

static ptrdiff_t tile_of(const fc_program *p, ptrdiff_t n) {
    ptrdiff_t tile = 4 * p->longest < TILE_MOST ? 4 * p->longest : p->longest > TILE_MOST ? p->longest : TILE_MOST;
    tile = tile > TILE ? tile : TILE;
    return tile < n ? tile : n;
}

static void find_back(gaps *g) {
    for (int k = 0; k < g->p->n_nodes; k++) {
        const fc_node *node = g->p->nodes + k;
        ptrdiff_t lag = node->op->kind == FC_LOOK_BACK ? fc_lag_of(node) : 0;
        for (int j = 0; j < node->op->n_in; j++) {
            ptrdiff_t *back = &g->values[node->in[j]].back;
            *back = lag > *back ? lag : *back;
        }
        g->windows[k] = (window_state){lag, -1, 0};
    }
}

static void close_gaps(gaps *g) {
    free(g->values);
    free(g->windows);
    free(g->bits);
    fc_room_give(g->memory);
}

static int open_gaps(gaps *g, const fc_program *p, ptrdiff_t n) {
    size_t values = (size_t)p->n_values;
    g->p = p;
    g->pass = fc_isa_used()->gaps;
    g->tile = tile_of(p, n);
    size_t words = (size_t)FC_WORDS(g->tile);
    g->values = calloc(values, sizeof(*g->values));
    g->windows = calloc((size_t)p->n_nodes + 1, sizeof(*g->windows));
    g->bits = malloc((2 * values + 2) * words * sizeof(*g->bits));
    if (!g->values || !g->windows || !g->bits) {
        return -1;
    }
    find_back(g);
    ptrdiff_t carry = (ptrdiff_t)(p->carry / sizeof(double)), pitch = g->tile + SPARE, room = carry + p->scratch;
    for (int v = 0; v < p->n_values; v++) {
        g->values[v].back = g->values[v].back ? g->values[v].back : 1;
        room += g->values[v].back + 3 * pitch;
    }
    g->memory = fc_room_take((size_t)(room + FC_OP_IN * pitch) * sizeof(double) + 2 * FC_LINE);
    if (!g->memory) {
        return -1;
    }
    double *at = fc_on_line(g->memory);
    g->carry = (char *)at;
    memset(g->carry, 0, p->carry);
    at += carry;
    for (int v = 0; v < p->n_values; v++) {
        tile_value *value = g->values + v;
        fc_missing(at, value->back + pitch);
        value->series = at + value->back;
        value->packed = value->series + pitch;
        value->inputs = g->bits + 2 * (size_t)v * words;
        value->results = value->inputs + words;
        value->open = value->packed + pitch;
        at = value->open + pitch;
    }
    for (int j = 0; j < FC_OP_IN; j++, at += pitch) {
        g->holed[j] = at;
        fc_missing(at, pitch);
    }
    g->scratch = fc_on_line(at);
    g->all = g->bits + 2 * values * words;
    g->both = g->all + words;
    return 0;
}

/* ---- which bars are there ---- */

static size_t words_of(const gaps *g) { return (size_t)FC_WORDS(g->n); }

static int same_bars(const gaps *g, const uint64_t *a, const uint64_t *b) {
    return a == b || !memcmp(a, b, words_of(g) * sizeof(*a));
}

/* The bars at which all inputs of node k are there. */
static const uint64_t *there_of(gaps *g, int k) {
    const fc_node *node = g->p->nodes + k;
    const uint64_t *found = NULL;
    uint64_t *both = g->values[g->p->n_in + k].inputs;
    for (int j = 0; j < node->op->n_in; j++) {
        const tile_value *value = g->values + node->in[j];
        if (value->constant || (found && same_bars(g, found, value->there))) {
            continue;
        }
        for (size_t w = 0; found && w < words_of(g); w++) {
            both[w] = found[w] & value->there[w];
        }
        found = found ? both : value->there;
    }
    return found ? found : g->all;
}

/* ---- the forms of a value ---- */

/* What replaces missing bars at the beginning of a tile: the last value before it, or else the first one in it. */
static double last_before(const gaps *g, const tile_value *value, const double *x, const uint64_t *there) {
    double last = value->series[-1];
    ptrdiff_t first = last - last == 0.0 ? g->n : fc_next_bar(there, 0, g->n, 1);
    return first < g->n ? x[first] : last;
}

static const double *series_of(gaps *g, int v) {
    tile_value *value = g->values + v;
    if (!value->has_series) {
        if (value->raw) {
            g->pass->fill(value->raw, value->there, g->n, last_before(g, value, value->raw, value->there),
                          value->series);
        } else {
            double last = value->series[-1];
            last = last - last == 0.0 ? last : value->packed[0];
            g->pass->unpack(value->packed, value->there, g->n, 1, last, value->series);
        }
        value->has_series = 1;
    }
    return value->series;
}

static const double *packed_of(gaps *g, int v, const uint64_t *there) {
    tile_value *value = g->values + v;
    if (value->constant) {
        return value->series;
    }
    if (!value->packed_there || !same_bars(g, value->packed_there, there)) {
        g->pass->pack(value->raw ? value->raw : series_of(g, v), there, g->n, value->packed);
        value->packed_there = there;
    }
    return value->packed;
}

/* With NaN where a bar is missing. */
static const double *holed_of(gaps *g, int v, double *to) {
    const tile_value *value = g->values + v;
    if (value->infinite) {
        return value->open;
    }
    memcpy(to, value->raw ? value->raw : series_of(g, v), (size_t)g->n * sizeof(double));
    g->pass->blank(to, value->there, g->n, 0);
    return to;
}

/* Notes results that are there where `there` says, of bar `from` and later ones, unless they are not finite. */
static void finish_series(gaps *g, tile_value *value, const uint64_t *there, ptrdiff_t from) {
    const double *series = value->series;
    value->there = there;
    value->has_series = 1;
    if (fc_all_finite(series + from, g->n - from)) {
        return;
    }
    if (g->pass->any_beyond(series + from, g->n - from, DBL_MAX)) {
        value->infinite = 1;
        memcpy(value->open, series, (size_t)g->n * sizeof(double));
        g->pass->blank(value->open, there, g->n, 0);
    }
    g->pass->find(&series, 1, g->n, g->both);
    for (size_t w = 0; w < words_of(g); w++) {
        value->results[w] = there[w] & g->both[w];
    }
    value->there = value->results;
    g->pass->fill(series, value->there, g->n, last_before(g, value, series, value->there), value->series);
}

static void finish_packed(gaps *g, tile_value *value, const uint64_t *there, ptrdiff_t m) {
    value->there = value->packed_there = there;
    if (!fc_all_finite(value->packed, m)) {
        g->pass->unpack(value->packed, there, g->n, 0, 0.0, value->series);
        value->packed_there = NULL;
        finish_series(g, value, there, 0);
    }
}

/* ---- nodes ---- */

static int run_block(gaps *g, int k, const double *const *in, double *out, ptrdiff_t n) {
    const fc_node *node = g->p->nodes + k;
    return n > 0 && node->op->block(node->par, g->carry + node->carry, in, out, n, g->scratch);
}

/* In which form a node, other than a window, is given its inputs. A recurrence: packed. What counts the values of its window,
 * and a map that looks for NaN or has an infinite input, which is no gap for it: with NaN at missing bars. Another map:
 * packed if all inputs are, the same bars. */
static int form_of(const gaps *g, const fc_node *node, const uint64_t *there) {
    if (node->op->kind == FC_REMEMBER) {
        return PACKED;
    }
    int holed = node->op->kind == FC_COUNT || fc_node_is(node, "there"), packed = 0;
    for (int j = 0; j < node->op->n_in; j++) {
        const tile_value *value = g->values + node->in[j];
        int same = !value->constant && value->packed_there && same_bars(g, value->packed_there, there);
        holed |= value->infinite;
        packed = value->constant ? packed : same && packed >= 0 ? 1 : -1;
    }
    return holed ? HOLED : packed > 0 ? PACKED : SERIES;
}

/* A node other than a window. */
static int run_in_form(gaps *g, int k) {
    const fc_node *node = g->p->nodes + k;
    tile_value *value = g->values + g->p->n_in + k;
    const double *in[FC_OP_IN];
    if (value->constant) {
        value->there = g->all;
        value->has_series = 1;
        return run_block(g, k, in, value->series - value->back, value->back + g->n);
    }
    const uint64_t *there = there_of(g, k);
    int form = form_of(g, node, there);
    for (int j = 0; j < node->op->n_in; j++) {
        in[j] = form == HOLED    ? holed_of(g, node->in[j], g->holed[j])
                : form == PACKED ? packed_of(g, node->in[j], there)
                                 : series_of(g, node->in[j]);
    }
    ptrdiff_t n = form == PACKED ? fc_count_bars(there, g->n) : g->n;
    if (run_block(g, k, in, form == PACKED ? value->packed : value->series, n)) {
        return 1;
    }
    if (form == PACKED) {
        finish_packed(g, value, there, n);
    } else {
        finish_series(g, value, form == HOLED ? g->all : there, 0);
    }
    return 0;
}

/* The bars that have a result: not those that are missing, nor the `lag` that follow each. */
static void find_results(gaps *g, window_state *w, ptrdiff_t lag, const uint64_t *there, uint64_t *results) {
    ptrdiff_t until = w->until < g->n ? w->until : g->n, have = 1;
    ptrdiff_t last = fc_last_missing(there, g->n);
    memcpy(results, there, words_of(g) * sizeof(*there));
    for (; 2 * have <= lag + 1; have *= 2) {
        fc_and_earlier(results, g->n, have);
    }
    fc_and_earlier(results, g->n, lag + 1 - have);
    for (ptrdiff_t i = 0; i < until; i += 64) {
        results[i >> 6] &= until - i < 64 ? ~UINT64_C(0) << (until - i) : 0;
    }
    w->until = last >= 0 ? last + lag + 1 - g->n : w->until - g->n;
    w->until = w->until > 0 ? w->until : 0;
    w->goes_on = (int)(results[(g->n - 1) >> 6] >> ((g->n - 1) & 63) & 1);
}

/* A window whose results depend on the first bar it had begins again after each gap. */
static int run_held(gaps *g, int k, const double *const *in, const uint64_t *results, int goes_on, double *out) {
    const fc_node *node = g->p->nodes + k;
    const double *from[FC_OP_IN];
    for (ptrdiff_t i = fc_next_bar(results, 0, g->n, 1), end; i < g->n; i = fc_next_bar(results, end, g->n, 1)) {
        end = fc_next_bar(results, i, g->n, 0);
        if (i > 0 || !goes_on) {
            node->op->begin(node->par, g->carry + node->carry);
        }
        for (int j = 0; j < node->op->n_in; j++) {
            from[j] = in[j] + i;
        }
        if (run_block(g, k, from, out + i, end - i)) {
            return 1;
        }
    }
    return 0;
}

static int run_window(gaps *g, int k) {
    const fc_node *node = g->p->nodes + k;
    tile_value *value = g->values + g->p->n_in + k;
    window_state *w = g->windows + k;
    const uint64_t *there = there_of(g, k);
    const double *in[FC_OP_IN];
    int goes_on = w->goes_on;
    if (w->begin < 0) {
        ptrdiff_t first = fc_next_bar(there, 0, g->n, 1);
        w->begin = first < g->n ? first + fc_lag_of(node) : -1;
    }
    ptrdiff_t from = w->begin >= 0 && w->begin < g->n ? w->begin : g->n;
    for (int j = 0; j < node->op->n_in; j++) {
        in[j] = series_of(g, node->in[j]);
    }
    find_results(g, w, fc_lag_of(node), there, value->results);
    if (fc_is_held(node)) {
        fc_missing(value->series, g->n);
        if (run_held(g, k, in, value->results, goes_on, value->series)) {
            return 1;
        }
        from = 0;
    } else {
        for (int j = 0; j < node->op->n_in; j++) {
            in[j] += from;
        }
        if (node->op->skip) {
            node->op->skip(g->carry + node->carry, from);
        }
        if (run_block(g, k, in, value->series + from, g->n - from)) {
            return 1;
        }
    }
    w->begin = w->begin < 0 ? -1 : w->begin > g->n ? w->begin - g->n : 0;
    finish_series(g, value, value->results, from);
    return 0;
}

/* ---- tiles ---- */

static void begin_nodes(gaps *g, ptrdiff_t origin) {
    for (int k = 0; k < g->p->n_nodes; k++) {
        const fc_node *node = g->p->nodes + k;
        if (node->op->begin) {
            node->op->begin(node->par, g->carry + node->carry);
        }
        if (node->op->skip) {
            node->op->skip(g->carry + node->carry, origin);
        }
        g->values[g->p->n_in + k].constant = node->constant;
    }
}

/* Bars that lack an input lack all. */
static void begin_tile(gaps *g, const double *const *in, ptrdiff_t begin) {
    const double *raw[FC_MAX_IN];
    const fc_program *p = g->p;
    for (int j = 0; j < p->n_in; j++) {
        raw[j] = g->values[j].raw = in[j] + begin;
    }
    for (size_t w = 0; w < words_of(g); w++) {
        ptrdiff_t left = g->n - (ptrdiff_t)(64 * w);
        g->all[w] = left < 64 ? ~(~UINT64_C(0) << left) : ~UINT64_C(0);
    }
    g->pass->find(raw, p->n_in, g->n, g->values[0].results);
    for (int v = 0; v < p->n_values; v++) {
        tile_value *value = g->values + v;
        if (begin > 0 && value->has_series) {
            memmove(value->series - value->back, value->series - value->back + g->tile,
                    (size_t)value->back * sizeof(double));
        }
        value->has_series = value->infinite = 0;
        value->packed_there = NULL;
        value->there = g->values[0].results;
    }
    for (int j = 0; j < p->n_in && p->policy == FC_RECURRENCE; j++) { /* so that maps take packed bars */
        packed_of(g, j, g->values[j].there);
    }
}

/* Clears the bits of bars at which an output is missing; an infinite one is not. */
static void take_missing(const gaps *g, const tile_value *output, uint64_t *bars) {
    for (size_t w = 0; !output->infinite && w < words_of(g); w++) {
        bars[w] &= output->there[w];
    }
    for (ptrdiff_t i = 0; output->infinite && i < g->n; i++) {
        bars[i >> 6] &= ~((uint64_t)(output->open[i] != output->open[i]) << (i & 63));
    }
}

/* Results that lack an output lack all. */
static void give_outputs(gaps *g, double *const *out, ptrdiff_t begin) {
    const fc_program *p = g->p;
    memcpy(g->both, g->all, words_of(g) * sizeof(*g->both));
    for (int j = 0; j < p->n_out; j++) {
        take_missing(g, g->values + p->outputs[j], g->both);
    }
    for (int j = 0; j < p->n_out; j++) {
        const tile_value *value = g->values + p->outputs[j];
        double *to = out[j] + begin;
        if (!value->has_series && same_bars(g, value->packed_there, g->both)) {
            g->pass->unpack(value->packed, g->both, g->n, 0, 0.0, to);
        } else {
            const double *from = value->infinite ? value->open : series_of(g, p->outputs[j]);
            memcpy(to, from, (size_t)g->n * sizeof(double));
            g->pass->blank(to, g->both, g->n, 0);
        }
    }
}

int fc_program_gaps(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin) {
    gaps g = {.p = NULL};
    int failed = open_gaps(&g, p, n);
    if (!failed) {
        begin_nodes(&g, origin);
    }
    for (ptrdiff_t begin = 0; begin < n && !failed; begin += g.n) {
        g.n = n - begin < g.tile ? n - begin : g.tile;
        begin_tile(&g, in, begin);
        for (int k = 0; k < p->n_nodes && !failed; k++) {
            failed = p->nodes[k].op->kind == FC_LOOK_BACK ? run_window(&g, k) : run_in_form(&g, k);
        }
        if (!failed) {
            give_outputs(&g, out, begin);
        }
    }
    close_gaps(&g);
    return failed;
}
