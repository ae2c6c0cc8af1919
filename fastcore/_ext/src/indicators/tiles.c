/* A program over whole series: a tile of bars through all nodes, then the next one. */
#include "indicators/program.h"

/* Bars that all nodes take before the next ones: the values between nodes stay in L1. */
#define TILE 512
#define TILE_ROOM 4096 /* doubles in all slots: tiles of programs with few slots are longer */
#define TILE_MOST 8192 /* grown so far so that looking back costs little */
/* Programs of so many nodes and series have time to fetch the next tile meanwhile; others would wait for it. */
#define FETCH_NODES 12
#define FETCH_SERIES 3

static ptrdiff_t tile_of(const fc_program *p, ptrdiff_t n) {
    ptrdiff_t tile = TILE_ROOM / (p->n_slots + 1), wanted = 4 * p->longest;
    tile = tile > TILE ? tile : TILE;
    if (wanted > tile) {
        tile = wanted < TILE_MOST ? wanted : p->longest > TILE_MOST ? p->longest : TILE_MOST;
    }
    tile = tile > p->many ? tile : p->many;
    tile = p->n_chains ? tile & ~(ptrdiff_t)(TILE - 1) : (tile + 7) & ~(ptrdiff_t)7; /* chains take bars by TILE */
    return tile < n ? tile : n;
}

static ptrdiff_t slot_room(const fc_program *p, int slot, ptrdiff_t tile) {
    return ((p->history[slot] + tile + 7) & ~(ptrdiff_t)7) + 8 * 5;
}

ptrdiff_t fc_program_scratch(const fc_program *p, ptrdiff_t n) {
    if (p->kernel) {
        return p->kernel->scratch(p->par);
    }
    ptrdiff_t tile = tile_of(p, n), room = (ptrdiff_t)(p->carry / sizeof(double)) + p->scratch + p->n_slots + 7;
    for (int s = 0; s < p->n_slots; s++) {
        room += slot_room(p, s, tile);
    }
    return room;
}

typedef struct {
    const fc_program *p;
    const double *const *in;
    double *const *out;
    double **slots; /* the tile's first bar in each */
    ptrdiff_t begin, end, n; /* the tile; bars in all */
    char *carry;
    double *scratch;
    int through; /* whether NaN is let through */
} tiles;

/* Bar i of a value, within the tile or as far before it as is looked back to. */
static double *bar_of(const tiles *t, int v, ptrdiff_t i) {
    const fc_value *value = t->p->values + v;
    if (value->earlier >= 0) {
        i -= value->bars;
        value = t->p->values + value->earlier;
    }
    if (value->input >= 0) {
        return (double *)t->in[value->input] + i;
    }
    return value->output >= 0 ? t->out[value->output] + i : t->slots[value->slot] + (i - t->begin);
}

static ptrdiff_t later(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

/* Whether the operator of a node looks for results that are not finite, or infinite. */
static int checks(const tiles *t, int k) {
    int output = t->p->values[t->p->n_in + k].output;
    return output >= 0 && t->p->watched[output] == FC_CHECKED && (!t->through || t->p->through == FC_RESULTS);
}

/* Runs a node for bars of the tile. */
static int run_node(const tiles *t, int k, ptrdiff_t begin, ptrdiff_t end) {
    const fc_program *p = t->p;
    const fc_node *node = p->nodes + k;
    const double *in[FC_OP_IN];
    ptrdiff_t from = later(node->from, begin);
    for (int j = 0; j < node->op->n_in; j++) {
        if (node->doubtful[j] && !t->through) {
            ptrdiff_t first = later(p->values[node->in[j]].first, begin);
            if (first < end && !fc_all_finite(bar_of(t, node->in[j], first), end - first)) {
                return 1;
            }
        }
    }
    if (from >= end || p->values[p->n_in + k].earlier >= 0 ||
        (t->begin > 0 && node->constant && p->values[p->n_in + k].slot >= 0)) {
        return 0;
    }
    for (int j = 0; j < node->op->n_in; j++) {
        in[j] = bar_of(t, node->in[j], from);
    }
    double *out = bar_of(t, p->n_in + k, from);
    void *carry = t->carry + node->carry;
    if (checks(t, k)) {
        return node->op->checked(node->par, carry, in, out, end - from, t->through ? FC_INFINITE : FC_NOT_FINITE);
    }
    return node->op->block(node->par, carry, in, out, end - from, t->scratch);
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
        if (done < 0 || (checks(t, chain->last) && !fc_all_finite(out, done))) {
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

/* Asks for a part of what the next tile reads and writes, so that it comes while this one is worked on. */
static void fetch_next(const tiles *t, int k) {
    const fc_program *p = t->p;
    ptrdiff_t bars = t->n - t->end < t->end - t->begin ? t->n - t->end : t->end - t->begin;
    ptrdiff_t from = t->end + bars * k / p->n_nodes, to = t->end + bars * (k + 1) / p->n_nodes;
    for (ptrdiff_t i = from; i < to; i += 8) {
        for (int j = 0; j < p->n_in; j++) {
            FC_PREFETCH_LATER(t->in[j] + i);
        }
        for (int j = 0; j < p->n_out; j++) {
            FC_PREFETCH_LATER(t->out[j] + i);
        }
    }
}

static int run_tile(tiles *t) {
    const fc_program *p = t->p;
    int fetches = p->n_nodes >= FETCH_NODES && p->n_in + p->n_out >= FETCH_SERIES && t->end < t->n;
    for (int j = 0; j < p->n_in && t->through && p->through == FC_INPUTS; j++) {
        if (fc_isa_used()->gaps->any_infinite(t->in[j] + t->begin, t->end - t->begin)) {
            return 1;
        }
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
        if (fetches) {
            fetch_next(t, k);
        }
        if (chained ? run_chain(t, chain) : run_node(t, k, t->begin, t->end)) {
            return 1;
        }
        k = chained ? chain->last : k;
        chain += chained;
    }
    if (t->through) {
        return p->through == FC_RESULTS && p->watched[0] == FC_LOOKED_AT &&
               fc_isa_used()->gaps->any_infinite(t->out[0] + t->begin, t->end - t->begin);
    }
    for (int j = 0; j < p->n_out; j++) {
        ptrdiff_t first = later(p->lookback, t->begin);
        if (p->watched[j] == FC_LOOKED_AT && first < t->end && !fc_all_finite(t->out[j] + first, t->end - first)) {
            return 1;
        }
    }
    return 0;
}

static int run_tiles(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin,
                     double *scratch, int through) {
    ptrdiff_t tile = tile_of(p, n);
    tiles t;
    t.p = p;
    t.n = n;
    t.in = in;
    t.out = out;
    t.through = through;
    t.carry = (char *)scratch;
    scratch += p->carry / sizeof(double);
    t.slots = (double **)(void *)scratch; /* a pointer is not larger than a double */
    scratch += (p->n_slots + 7) & ~7;
    for (int s = 0; s < p->n_slots; s++) {
        t.slots[s] = scratch + p->history[s];
        scratch += slot_room(p, s, tile);
    }
    t.scratch = scratch;
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
        if (run_tile(&t)) {
            return 1;
        }
        for (int s = 0; t.end < n && s < p->n_slots; s++) {
            ptrdiff_t back = p->history[s];
            if (back) {
                memmove(t.slots[s] - back, t.slots[s] + tile - back, (size_t)back * sizeof(double));
            }
        }
    }
    for (int j = 0; j < p->n_out; j++) {
        fc_missing(out[j], p->blank[j] < n ? p->blank[j] : n);
    }
    return 0;
}

int fc_program_batch(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin,
                     double *scratch) {
    return p->kernel ? p->kernel->batch(p->par, in, out, n, scratch) : run_tiles(p, in, out, n, origin, scratch, 0);
}

int fc_program_through(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, double *scratch) {
    return run_tiles(p, in, out, n, 0, scratch, 1);
}
