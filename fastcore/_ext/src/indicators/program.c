#include "indicators/program.h"
#include "indicators/layers.h"

#include <stdlib.h>

static size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

/* ---- making a program ---- */

static void set_name(fc_program *p, const char *name) {
    size_t n = strlen(name);
    memcpy(p->name, name, n < sizeof(p->name) - 1 ? n : sizeof(p->name) - 1);
}

fc_program *fc_program_of_kernel(const fc_kernel *kernel, const double *par) {
    fc_program *p = calloc(1, sizeof(*p));
    if (p) {
        set_name(p, kernel->name);
        p->n_in = kernel->n_in;
        p->n_out = kernel->n_out;
        p->kernel = kernel;
        memcpy(p->par, par, (size_t)fc_par_count(kernel) * sizeof(double));
        p->policy = kernel->policy(par);
        p->lookback = kernel->lookback(par);
        p->windowed = p->policy == FC_WINDOW && kernel->nan;
        p->through = p->windowed ? FC_BLANKED : 0;
        p->exact = p->windowed && kernel->nan == FC_NAN_SHOWN;
        p->doubts = p->exact || p->n_out > 1;
        p->size = kernel->size(par);
    }
    return p;
}

fc_program *fc_program_new(const char *name, int n_in, int n_nodes, int n_out) {
    fc_program *p = calloc(1, sizeof(*p));
    if (!p) {
        return NULL;
    }
    set_name(p, name);
    p->n_in = n_in;
    p->n_nodes = n_nodes;
    p->n_out = n_out;
    p->n_values = n_in + n_nodes;
    p->nodes = calloc((size_t)n_nodes + 1, sizeof(*p->nodes));
    p->values = calloc((size_t)p->n_values, sizeof(*p->values));
    p->history = calloc((size_t)n_nodes + 1, sizeof(*p->history));
    p->outputs = calloc((size_t)n_out + 1, sizeof(*p->outputs));
    p->blank = calloc((size_t)n_out + 1, sizeof(*p->blank));
    p->shown = calloc((size_t)n_in + 1, sizeof(*p->shown));
    p->watched = calloc((size_t)n_out + 1, sizeof(*p->watched));
    if (!p->nodes || !p->values || !p->history || !p->outputs || !p->blank || !p->shown || !p->watched) {
        fc_program_free(p);
        return NULL;
    }
    return p;
}

void fc_program_free(fc_program *p) {
    if (p) {
        free(p->nodes);
        free(p->values);
        free(p->history);
        free(p->outputs);
        free(p->blank);
        free(p->shown);
        free(p->watched);
        free(p->chains);
        fc_program_free_layers(p);
        free(p);
    }
}

/* Whether it is known if a value is finite: an input, or one some bars before, or a number. */
static int is_given(const fc_program *p, int v) {
    while (v >= p->n_in && fc_is_lag(p->nodes + (v - p->n_in))) {
        v = p->nodes[v - p->n_in].in[0];
    }
    if (v < p->n_in) {
        return 1;
    }
    const fc_node *node = p->nodes + (v - p->n_in);
    return fc_node_is(node, "constant") && fc_finite(node->par[0]);
}

/* Where each node begins, and where its state and carry are. */
static void set_nodes(fc_program *p) {
    int kinds[FC_COUNT + 1] = {0}, others = 0; /* nodes that neither fill nor leave out what is missing */
    for (int k = 0; k < p->n_nodes; k++) {
        fc_node *node = p->nodes + k;
        const fc_operator *op = node->op;
        ptrdiff_t from = 0, lag = fc_lag_of(node);
        for (int j = 0; j < op->n_in; j++) {
            const fc_value *value = p->values + node->in[j];
            from = value->first > from ? value->first : from;
            node->doubtful[j] = op->kind != FC_MAP && op->kind != FC_COUNT && !(op->declines >> j & 1) &&
                                !is_given(p, node->in[j]) && !value->checked;
            p->values[node->in[j]].checked |= node->doubtful[j];
        }
        node->first = from + lag;
        node->constant = fc_node_is(node, "constant");
        node->from = op->kind == FC_REMEMBER || op->kind == FC_COUNT ? from : node->first;
        p->values[p->n_in + k] = (fc_value){node->first, -1, -1, -1, -1, 0, 0, 0, 0, 0};
        kinds[op->kind]++;
        others |= op->kind == FC_COUNT || fc_is_held(node);
        node->state = p->size;
        p->size += op->size ? rounded(op->size(node->par), sizeof(double)) : 0;
        node->carry = p->carry;
        p->carry += rounded(op->kind == FC_COUNT ? op->size(node->par) : op->carry, FC_LINE);
        if (op->scratch) {
            ptrdiff_t need = op->scratch(node->par);
            p->scratch = need > p->scratch ? need : p->scratch;
        }
        p->many = op->many > p->many ? op->many : p->many;
        if (op->kind == FC_LOOK_BACK || op->kind == FC_COUNT) {
            ptrdiff_t back = op->kind == FC_COUNT ? (ptrdiff_t)node->par[0] : lag;
            p->longest = back > p->longest ? back : p->longest;
        }
    }
    p->policy = others ? FC_MIXED : !kinds[FC_REMEMBER] ? FC_WINDOW : !kinds[FC_LOOK_BACK] ? FC_RECURRENCE : FC_MIXED;
    p->size = p->size ? p->size : sizeof(double);
    if (p->n_values > FC_STEP_VALUES) {
        p->size += (size_t)p->n_values * sizeof(double);
    }
}

/* A lag is read where the earlier bars are, not copied, unless it is an output; a value without its first bars likewise.
 * Where that is an output, what it is of takes the place of the output: its first bars are missing there in the end. */
static void set_lags(fc_program *p) {
    for (int k = 0; k < p->n_nodes; k++) {
        int after = fc_node_is(p->nodes + k, "after"), lag = fc_is_lag(p->nodes + k);
        fc_value *value = p->values + p->n_in + k, *of = p->values + p->nodes[k].in[0];
        if (after && value->output >= 0 && of->input < 0 && of->output < 0 && of->earlier < 0) {
            of->output = value->output;
            value->output = -1;
        }
        if ((after || lag) && value->output < 0) {
            value->earlier = of->earlier >= 0 ? of->earlier : p->nodes[k].in[0];
            value->bars = (after ? 0 : fc_lag_of(p->nodes + k)) + of->bars;
        }
    }
}

/* The value that `v` is read from. */
static int read_from(const fc_program *p, int v) { return p->values[v].earlier >= 0 ? p->values[v].earlier : v; }

/* Gives each value between nodes a slot. One that is not looked back to is free again after its last use. */
static int set_slots(fc_program *p) {
    int *last = calloc((size_t)p->n_values, sizeof(int)), *free_slots = calloc((size_t)p->n_nodes + 1, sizeof(int));
    ptrdiff_t *back = calloc((size_t)p->n_values, sizeof(ptrdiff_t));
    int failed = !last || !free_slots || !back, n_free = 0;
    for (int k = 0; !failed && k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        ptrdiff_t lag = node->op->kind == FC_LOOK_BACK ? fc_lag_of(node) : 0;
        int in[FC_OP_IN], n_in = fc_program_reads(p, k, in);
        last[p->n_in + k] = k;
        for (int j = 0; j < n_in; j++) {
            int v = read_from(p, in[j]);
            ptrdiff_t bars = lag + p->values[in[j]].bars;
            last[v] = k;
            back[v] = bars > back[v] ? bars : back[v];
        }
    }
    for (int k = 0; !failed && k < p->n_nodes; k++) {
        fc_value *value = p->values + p->n_in + k;
        const fc_node *node = p->nodes + k;
        int in[FC_OP_IN], n_in = fc_program_reads(p, k, in);
        if (value->output < 0 && value->earlier < 0 && !value->taken) {
            ptrdiff_t history = back[p->n_in + k];
            int own = history > 0 || node->constant; /* which is made once */
            value->slot = !own && n_free ? free_slots[--n_free] : p->n_slots++;
            p->history[value->slot] = history;
        }
        for (int j = 0; j < n_in; j++) {
            int v = read_from(p, in[j]), seen = 0;
            for (int i = 0; i < j; i++) {
                seen |= read_from(p, in[i]) == v;
            }
            int own = back[v] > 0 || (v >= p->n_in && p->nodes[v - p->n_in].constant);
            if (!seen && p->values[v].slot >= 0 && last[v] == k && !own) {
                free_slots[n_free++] = p->values[v].slot;
            }
        }
    }
    free(last);
    free(free_slots);
    free(back);
    return failed ? -1 : 0;
}

/* Whether `previous` at node k has another value at its very first bar than where it is read from, and only maps read it. */
static int starts(const fc_program *p, int k) {
    int starts = fc_node_is(p->nodes + k, "previous") && p->nodes[k].first == 0;
    for (int i = k + 1; starts && i < p->n_nodes; i++) {
        for (int j = 0; j < p->nodes[i].op->n_in; j++) {
            starts &= p->nodes[i].in[j] != p->n_in + k || p->nodes[i].op->kind == FC_MAP;
        }
    }
    return starts;
}

static void set_starts(fc_program *p) {
    for (int k = 0; k < p->n_nodes; k++) {
        fc_value *value = p->values + p->n_in + k;
        if (value->output < 0 && value->earlier < 0 && starts(p, k)) {
            value->starts = 1;
            value->earlier = read_from(p, p->nodes[k].in[0]);
            value->bars = 1 + p->values[p->nodes[k].in[0]].bars;
        }
    }
}

/* What a batch asks of each value and node. */
static void set_places(fc_program *p) {
    for (int v = 0; v < p->n_values; v++) {
        const fc_value *from = p->values + read_from(p, v);
        p->values[v].place = from->input >= 0    ? from->input
                             : from->output >= 0 ? p->n_in + from->output
                             : from->slot >= 0   ? p->n_in + p->n_out + from->slot
                                                 : 0;
    }
    for (int k = 0; k < p->n_nodes; k++) {
        fc_node *node = p->nodes + k;
        const fc_value *value = p->values + p->n_in + k;
        int in[FC_OP_IN], n_in = fc_program_reads(p, k, in);
        node->n_in = (unsigned char)n_in;
        node->idle = value->earlier >= 0 || value->taken;
        p->busy += !node->idle;
        node->block = node->takes ? node->takes->block : node->op->block;
        node->checked = node->takes ? node->takes->checked : node->op->checked;
        node->once = node->constant && value->slot >= 0;
        node->checks = value->output >= 0 && p->watched[value->output] == FC_CHECKED;
        node->doubts = node->starts = 0;
        node->place[FC_OP_IN] = value->place;
        for (int j = 0; j < n_in; j++) {
            node->place[j] = p->values[in[j]].place;
            node->back[j] = (int)p->values[in[j]].bars;
            node->starts |= p->values[in[j]].starts;
        }
        for (int j = 0; j < node->op->n_in; j++) {
            node->doubts |= node->doubtful[j];
        }
    }
}

int fc_program_finish(fc_program *p) {
    for (int j = 0; j < p->n_in; j++) {
        p->values[j] = (fc_value){0, j, -1, -1, -1, 0, 0, 0, 0, 0};
    }
    set_nodes(p);
    for (int j = 0; j < p->n_out; j++) {
        fc_value *value = p->values + p->outputs[j];
        value->output = j;
        p->lookback = value->first > p->lookback ? value->first : p->lookback;
    }
    for (int j = 0; j < p->n_out; j++) {
        p->blank[j] = p->lookback;
    }
    set_lags(p);
    if (fc_program_set_shown(p) || set_slots(p)) {
        return -1;
    }
    /* Again without those that are nowhere. Tiles stay as long, and so all results the same to the last digit. */
    p->tile_slots = p->n_slots;
    p->n_slots = 0;
    memset(p->history, 0, (size_t)p->n_nodes * sizeof(*p->history));
    for (int v = 0; v < p->n_values; v++) {
        p->values[v].slot = -1;
    }
    set_starts(p);
    if (fc_program_set_taken(p) || set_slots(p) || fc_program_set_chains(p)) {
        return -1;
    }
    set_places(p);
    return fc_program_set_layers(p);
}

/* ---- bar by bar ---- */

void fc_program_init(const fc_program *p, void *state) {
    if (p->kernel) {
        p->kernel->init(p->par, state);
        return;
    }
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        if (node->op->init) {
            node->op->init(node->par, (char *)state + node->state);
        }
    }
}

void fc_program_skip(const fc_program *p, void *state, ptrdiff_t bars) {
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        if (node->op->skip) {
            node->op->skip((char *)state + node->state, bars);
        }
    }
}

int fc_program_valid(const fc_program *p, const void *state) {
    if (p->kernel) {
        return p->kernel->valid(p->par, state);
    }
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        if (node->op->valid && !node->op->valid(node->par, (const char *)state + node->state)) {
            return 0;
        }
    }
    return 1;
}

static void step(const fc_program *p, char *state, const double *in, double *out, int commit) {
    double few[FC_STEP_VALUES], check = 0.0;
    double *values = p->n_values > FC_STEP_VALUES ? (double *)(void *)(state + p->size) - p->n_values : few;
    for (int j = 0; j < p->n_in; j++) {
        values[j] = in[j];
        check += in[j] - in[j];
    }
    if (FC_UNLIKELY(check != 0.0)) {
        for (int j = 0; j < p->n_in; j++) {
            values[j] = NAN;
        }
    }
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        const fc_operator *op = node->op;
        double x[FC_OP_IN];
        check = 0.0;
        for (int j = 0; j < op->n_in; j++) {
            x[j] = values[node->in[j]];
            check += x[j] - x[j];
        }
        if (op->kind != FC_MAP && op->kind != FC_COUNT && FC_UNLIKELY(check != 0.0)) {
            if (commit && op->gap) {
                op->gap(state + node->state);
            }
            values[p->n_in + k] = NAN;
            continue;
        }
        values[p->n_in + k] = op->step(node->par, state + node->state, x, commit);
    }
    int missing = 0;
    for (int j = 0; j < p->n_out; j++) {
        out[j] = values[p->outputs[j]];
        missing |= out[j] != out[j];
    }
    for (int j = 0; missing && j < p->n_out; j++) {
        out[j] = NAN;
    }
}

void fc_program_step(const fc_program *p, void *state, const double *in, double *out, int commit) {
    if (p->kernel) {
        p->kernel->step(state, in, out, commit);
    } else {
        step(p, state, in, out, commit);
    }
}

void fc_program_run(const fc_program *p, void *state, const double *const *in, double *const *out, ptrdiff_t n) {
    if (p->kernel) {
        p->kernel->run(state, in, out, n);
    } else {
        fc_program_many(p, state, 0, NULL, in, out, n);
    }
}

void fc_program_many(const fc_program *p, char *states, size_t stride, const int64_t *at, const double *const *in,
                     double *const *out, ptrdiff_t n) {
    if (p->kernel) {
        p->kernel->many(states, stride, at, in, out, n);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        double bar[FC_MAX_IN], result[FC_MAX_OUT];
        int64_t symbol = at ? at[i] : (int64_t)i;
        for (int j = 0; j < p->n_in; j++) {
            bar[j] = in[j][i];
        }
        step(p, states + stride * (size_t)symbol, bar, result, 1);
        for (int j = 0; j < p->n_out; j++) {
            out[j][symbol] = result[j];
        }
    }
}
