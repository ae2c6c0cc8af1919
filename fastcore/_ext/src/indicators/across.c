#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "indicators/across.h"

#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#define PAGE ((size_t)1 << 21) /* a large one: a tick touches rows all over the states */

/* A hint: it may be refused. */
static void in_large_pages(void *from, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= PAGE) {
        madvise(from, bytes / PAGE * PAGE, MADV_HUGEPAGE);
    }
#else
    (void)from;
    (void)bytes;
#endif
}

static size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

/* Whether the states of its symbols lie side by side. */
static int side_by_side(const fc_node *node) {
    return node->op->across && !(node->op->alone && node->op->alone(node->par));
}

/* ---- values between nodes ---- */

fc_across *fc_across_new(const fc_merged *merged) {
    const fc_program *p = merged->program;
    size_t n = (size_t)p->n_values + 1;
    fc_across *a = calloc(1, sizeof(*a));
    int *last = calloc(n, sizeof(int)), *spare = calloc(n, sizeof(int)), n_spare = 0;
    if (a) {
        a->merged = merged;
        a->buffer = calloc(n, sizeof(int));
        a->direct = calloc(n, sizeof(int));
        a->row = calloc(n, sizeof(size_t));
    }
    if (!a || !last || !spare || !a->buffer || !a->direct || !a->row) {
        fc_across_free(a);
        free(last);
        free(spare);
        return NULL;
    }
    for (int v = 0; v < p->n_values; v++) {
        a->direct[v] = a->buffer[v] = -1;
    }
    for (int j = merged->output[merged->n_parts]; j-- > 0;) {
        a->direct[merged->value[j]] = j;
    }
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_operator *op = p->nodes[k].op;
        size_t bytes = op->size ? op->size(p->nodes[k].par) : 0;
        a->row[k] = side_by_side(p->nodes + k) ? (size_t)op->rows(p->nodes[k].par) * sizeof(double)
                                               : rounded(bytes, sizeof(double));
        last[p->n_in + k] = k;
        for (int j = 0; j < p->nodes[k].op->n_in; j++) {
            last[p->nodes[k].in[j]] = k;
        }
    }
    a->n_buffers = p->n_in; /* for inputs with missing bars */
    for (int k = 0; k < p->n_nodes; k++) {
        int v = p->n_in + k;
        if (a->direct[v] < 0) {
            a->buffer[v] = n_spare ? spare[--n_spare] : a->n_buffers++;
        }
        for (int j = -1; j < p->nodes[k].op->n_in; j++) { /* a value that nothing takes is done with at once */
            int used = j < 0 ? v : p->nodes[k].in[j];
            if (a->buffer[used] >= 0 && last[used] == k) {
                spare[n_spare++] = a->buffer[used];
                last[used] = -1;
            }
        }
    }
    free(last);
    free(spare);
    return a;
}

void fc_across_free(fc_across *a) {
    if (a) {
        free(a->buffer);
        free(a->direct);
        free(a->row);
        free(a);
    }
}

/* Where each value is; a pointer is not larger than a double. */
static ptrdiff_t addresses(const fc_across *a) { return (a->merged->program->n_values + 7) & ~7; }

/* After the buffers: what an operator's block may need. */
ptrdiff_t fc_across_scratch(const fc_across *a) {
    return addresses(a) + (ptrdiff_t)a->n_buffers * FC_SYMBOLS + a->merged->program->scratch;
}

/* ---- tiles ---- */

/* Rows begin after the shared place, and each symbol's own. */
static size_t head_of(const fc_node *node, ptrdiff_t pitch) {
    return FC_LINE + (node->op->places ? rounded((size_t)pitch * sizeof(int64_t), FC_LINE) : 0);
}

static size_t room_of(const fc_across *a, int k, ptrdiff_t pitch) {
    const fc_node *node = a->merged->program->nodes + k;
    return rounded((side_by_side(node) ? head_of(node, pitch) : 0) + a->row[k] * (size_t)pitch, FC_LINE);
}

static fc_lanes lanes_of(const fc_node *node, char *state, ptrdiff_t pitch) {
    fc_lanes lanes = {(double *)(void *)(state + head_of(node, pitch)), pitch, NULL, (int64_t *)(void *)state};
    lanes.place = node->op->places ? (int64_t *)(void *)(state + FC_LINE) : NULL;
    return lanes;
}

static void freshen(const fc_across *a, int k, char *state, ptrdiff_t pitch, ptrdiff_t from, ptrdiff_t to) {
    const fc_node *node = a->merged->program->nodes + k;
    const fc_operator *op = node->op;
    if (!side_by_side(node)) {
        for (ptrdiff_t i = from; op->init && i < to; i++) {
            op->init(node->par, state + (size_t)i * a->row[k]);
        }
        return;
    }
    fc_lanes lanes = lanes_of(node, state, pitch);
    for (ptrdiff_t r = 0, rows = op->rows(node->par); r < rows; r++) {
        double value = op->fresh ? op->fresh(node->par, r) : NAN;
        for (ptrdiff_t i = from; i < to; i++) {
            lanes.rows[r * pitch + i] = value;
        }
    }
    for (ptrdiff_t i = from; lanes.place && i < to; i++) {
        lanes.place[i] = 0;
    }
}

/* Bytes of a tile's states; 0 if they are too many. */
static size_t size_of(const fc_across *a, ptrdiff_t pitch) {
    size_t size = FC_LINE; /* never 0 */
    for (int k = 0; k < a->merged->program->n_nodes; k++) {
        size_t bytes = room_of(a, k, pitch);
        if (bytes > (size_t)PTRDIFF_MAX / 2 - size) {
            return 0;
        }
        size += bytes;
    }
    return size;
}

int fc_tiles_new(const fc_across *a, fc_tile *tiles, ptrdiff_t n) {
    size_t all = 0, at, align;
    for (ptrdiff_t t = 0, done = 0; done < n; done += tiles[t++].n) {
        tiles[t].n = n - done < FC_SYMBOLS ? n - done : FC_SYMBOLS;
        tiles[t].pitch = (tiles[t].n + 7) & ~(ptrdiff_t)7;
        tiles[t].size = size_of(a, tiles[t].pitch);
        tiles[t].room = NULL;
        if (!tiles[t].size || tiles[t].size > (size_t)PTRDIFF_MAX / 2 - all) {
            return -1;
        }
        all += tiles[t].size;
    }
    if (n == 0) {
        return 0;
    }
    align = all < PAGE ? FC_LINE : PAGE;
    tiles[0].room = malloc(all + align);
    if (!tiles[0].room) {
        return -1;
    }
    at = align - (size_t)((uintptr_t)tiles[0].room % align);
    in_large_pages((char *)tiles[0].room + at, all);
    memset((char *)tiles[0].room + at, 0, all);
    for (ptrdiff_t t = 0, done = 0; done < n; done += tiles[t++].n) {
        char *state = tiles[t].arena = (char *)tiles[0].room + at;
        at += tiles[t].size;
        for (int k = 0; k < a->merged->program->n_nodes; k++) {
            freshen(a, k, state, tiles[t].pitch, 0, tiles[t].pitch);
            state += room_of(a, k, tiles[t].pitch);
        }
    }
    return 0;
}

int fc_tile_valid(const fc_across *a, const fc_tile *tile) {
    const fc_program *p = a->merged->program;
    char *state = tile->arena;
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        if (side_by_side(node)) {
            fc_lanes lanes = lanes_of(node, state, tile->pitch);
            int64_t places = node->op->places ? node->op->places(node->par) : 2;
            if (*lanes.shared < (node->op->places ? -1 : 0) || *lanes.shared >= places) {
                return 0;
            }
            for (ptrdiff_t i = 0; lanes.place && *lanes.shared < 0 && i < tile->n; i++) {
                if (lanes.place[i] < 0 || lanes.place[i] >= places) {
                    return 0;
                }
            }
        } else if (node->op->valid) {
            for (ptrdiff_t i = 0; i < tile->n; i++) {
                if (!node->op->valid(node->par, state + (size_t)i * a->row[k])) {
                    return 0;
                }
            }
        }
        state += room_of(a, k, tile->pitch);
    }
    return 1;
}

/* Gives each symbol of the tile its own place. */
static void part_ways(const fc_lanes *lanes, ptrdiff_t n) {
    if (lanes->place && *lanes->shared >= 0) {
        for (ptrdiff_t i = 0; i < n; i++) {
            lanes->place[i] = *lanes->shared;
        }
        *lanes->shared = -1;
    }
}

/* And the one that all are at, if they are. */
static void join_ways(const fc_lanes *lanes, ptrdiff_t n) {
    if (lanes->place && *lanes->shared < 0) {
        ptrdiff_t i = 1;
        while (i < n && lanes->place[i] == lanes->place[0]) {
            i++;
        }
        if (i == n) {
            *lanes->shared = lanes->place[0];
        }
    }
}

void fc_tile_reset(const fc_across *a, fc_tile *tile, ptrdiff_t from, ptrdiff_t to, const unsigned char *chosen) {
    const fc_program *p = a->merged->program;
    char *state = tile->arena;
    for (int k = 0; k < p->n_nodes; k++) {
        if (chosen[k] && side_by_side(p->nodes + k)) {
            fc_lanes lanes = lanes_of(p->nodes + k, state, tile->pitch);
            if (!lanes.place || to - from == tile->n) {
                *lanes.shared = 0;
            } else {
                part_ways(&lanes, tile->n);
            }
        }
        if (chosen[k]) {
            freshen(a, k, state, tile->pitch, from, to);
        }
        state += room_of(a, k, tile->pitch);
    }
}

static char *state_in(const fc_across *a, const fc_tile *tile, int node) {
    char *state = tile->arena;
    for (int k = 0; k < node; k++) {
        state += room_of(a, k, tile->pitch);
    }
    return state;
}

void fc_tile_take(const fc_across *a, fc_tile *tile, const fc_across *from, const fc_tile *other, int part) {
    const int *to = a->merged->node[part], *old = from->merged->node[part];
    for (int j = 0; to[j] >= 0; j++) {
        memcpy(state_in(a, tile, to[j]), state_in(from, other, old[j]), room_of(a, to[j], tile->pitch));
    }
}

/* ---- a tick ---- */

/* The columns of each set; where a bar of them is missing, copies in which it is missing as a whole. */
static void take_inputs(const fc_across *a, const double *const *in, ptrdiff_t n, const double **value,
                        double *buffers) {
    const fc_merged *m = a->merged;
    for (int s = 0; s < m->n_sets; s++) {
        int clean = 1;
        for (int j = m->set[s]; j < m->set[s + 1]; j++) {
            value[j] = in[m->column[j]];
            clean = clean && fc_all_finite(value[j], n);
        }
        for (int j = m->set[s]; !clean && j < m->set[s + 1]; j++) {
            double *to = buffers + (ptrdiff_t)j * FC_SYMBOLS;
            memcpy(to, value[j], (size_t)n * sizeof(double));
            for (int other = m->set[s]; other < m->set[s + 1]; other++) {
                const double *x = in[m->column[other]];
                for (ptrdiff_t i = 0; i < n; i++) {
                    to[i] = x[i] - x[i] == 0.0 ? to[i] : NAN;
                }
            }
            value[j] = to;
        }
    }
}

/* A node whose symbols are not side by side: a step for each. */
static void by_steps(const fc_node *node, char *states, size_t stride, const double *const *in, double *out,
                     ptrdiff_t n) {
    const fc_operator *op = node->op;
    for (ptrdiff_t i = 0; i < n; i++) {
        double bar[FC_OP_IN], check = 0.0;
        for (int j = 0; j < op->n_in; j++) {
            bar[j] = in[j][i];
            check += bar[j] - bar[j];
        }
        if (op->kind != FC_COUNT && check != 0.0) {
            if (op->gap) {
                op->gap(states + stride * (size_t)i);
            }
            out[i] = NAN;
        } else {
            out[i] = op->step(node->par, states + stride * (size_t)i, bar, 1);
        }
    }
}

static void run_node(const fc_across *a, int k, char *state, const fc_tile *tile, ptrdiff_t first, ptrdiff_t n,
                     const double *const *in, double *out, double *scratch) {
    const fc_node *node = a->merged->program->nodes + k;
    const fc_operator *op = node->op;
    if (op->kind == FC_MAP) {
        op->block(node->par, NULL, in, out, n, scratch);
        return;
    }
    if (!side_by_side(node)) {
        by_steps(node, state + (size_t)first * a->row[k], a->row[k], in, out, n);
        return;
    }
    fc_lanes lanes = lanes_of(node, state, tile->pitch), some = lanes;
    if (n == tile->n) {
        op->across(node->par, &lanes, in, out, n);
        join_ways(&lanes, n);
        return;
    }
    part_ways(&lanes, tile->n);
    int64_t shared = *lanes.shared;
    some.shared = &shared;
    some.rows += first;
    some.place = lanes.place ? lanes.place + first : NULL;
    op->across(node->par, &some, in, out, n);
}

/* What is in several outputs, and results that lack one of their outputs. */
static void finish_outputs(const fc_merged *m, const int *direct, double *const *out, ptrdiff_t n) {
    for (int j = 0; j < m->output[m->n_parts]; j++) {
        if (direct[m->value[j]] != j) {
            memcpy(out[j], out[direct[m->value[j]]], (size_t)n * sizeof(double));
        }
    }
    for (int part = 0; part < m->n_parts; part++) {
        int from = m->output[part], to = m->output[part + 1];
        int missing = 0;
        for (int j = from; to - from > 1 && !missing && j < to; j++) {
            missing = !fc_all_finite(out[j], n);
        }
        for (ptrdiff_t i = 0; missing && i < n; i++) {
            double check = 0.0;
            for (int j = from; j < to; j++) {
                check = out[j][i] != out[j][i] ? NAN : check;
            }
            for (int j = from; check != check && j < to; j++) {
                out[j][i] = NAN;
            }
        }
    }
}

void fc_tick(const fc_across *a, fc_tile *tile, ptrdiff_t first, ptrdiff_t n, const double *const *in,
             double *const *out, double *scratch) {
    const fc_program *p = a->merged->program;
    const double **value = (const double **)(void *)scratch;
    char *state = tile->arena;
    scratch += addresses(a);
    double *spare = scratch + (ptrdiff_t)a->n_buffers * FC_SYMBOLS;
    take_inputs(a, in, n, value, scratch);
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        const double *from[FC_OP_IN];
        int v = p->n_in + k;
        double *to = a->direct[v] >= 0 ? out[a->direct[v]] : scratch + (ptrdiff_t)a->buffer[v] * FC_SYMBOLS;
        for (int j = 0; j < node->op->n_in; j++) {
            from[j] = value[node->in[j]];
        }
        run_node(a, k, state, tile, first, n, from, to, spare);
        value[v] = to;
        state += room_of(a, k, tile->pitch);
    }
    finish_outputs(a->merged, a->direct, out, n);
}
