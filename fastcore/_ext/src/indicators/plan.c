#include "indicators/plan.h"

#include <stdlib.h>

static void *room(size_t n, size_t size) { return calloc(n + 1, size); }

static int same_columns(const fc_indicator *a, const fc_indicator *b) {
    return !memcmp(a->columns, b->columns, (size_t)a->operators->n_in * sizeof(int));
}

/* Which indicators are worth to be merged: those with a window or a memory that another one has too, unless their results are
 * looked at together. */
static int choose(fc_plan *p) {
    fc_part *parts = room((size_t)p->n, sizeof(*parts));
    fc_merged *all = NULL;
    int *used = NULL;
    for (int i = 0; parts && i < p->n; i++) {
        parts[i] = (fc_part){p->indicators[i].operators, p->indicators[i].columns, 0};
    }
    all = parts ? fc_merge(parts, p->n) : NULL;
    used = all ? room((size_t)all->program->n_nodes, sizeof(int)) : NULL;
    if (!used) {
        free(parts);
        fc_merged_free(all);
        return -1;
    }
    for (int i = 0; i < p->n; i++) {
        for (const int *node = all->node[i]; p->same[i] == i && *node >= 0; node++) {
            used[*node]++;
        }
    }
    int chosen = 0;
    for (int i = 0; i < p->n; i++) {
        p->part[i] = -1;
        for (const int *node = all->node[i]; p->same[i] == i && *node >= 0; node++) {
            const fc_operator *op = all->program->nodes[*node].op;
            if (used[*node] > 1 && !p->indicators[i].operators->uneven && op->kind != FC_MAP &&
                strcmp(op->name, "lag") != 0) {
                p->part[i] = chosen;
            }
        }
        if (p->part[i] >= 0) {
            parts[chosen++] = parts[i];
        }
    }
    free(used);
    fc_merged_free(all);
    p->merged = chosen ? fc_merge(parts, chosen) : NULL;
    free(parts);
    return chosen && !p->merged ? -1 : 0;
}

/* Where the merged program writes each of its outputs: to the first of those that it is. */
static int set_first(fc_plan *p) {
    const fc_program *all = p->merged->program;
    p->first = room((size_t)all->n_out, sizeof(int));
    for (int v = 0; p->first && v < all->n_out; v++) {
        p->first[v] = -1;
        for (int i = 0; i < p->n; i++) {
            for (int j = 0; p->part[i] >= 0 && j < p->indicators[i].operators->n_out && p->first[v] < 0; j++) {
                if (p->merged->value[p->merged->output[p->part[i]] + j] == all->outputs[v]) {
                    p->first[v] = p->output[i] + j;
                }
            }
        }
    }
    return p->first ? 0 : -1;
}

fc_plan *fc_plan_new(const fc_indicator *indicators, int n) {
    fc_plan *p = calloc(1, sizeof(*p));
    if (!p) {
        return NULL;
    }
    p->n = n;
    p->indicators = room((size_t)n, sizeof(*p->indicators));
    p->output = room((size_t)n, sizeof(int));
    p->same = room((size_t)n, sizeof(int));
    p->part = room((size_t)n, sizeof(int));
    if (!p->indicators || !p->output || !p->same || !p->part) {
        fc_plan_free(p);
        return NULL;
    }
    memcpy(p->indicators, indicators, (size_t)n * sizeof(*indicators));
    for (int i = 0; i < n; i++) {
        p->output[i] = p->n_out;
        p->n_out += indicators[i].operators->n_out;
        while (indicators[p->same[i]].alone != indicators[i].alone ||
               !same_columns(indicators + p->same[i], indicators + i)) {
            p->same[i]++;
        }
    }
    if (choose(p) || (p->merged && set_first(p))) {
        fc_plan_free(p);
        return NULL;
    }
    return p;
}

void fc_plan_free(fc_plan *p) {
    if (p) {
        fc_merged_free(p->merged);
        free(p->indicators);
        free(p->output);
        free(p->same);
        free(p->part);
        free(p->first);
        free(p);
    }
}

static ptrdiff_t greater(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

/* Before what the programs need: the addresses of the merged one's inputs and outputs. */
static ptrdiff_t addresses(const fc_plan *p) {
    return p->merged ? (p->merged->program->n_in + p->merged->program->n_out + 7) & ~7 : 0;
}

ptrdiff_t fc_plan_scratch(const fc_plan *p, ptrdiff_t bars) {
    ptrdiff_t most = p->merged ? fc_program_scratch(p->merged->program, bars) : 0;
    for (int i = 0; i < p->n; i++) {
        most = greater(most, fc_program_scratch(p->indicators[i].alone, bars));
    }
    return addresses(p) + most;
}

int fc_plan_merged(const fc_plan *p, const double *const *columns, double *const *out, ptrdiff_t bars, double *scratch,
                   int remote) {
    const fc_merged *m = p->merged;
    const double **in = (const double **)(void *)scratch; /* a pointer is not larger than a double */
    double **to = (double **)(void *)(scratch + m->program->n_in);
    if (bars <= m->program->lookback) {
        return 1;
    }
    for (int j = 0; j < m->program->n_in; j++) {
        in[j] = columns[m->column[j]];
    }
    for (int v = 0; v < m->program->n_out; v++) {
        to[v] = out[p->first[v]];
    }
    if (fc_program_batch(m->program, in, to, bars, 0, scratch + addresses(p), remote)) {
        return 1;
    }
    for (int i = 0; i < p->n; i++) {
        for (int j = 0; p->part[i] >= 0 && j < p->indicators[i].operators->n_out; j++) {
            int output = p->output[i] + j, value = m->value[m->output[p->part[i]] + j], v = 0;
            while (m->program->outputs[v] != value) {
                v++;
            }
            if (p->first[v] != output) {
                memcpy(out[output], out[p->first[v]], (size_t)bars * sizeof(double));
            }
        }
    }
    for (int i = 0; i < p->n; i++) {
        for (int j = 0; p->part[i] >= 0 && j < p->indicators[i].operators->n_out; j++) {
            fc_missing(out[p->output[i] + j], p->indicators[i].operators->lookback);
        }
    }
    return 0;
}
