/* A program over whole series: a tile of bars through all nodes, then the next one. */
#include <float.h>

#include "indicators/gap_bits.h"
#include "indicators/program.h"

#include <stdlib.h>

/* Bars that all nodes take before the next ones: the values between nodes stay in L1. */
#define TILE 512
#define TILE_ROOM 4096 /* doubles in all slots: tiles of programs with few slots are longer */
/* Tiles are so many times as long as the longest look back at least, so that it costs little; without slots, which take
 * cache, longer. */
#define WIDE 4
#define ALONE 8
/* Programs of so many busy nodes and series fetch the next tile meanwhile, where it is far; others would wait for it. */
#define FETCH_NODES 3
#define FETCH_SERIES 2

/* Whether NaN is let through, and results made missing that lack a bar and do not show it by themselves. */
static int blanks(const fc_program *p) { return p->through == FC_BLANKED && !p->exact; }

static ptrdiff_t tile_of(const fc_program *p, ptrdiff_t n) {
    ptrdiff_t tile = TILE_ROOM / (p->tile_slots + 1), wanted = (p->tile_slots ? WIDE : ALONE) * p->longest;
    tile = tile > TILE ? tile : TILE;
    tile = tile > wanted ? tile : wanted;
    tile = tile > p->many ? tile : p->many;
    ptrdiff_t by = blanks(p) ? 64 : 8; /* bars whose bits are whole words; vectors */
    tile = p->n_chains ? tile & ~(ptrdiff_t)(TILE - 1) : (tile + by - 1) & -by; /* chains take bars by TILE */
    return tile < n ? tile : n;
}

/* Doubles of room for the places of values. */
static ptrdiff_t places_of(const fc_program *p) { return (p->n_in + p->n_out + p->n_slots + 7) & ~7; }

static ptrdiff_t slot_room(const fc_program *p, int slot, ptrdiff_t tile) {
    return ((p->history[slot] + tile + 7) & ~(ptrdiff_t)7) + 8 * 5;
}

/* Room for a bit for each bar, where results are made missing that lack a bar; whole cache lines. */
static ptrdiff_t words_of(const fc_program *p, ptrdiff_t n) {
    return blanks(p) ? (FC_WORDS(n) + 7) & ~(ptrdiff_t)7 : 0;
}

ptrdiff_t fc_program_scratch(const fc_program *p, ptrdiff_t n) {
    if (p->kernel) {
        return p->kernel->scratch(p->par);
    }
    ptrdiff_t tile = tile_of(p, n), room = (ptrdiff_t)(p->carry / sizeof(double)) + p->scratch + places_of(p);
    for (int s = 0; s < p->n_slots; s++) {
        room += slot_room(p, s, tile);
    }
    return room + words_of(p, n);
}

typedef struct {
    const fc_program *p;
    const double *const *in;
    double *const *out;
    double **place; /* the tile's first bar in each input, output and slot */
    ptrdiff_t begin, end, n; /* the tile; bars in all */
    char *carry;
    double *scratch;
    int through; /* whether NaN is let through */
    uint64_t *there; /* then: which bars are there */
    int remote; /* whether the series are beyond the caches */
} tiles;

/* Bar i of a value, within the tile or as far before it as is looked back to. */
FC_INLINE double *bar_of(const tiles *t, int v, ptrdiff_t i) {
    const fc_value *value = t->p->values + v;
    return t->place[value->place] + (i - t->begin - value->bars);
}

FC_INLINE ptrdiff_t later(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

static void place_series(tiles *t) {
    const fc_program *p = t->p;
    for (int j = 0; j < p->n_in; j++) {
        t->place[j] = (double *)t->in[j] + t->begin;
    }
    for (int j = 0; j < p->n_out; j++) {
        t->place[p->n_in + j] = t->out[j] + t->begin;
    }
}

/* Whether a doubtful input of a node has bars that are not finite. */
static FC_NOINLINE int has_bad_input(const tiles *t, const fc_node *node, ptrdiff_t begin, ptrdiff_t end) {
    for (int j = 0; j < node->op->n_in; j++) {
        if (node->doubtful[j]) {
            ptrdiff_t first = later(t->p->values[node->in[j]].first, begin);
            if (first < end && !fc_all_finite(bar_of(t, node->in[j], first), end - first)) {
                return 1;
            }
        }
    }
    return 0;
}

/* Runs a node for n bars at `out`. */
FC_INLINE int run_bars(const tiles *t, const fc_node *node, const double *const *in, double *out, ptrdiff_t n) {
    void *carry = t->carry + node->carry;
    if (node->checks && (!t->through || t->p->through == FC_RESULTS)) {
        return node->checked(node->par, carry, in, out, n, t->through ? FC_INFINITE : FC_NOT_FINITE);
    }
    return node->block(node->par, carry, in, out, n, t->scratch) && !t->through;
}

/* The very first bar of a node that has no bar before it to read; then the inputs of the next one. */
static FC_NOINLINE int run_start(const tiles *t, int k, const double **in, double *out) {
    int values[FC_OP_IN], n = fc_program_reads(t->p, k, values);
    const double *first[FC_OP_IN];
    for (int j = 0; j < n; j++) {
        int starts = t->p->values[values[j]].starts;
        first[j] = starts ? t->p->nodes[values[j] - t->p->n_in].par : in[j];
        in[j]++;
    }
    return run_bars(t, t->p->nodes + k, first, out, 1);
}

/* Runs a node for bars of the tile. */
FC_INLINE int run_node(const tiles *t, int k, ptrdiff_t begin, ptrdiff_t end) {
    const fc_node *node = t->p->nodes + k;
    const double *in[FC_OP_IN];
    ptrdiff_t from = later(node->from, begin), at = from - t->begin;
    if (node->doubts && !t->through && has_bad_input(t, node, begin, end)) {
        return 1;
    }
    if (from >= end || node->idle || (node->once && t->begin > 0)) {
        return 0;
    }
    for (int j = 0; j < node->n_in; j++) {
        in[j] = t->place[node->place[j]] + (at - node->back[j]);
    }
    double *out = t->place[node->place[FC_OP_IN]] + at;
    if (node->starts && from == 0) {
        if (run_start(t, k, in, out)) {
            return 1;
        }
        from++;
        out++;
    }
    return from < end && run_bars(t, node, in, out, end - from);
}

static int run_nodes(const tiles *t, int first, int last, ptrdiff_t begin, ptrdiff_t end) {
    for (int k = first; k <= last; k++) {
        if (run_node(t, k, begin, end)) {
            return 1;
        }
    }
    return 0;
}

/* Once all averages of a chain are seeded it runs as one; the bars before that, and the last few, by its nodes. */
static int run_chain(const tiles *t, const fc_chain *chain) {
    const fc_program *p = t->p;
    const fc_node *node = p->nodes + chain->node;
    ptrdiff_t from = later(node[chain->stages - 1].first + 1, t->begin), done = 0;
    from = from < t->end ? from : t->end;
    if (run_nodes(t, chain->node, chain->last, t->begin, from)) {
        return 1;
    }
    if (from < t->end) {
        void *carry[FC_CHAIN];
        double *out = bar_of(t, p->n_in + chain->last, from);
        for (int i = 0; i < chain->stages; i++) {
            carry[i] = t->carry + node[i].carry;
        }
        done = node->op->chain(chain, carry, bar_of(t, node->in[0], from), out, t->end - from);
        if (done < 0 || (p->nodes[chain->last].checks && !fc_all_finite(out, done))) {
            return 1;
        }
    }
    return run_nodes(t, chain->node, chain->last, from + done, t->end);
}

/* Whether bars of an input within the tile are all finite. */
static int input_finite(const tiles *t, int j, ptrdiff_t from, ptrdiff_t to) {
    from = later(from, t->begin);
    to = to < t->end ? to : t->end;
    return from >= to || fc_all_finite(t->in[j] + from, to - from);
}

int fc_any_beyond(double *const *series, int count, ptrdiff_t from, ptrdiff_t n, double most) {
    int found = 0;
    for (int j = 0; j < count && n > from && !found; j++) {
        found = fc_isa_used()->gaps->any_beyond(series[j] + from, n - from, most);
    }
    return found;
}

/* The same of `count` values that stand at `place`, to the end of the tile. */
static int any_beyond(const tiles *t, double *const *place, int count, ptrdiff_t from, double most) {
    return fc_any_beyond(place, count, from, t->end - t->begin, most);
}

/* ---- NaN let through ---- */

/* Looks at the inputs of the tile; 1 if it declines. */
static int look_through(const tiles *t) {
    const fc_program *p = t->p;
    if (blanks(p)) {
        fc_isa_used()->gaps->find((const double *const *)t->place, p->n_in, t->end - t->begin,
                                  t->there + t->begin / 64);
    }
    return p->looks && any_beyond(t, t->place, p->n_in, 0, p->windowed ? FC_MODERATE : DBL_MAX);
}

/* Looks at the results of the tile, once those that lack a bar show it; 1 if it declines. */
static int doubts_results(const tiles *t) {
    const fc_program *p = t->p;
    return p->doubts && any_beyond(t, t->place + p->n_in, p->n_out, later(p->lookback - t->begin, 0), DBL_MAX);
}

/* Makes results of the series missing that lack a bar: not sooner, as nodes look back to outputs. 1 if it declines. */
static int blank_results(tiles *t) {
    for (int j = 0; j < t->p->n_out; j++) {
        fc_isa_used()->gaps->blank(t->out[j], t->there, t->n, t->p->lookback);
    }
    t->begin = 0;
    place_series(t);
    return doubts_results(t);
}

/* Asks for `bars` of what the next tile reads and writes, part k of it, so that it comes while this one is worked on. */
FC_INLINE void fetch_next(const tiles *t, int k, ptrdiff_t bars) {
    const fc_program *p = t->p;
    ptrdiff_t from = t->end - t->begin + bars * k, to = from + bars, left = t->n - t->begin;
    to = to < left ? to : left;
    for (int j = 0; j < p->n_in + p->n_out; j++) {
        const double *series = t->place[j];
        for (ptrdiff_t i = from; i < to; i += 8) {
            FC_PREFETCH(series + i);
        }
    }
}

static int run_tile(tiles *t) {
    const fc_program *p = t->p;
    int fetches = t->remote && p->busy >= FETCH_NODES && p->n_in + p->n_out >= FETCH_SERIES && t->end < t->n;
    ptrdiff_t part = fetches ? ((t->end - t->begin) / p->busy + 8) & ~(ptrdiff_t)7 : 0; /* whole cache lines */
    int fetched = 0;
    if (t->through && look_through(t)) {
        return 1;
    }
    for (int j = 0; j < p->n_in && !p->counted && !t->through; j++) {
        ptrdiff_t last = t->n - (p->shown[j] - 1);
        if (!(p->shown[j] ? input_finite(t, j, 0, p->lookback) && input_finite(t, j, last, t->n)
                          : input_finite(t, j, 0, t->n))) {
            return 1;
        }
    }
    const fc_chain *chain = p->chains, *end = chain + p->n_chains;
    for (int k = 0; k < p->n_nodes; k++) {
        int chained = chain < end && k == chain->node && !t->through;
        if (fetches && !p->nodes[k].idle) {
            fetch_next(t, fetched++, part);
        }
        if (chained ? run_chain(t, chain) : run_node(t, k, t->begin, t->end)) {
            return 1;
        }
        k = chained ? chain->last : k;
        chain += chained;
    }
    ptrdiff_t first = later(p->lookback, t->begin);
    if (t->through) {
        return !blanks(p) && doubts_results(t);
    }
    for (int j = 0; j < p->n_out; j++) {
        if (p->watched[j] == FC_LOOKED_AT && first < t->end && !fc_all_finite(t->out[j] + first, t->end - first)) {
            return 1;
        }
    }
    return 0;
}

static int run_tiles(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin,
                     double *scratch, int remote, int through) {
    ptrdiff_t tile = tile_of(p, n);
    tiles t;
    t.p = p;
    t.n = n;
    t.in = in;
    t.out = out;
    t.through = through;
    t.remote = remote;
    t.carry = (char *)scratch;
    scratch += p->carry / sizeof(double);
    t.place = (double **)(void *)scratch; /* a pointer is not larger than a double */
    double **slots = t.place + p->n_in + p->n_out;
    scratch += places_of(p);
    for (int s = 0; s < p->n_slots; s++) {
        slots[s] = scratch + p->history[s];
        scratch += slot_room(p, s, tile);
    }
    t.there = (uint64_t *)(void *)scratch;
    t.scratch = scratch + words_of(p, n);
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        if (node->op->begin) {
            node->op->begin(node->par, t.carry + node->carry);
        }
        if (node->op->skip) {
            node->op->skip(t.carry + node->carry, origin + node->from);
        }
    }
    for (t.begin = 0; t.begin < n; t.begin = t.end) {
        t.end = n - t.begin < tile ? n : t.begin + tile;
        place_series(&t);
        if (run_tile(&t)) {
            return 1;
        }
        for (int s = 0; t.end < n && s < p->n_slots; s++) {
            ptrdiff_t back = p->history[s];
            if (back) {
                memmove(slots[s] - back, slots[s] + tile - back, (size_t)back * sizeof(double));
            }
        }
    }
    for (int j = 0; j < p->n_out; j++) {
        fc_missing(out[j], p->blank[j] < n ? p->blank[j] : n);
    }
    return through && blanks(p) && blank_results(&t);
}

int fc_program_batch(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin,
                     double *scratch, int remote) {
    return p->kernel ? p->kernel->batch(p->par, in, out, n, scratch)
                     : run_tiles(p, in, out, n, origin, scratch, remote, 0);
}

/* A kernel, whose only tile is the series. */
static int kernel_through(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n,
                          double *scratch) {
    double *place[FC_MAX_IN + FC_MAX_OUT];
    tiles t = {.p = p, .in = in, .out = out, .place = place, .end = n, .n = n};
    if (!p->kernel->batch(p->par, in, out, n, scratch)) {
        return 0;
    }
    place_series(&t);
    t.there = malloc((size_t)FC_WORDS(n) * sizeof(*t.there));
    int declines = !t.there || look_through(&t) || (blanks(p) ? blank_results(&t) : doubts_results(&t));
    free(t.there);
    return declines;
}

int fc_program_through(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    return p->kernel ? kernel_through(p, in, out, n, scratch) : run_tiles(p, in, out, n, 0, scratch, 0, 1);
}
