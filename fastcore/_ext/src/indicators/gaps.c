/* A program over a series with missing bars: a tile of bars through one node after another, each in its own way with what
 * is missing. A map has it run through; what counts is given it; a recurrence gets the bars that are there, packed; a window
 * gets the runs of them, which are as long as it looks back.
 */
#include "indicators/gaps.h"

#include <stdlib.h>

#define LINE 64 /* of the cache */
#define TILE 1024
#define TILE_MOST 8192 /* grown so far so that looking back costs little */
#define SPARE 40 /* values behind a tile that a block may look at */

typedef struct {
    const fc_program *p;
    ptrdiff_t tile, n; /* room for bars, and how many there are */
    double **value; /* of each value the tile's first bar; earlier ones are before it */
    ptrdiff_t *back; /* how many */
    unsigned char **there; /* of each value, whether each bar is; NULL until it is asked for */
    unsigned char *masks, *both;
    ptrdiff_t *run; /* of each node, the bars that are there since the last gap */
    double *packed[FC_OP_IN + 1], *scratch;
    char *carry; /* at the beginning of a cache line */
    double *memory;
} gaps;

static double *on_line(double *p) { return (double *)(((uintptr_t)p + LINE - 1) & ~(uintptr_t)(LINE - 1)); }

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
            ptrdiff_t *back = g->back + node->in[j];
            *back = lag > *back ? lag : *back;
        }
    }
}

static void close_gaps(gaps *g) {
    free(g->value);
    free(g->back);
    free(g->there);
    free(g->masks);
    free(g->run);
    free(g->memory);
}

static int open_gaps(gaps *g, const fc_program *p, ptrdiff_t n) {
    size_t values = (size_t)p->n_values;
    g->p = p;
    g->tile = tile_of(p, n);
    g->value = calloc(values, sizeof(*g->value));
    g->back = calloc(values, sizeof(*g->back));
    g->there = calloc(values, sizeof(*g->there));
    g->masks = malloc((values + 1) * (size_t)g->tile);
    g->run = calloc((size_t)p->n_nodes + 1, sizeof(*g->run));
    if (!g->value || !g->back || !g->there || !g->masks || !g->run) {
        return -1;
    }
    find_back(g);
    ptrdiff_t carry = (ptrdiff_t)(p->carry / sizeof(double)), room = carry + p->scratch, pitch = g->tile + SPARE;
    for (int v = 0; v < p->n_values; v++) {
        room += g->back[v] + pitch;
    }
    g->memory = malloc((size_t)(room + (FC_OP_IN + 1) * pitch) * sizeof(double) + 2 * LINE);
    if (!g->memory) {
        return -1;
    }
    double *at = on_line(g->memory);
    g->carry = (char *)at;
    memset(g->carry, 0, p->carry);
    at += carry;
    for (int v = 0; v < p->n_values; v++) {
        fc_missing(at, g->back[v] + pitch);
        g->value[v] = at + g->back[v];
        at = g->value[v] + pitch;
    }
    for (int j = 0; j <= FC_OP_IN; j++, at += pitch) {
        g->packed[j] = at;
        fc_missing(at, pitch);
    }
    g->scratch = on_line(at);
    g->both = g->masks + values * (size_t)g->tile;
    return 0;
}

static void note_there(const double *restrict x, unsigned char *restrict there, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        there[i] = x[i] - x[i] == 0.0;
    }
}

/* Whether each bar of all of a node's inputs is there. */
static const unsigned char *there_of(gaps *g, const fc_node *node) {
    const unsigned char *all = NULL;
    for (int j = 0; j < node->op->n_in; j++) {
        int v = node->in[j];
        if (!g->there[v]) {
            g->there[v] = g->masks + (size_t)v * (size_t)g->tile;
            note_there(g->value[v], g->there[v], g->n);
        }
        const unsigned char *one = g->there[v];
        for (ptrdiff_t i = 0; all && all != one && i < g->n; i++) {
            g->both[i] = all[i] & one[i];
        }
        all = all && all != one ? g->both : one;
    }
    return all;
}

static int run_block(gaps *g, int k, const double *const *in, double *out, ptrdiff_t n) {
    const fc_node *node = g->p->nodes + k;
    return n > 0 && node->op->block(node->par, g->carry + node->carry, in, out, n, g->scratch);
}

static int run_packed(gaps *g, int k, const unsigned char *there) {
    const fc_node *node = g->p->nodes + k;
    const double *in[FC_OP_IN];
    double *out = g->value[g->p->n_in + k], *result = g->packed[FC_OP_IN];
    ptrdiff_t m = 0;
    for (ptrdiff_t i = 0, end; i < g->n; i = end) {
        end = fc_run_end(there, i, g->n);
        for (int j = 0; there[i] && j < node->op->n_in; j++) {
            memcpy(g->packed[j] + m, g->value[node->in[j]] + i, (size_t)(end - i) * sizeof(double));
        }
        m += there[i] ? end - i : 0;
    }
    for (int j = 0; j < node->op->n_in; j++) {
        in[j] = m == g->n ? g->value[node->in[j]] : g->packed[j];
    }
    if (m == g->n) {
        return run_block(g, k, in, out, m);
    }
    if (run_block(g, k, in, result, m)) {
        return 1;
    }
    for (ptrdiff_t i = 0, end; i < g->n; i = end) {
        end = fc_run_end(there, i, g->n);
        if (there[i]) {
            memcpy(out + i, result, (size_t)(end - i) * sizeof(double));
            result += end - i;
        } else {
            fc_missing(out + i, end - i);
        }
    }
    return 0;
}

static int run_window(gaps *g, int k, const unsigned char *there) {
    const fc_node *node = g->p->nodes + k;
    const fc_operator *op = node->op;
    double *out = g->value[g->p->n_in + k];
    ptrdiff_t lag = fc_lag_of(node);
    for (ptrdiff_t i = 0, end; i < g->n; i = end) {
        end = fc_run_end(there, i, g->n);
        if (!there[i]) {
            fc_missing(out + i, end - i);
            g->run[k] = 0;
            if (op->skip) {
                op->skip(g->carry + node->carry, end - i);
            }
            continue;
        }
        const double *in[FC_OP_IN];
        ptrdiff_t from = g->run[k] < lag ? i + lag - g->run[k] : i;
        int first = g->run[k] <= lag && from < end;
        from = from < end ? from : end;
        fc_missing(out + i, from - i);
        for (int j = 0; j < op->n_in; j++) {
            in[j] = g->value[node->in[j]] + from;
        }
        if (first && op->begin && !op->skip) {
            op->begin(node->par, g->carry + node->carry);
        }
        if (run_block(g, k, in, out + from, end - from)) {
            return 1;
        }
        g->run[k] += end - i;
    }
    return 0;
}

static int run_node(gaps *g, int k) {
    const fc_node *node = g->p->nodes + k;
    const double *in[FC_OP_IN];
    if (node->op->kind == FC_REMEMBER) {
        return run_packed(g, k, there_of(g, node));
    }
    if (node->op->kind == FC_LOOK_BACK) {
        return run_window(g, k, there_of(g, node));
    }
    for (int j = 0; j < node->op->n_in; j++) {
        in[j] = g->value[node->in[j]];
    }
    return run_block(g, k, in, g->value[g->p->n_in + k], g->n);
}

/* Bars that lack an input lack all. */
static void take_inputs(gaps *g, const double *const *in, ptrdiff_t begin) {
    double *restrict check = g->packed[0];
    for (ptrdiff_t i = 0; i < g->n; i++) {
        check[i] = in[0][begin + i] - in[0][begin + i];
    }
    for (int j = 1; j < g->p->n_in; j++) {
        for (ptrdiff_t i = 0; i < g->n; i++) {
            check[i] += in[j][begin + i] - in[j][begin + i];
        }
    }
    for (int j = 0; j < g->p->n_in; j++) {
        double *restrict to = g->value[j];
        for (ptrdiff_t i = 0; i < g->n; i++) {
            to[i] = check[i] == 0.0 ? in[j][begin + i] : NAN;
        }
    }
}

/* Results that lack an output lack all. */
static void give_outputs(gaps *g, double *const *out, ptrdiff_t begin) {
    const fc_program *p = g->p;
    for (int j = 0; j < p->n_out; j++) {
        memcpy(out[j] + begin, g->value[p->outputs[j]], (size_t)g->n * sizeof(double));
    }
    for (ptrdiff_t i = begin; p->n_out > 1 && i < begin + g->n; i++) {
        int missing = 0;
        for (int j = 0; j < p->n_out; j++) {
            missing |= out[j][i] != out[j][i];
        }
        for (int j = 0; missing && j < p->n_out; j++) {
            out[j][i] = NAN;
        }
    }
}

static void begin_nodes(gaps *g, ptrdiff_t origin) {
    for (int k = 0; k < g->p->n_nodes; k++) {
        const fc_node *node = g->p->nodes + k;
        if (node->op->begin) {
            node->op->begin(node->par, g->carry + node->carry);
        }
        if (node->op->skip) {
            node->op->skip(g->carry + node->carry, origin);
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
        memset(g.there, 0, (size_t)p->n_values * sizeof(*g.there));
        take_inputs(&g, in, begin);
        for (int k = 0; k < p->n_nodes && !failed; k++) {
            failed = run_node(&g, k);
        }
        give_outputs(&g, out, begin);
        for (int v = 0; v < p->n_values && begin + g.n < n; v++) {
            memmove(g.value[v] - g.back[v], g.value[v] - g.back[v] + g.n, (size_t)g.back[v] * sizeof(double));
        }
    }
    close_gaps(&g);
    return failed;
}
