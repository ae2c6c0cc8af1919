#include "indicators/layers.h"

#include <float.h>
#include <stdlib.h>

#include "indicators/gap_bits.h"
#include "indicators/incomplete.h"
#include "indicators/room.h"

#define NO_LAYER (-1) /* of a constant, which each layer has that reads it */
/* Larger programs are not divided: finding the layers looks at all nodes for each node of each layer. */
#define MOST_NODES 100
#define MOST_LAYERS 8

/* The bar of the first value, and so many bars after a missing one that lack a value. */
typedef struct {
    ptrdiff_t first, reach;
} lack;

typedef struct {
    int layer;
    lack lack;
} place;

static lack more_of(lack a, lack b) {
    return (lack){a.first > b.first ? a.first : b.first, a.reach > b.reach ? a.reach : b.reach};
}

/* What a node lacks of what its layer takes from before it; `given`: of the nodes of the layer so far. */
static lack given_to(const fc_program *p, const place *at, const fc_node *node, const lack *given, int layer) {
    lack found = {0, 0};
    for (int j = 0; j < node->op->n_in; j++) {
        int v = node->in[j];
        found = more_of(found, at[v].layer == layer && v >= p->n_in ? given[v] : at[v].lack);
    }
    return found;
}

/* Places all values; returns how many layers there are, or 0 if a node fits in none. Layers of windows have even numbers. */
static int place_values(const fc_program *p, place *at) {
    int layers = 0;
    for (int v = 0; v < p->n_in; v++) {
        at[v] = (place){0, {0, 0}};
    }
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        place *made = at + p->n_in + k;
        int window = node->op->kind == FC_LOOK_BACK;
        if (node->op->kind == FC_COUNT || fc_is_held(node) || (window && !node->op->nan && !fc_is_lag(node))) {
            return 0;
        }
        *made = (place){node->constant ? NO_LAYER : 0, {node->first, 0}};
        for (int j = 0; j < node->op->n_in; j++) {
            const place *of = at + node->in[j];
            made->layer = of->layer > made->layer ? of->layer : made->layer;
            made->lack = more_of(made->lack, of->lack);
        }
        made->layer += !node->constant && node->op->kind != FC_MAP && (made->layer & 1) == window;
        made->lack.reach += window ? fc_lag_of(node) : 0;
        layers = made->layer >= layers ? made->layer + 1 : layers;
    }
    return layers;
}

/* Without windows of the inputs, their maps belong to what recurs. */
static void skip_maps(const fc_program *p, place *at) {
    int windows = 0;
    for (int k = 0; k < p->n_nodes; k++) {
        windows |= at[p->n_in + k].layer == 0 && p->nodes[k].op->kind == FC_LOOK_BACK;
    }
    for (int v = 0; v < p->n_values && !windows; v++) {
        at[v].layer += v >= p->n_in && at[v].layer == 0;
    }
}

/* ---- the program of a layer ---- */

typedef struct {
    const fc_program *p;
    const place *at;
    int layer, last; /* the last one of all */
    int *number; /* of each value, that in the layer's program; -1 if it has it not */
    lack *given; /* of each node of recurrences: what it lacks of what its layer takes */
    fc_layer *made;
    lack before; /* what results of the layer before lack at most */
    int widens;  /* whether that layer's program takes as much from a result that lacks less */
} maker;

/* The last layer that reads a value. */
static int last_reader(const maker *m, int v) {
    int last = m->layer;
    for (int k = 0; k < m->p->n_nodes; k++) {
        for (int j = 0; j < m->p->nodes[k].op->n_in; j++) {
            int layer = m->at[m->p->n_in + k].layer;
            last = m->p->nodes[k].in[j] == v && layer > last ? layer : last;
        }
    }
    return last;
}

/* Whether a node is in the layer's program: a constant, if a node of the layer reads it. */
static int belongs(const maker *m, int k) {
    int found = m->at[m->p->n_in + k].layer == m->layer;
    for (int i = k + 1; i < m->p->n_nodes && m->p->nodes[k].constant; i++) {
        for (int j = 0; j < m->p->nodes[i].op->n_in; j++) {
            found |= m->p->nodes[i].in[j] == m->p->n_in + k && m->at[m->p->n_in + i].layer == m->layer;
        }
    }
    return found;
}

/* Counts what the program takes from before, and its nodes, and gives them numbers; returns the nodes, or 0 if it takes or
 * makes too much. */
static int count_parts(maker *m, int *n_in, int *n_out) {
    const fc_program *p = m->p;
    int nodes = 0;
    *n_in = *n_out = 0;
    for (int v = 0; v < p->n_values; v++) {
        m->number[v] = -1;
    }
    for (int k = 0; k < p->n_nodes; k++) {
        for (int j = 0; j < p->nodes[k].op->n_in && belongs(m, k); j++) {
            int v = p->nodes[k].in[j];
            if (m->number[v] < 0 && (v < p->n_in || !(m->at[v].layer == m->layer || m->at[v].layer == NO_LAYER))) {
                if (*n_in == FC_MAX_IN) {
                    return 0;
                }
                m->made->in[*n_in] = v;
                m->number[v] = (*n_in)++;
            }
        }
    }
    for (int k = 0; k < p->n_nodes; k++) {
        if (belongs(m, k)) {
            int v = p->n_in + k;
            m->number[v] = *n_in + nodes++;
            if (m->layer < m->last && m->at[v].layer == m->layer && last_reader(m, v) > m->layer) {
                if (*n_out == FC_MAX_OUT) {
                    return 0;
                }
                m->made->out[(*n_out)++] = v;
            }
        }
    }
    for (int j = 0; j < p->n_out && m->layer == m->last; j++) {
        m->made->out[(*n_out)++] = p->outputs[j];
    }
    return *n_in && *n_out ? nodes : 0;
}

/* Whether missing bars of the layer's nodes are those that its program would find: all nodes of recurrences have the same,
 * and the results of windows lack as many bars as its program looks back. It may take more from results of windows that
 * only the next layer reads, of recurrences, if its nodes lack that anyway. */
static int agrees(maker *m) {
    const fc_program *p = m->p, *made = m->made->program;
    int recurs = m->layer & 1, same = made->policy == (recurs ? FC_RECURRENCE : FC_WINDOW) && (recurs || made->through);
    lack all = {0, 0};
    ptrdiff_t reach = 0;
    for (int j = 0; j < made->n_in; j++) {
        all = more_of(all, m->at[m->made->in[j]].lack);
    }
    for (int k = 0; k < p->n_nodes && recurs; k++) {
        if (m->at[p->n_in + k].layer == m->layer) {
            lack given = m->given[p->n_in + k] = given_to(p, m->at, p->nodes + k, m->given, m->layer);
            same &= given.first == all.first && given.reach == all.reach;
        }
    }
    same &= !m->widens || (all.first >= m->before.first && all.reach >= m->before.reach);
    m->widens = 0;
    for (int j = 0; j < made->n_out; j++) {
        lack of = m->at[m->made->out[j]].lack;
        ptrdiff_t late = made->lookback - (of.first - all.first);
        ptrdiff_t short_by = recurs ? 0 : made->lookback - (of.reach - all.reach);
        int joined = !recurs && last_reader(m, m->made->out[j]) <= m->layer + 1;
        reach = of.reach - all.reach > reach ? of.reach - all.reach : reach;
        m->widens |= late != 0 || short_by != 0;
        same &= m->layer == m->last /* whose results lack what any lacks */
                || (late == 0 && short_by == 0) || (short_by >= 0 && joined);
    }
    m->before = (lack){all.first + made->lookback, all.reach + reach};
    return same && (recurs || reach == made->lookback);
}

/* Whether all recurrences of the layer's program depend on all its inputs. */
static int is_joint(const fc_program *p) {
    unsigned *inputs = calloc((size_t)p->n_values, sizeof(*inputs)), all = (1u << p->n_in) - 1;
    int joint = inputs != NULL;
    for (int v = 0; v < p->n_values && inputs; v++) {
        inputs[v] = v < p->n_in ? 1u << v : 0;
        for (int j = 0; v >= p->n_in && j < p->nodes[v - p->n_in].op->n_in; j++) {
            inputs[v] |= inputs[p->nodes[v - p->n_in].in[j]];
        }
        joint &= v < p->n_in || p->nodes[v - p->n_in].op->kind != FC_REMEMBER || inputs[v] == all;
    }
    free(inputs);
    return joint;
}

/* Makes the program; 0 if the layer cannot be one, -1 without memory. */
static int make_layer(maker *m) {
    const fc_program *p = m->p;
    int n_in, n_out, nodes = count_parts(m, &n_in, &n_out);
    fc_program *made = nodes ? fc_program_new(p->name, n_in, nodes, n_out) : NULL;
    if (!made) {
        return nodes ? -1 : 0;
    }
    m->made->program = made;
    for (int k = 0, i = 0; k < p->n_nodes; k++) {
        if (m->number[p->n_in + k] >= n_in) {
            fc_node *node = made->nodes + i++;
            node->op = p->nodes[k].op;
            memcpy(node->par, p->nodes[k].par, sizeof(node->par));
            for (int j = 0; j < node->op->n_in; j++) {
                node->in[j] = m->number[p->nodes[k].in[j]];
            }
        }
    }
    for (int j = 0; j < n_out; j++) {
        made->outputs[j] = m->number[m->made->out[j]];
    }
    if (fc_program_finish(made)) {
        return -1;
    }
    m->made->joint = is_joint(made);
    return agrees(m);
}

void fc_program_free_layers(fc_program *p) {
    for (int l = 0; l < p->n_layers; l++) {
        fc_program_free(p->layers[l].program);
    }
    free(p->layers);
    p->layers = NULL;
    p->n_layers = 0;
}

/* Whether a layer reads all inputs, or a value that lacks what any of them lacks. */
static int takes_all(const fc_program *p, const fc_layer *layer) {
    int found = 0, n_in = layer->program->n_in;
    for (int j = 0; j < n_in; j++) {
        found += layer->in[j] < p->n_in;
    }
    return found == p->n_in || found < n_in;
}

int fc_program_set_layers(fc_program *p) {
    if (p->policy != FC_MIXED || p->n_in > FC_MAX_IN || p->n_out > FC_MAX_OUT || p->n_nodes > MOST_NODES) {
        return 0;
    }
    size_t values = (size_t)p->n_values;
    place *at = calloc(values, sizeof(*at));
    lack *given = calloc(values, sizeof(*given));
    int *number = calloc(values, sizeof(*number)), layers = at ? place_values(p, at) : 0, made = at && given && number;
    p->layers = calloc((size_t)layers + 1, sizeof(*p->layers));
    if (!made || !p->layers) {
        made = -1;
        layers = 0;
    } else {
        skip_maps(p, at);
        layers = layers > MOST_LAYERS ? 0 : layers;
        for (int j = 0; j < p->n_out; j++) {
            made &= at[p->outputs[j]].layer == layers - 1;
        }
    }
    maker m = {.p = p, .at = at, .last = layers - 1, .number = number, .given = given};
    for (int layer = 0; layer < layers && made > 0; layer++) {
        int empty = 1;
        for (int v = p->n_in; v < p->n_values; v++) {
            empty &= at[v].layer != layer;
        }
        if (!empty) {
            m.layer = layer;
            m.made = p->layers + p->n_layers++;
            made = make_layer(&m);
            made = made > 0 ? takes_all(p, m.made) : made;
        }
    }
    if (made <= 0 || p->n_layers < 2) {
        fc_program_free_layers(p);
    }
    free(at);
    free(given);
    free(number);
    return made < 0 ? -1 : 0;
}

/* ---- carried out ---- */

/* Whether each input of a layer of recurrences has the bars that all have: what lacks more than its windows' bars, as a
 * quotient may, would take others along. */
static int have_the_same(const fc_program *p, const double *const *in, ptrdiff_t n, uint64_t *there) {
    const fc_gap_passes *pass = fc_isa_used()->gaps;
    ptrdiff_t all = pass->find(in, p->n_in, n, there);
    int same = 1;
    for (int j = 0; j < p->n_in; j++) {
        same &= pass->find(in + j, 1, n, there) == all;
    }
    return same;
}

static int run_layer(const fc_layer *layer, const double **in, double **out, ptrdiff_t n, double *scratch,
                     uint64_t *there) {
    const fc_program *p = layer->program;
    ptrdiff_t first = fc_first_complete(in, p->n_in, 0, n);
    ptrdiff_t none = n - first > p->lookback ? first : n;
    for (int j = 0; j < p->n_out; j++) {
        fc_missing(out[j], none);
        out[j] += first;
    }
    for (int j = 0; j < p->n_in; j++) {
        in[j] += first;
    }
    if (none == n) {
        return 0;
    }
    if (p->policy == FC_WINDOW) {
        return fc_program_through(p, in, out, n - first, scratch);
    }
    int same = layer->joint || have_the_same(p, in, n - first, there);
    return !same || fc_program_packed(p, in, out, n - first, scratch);
}

int fc_program_layered(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n) {
    ptrdiff_t crossing = 0, most = 0;
    for (int l = 0; l < p->n_layers; l++) {
        ptrdiff_t need = fc_program_scratch(p->layers[l].program, n);
        most = need > most ? need : most;
        crossing += l < p->n_layers - 1 ? p->layers[l].program->n_out : 0;
    }
    double **at = calloc((size_t)p->n_values, sizeof(*at));
    double *memory = fc_room_take((size_t)(crossing * n + FC_WORDS(n) + most) * sizeof(double) + FC_LINE),
           *next = memory;
    int failed = at && memory ? 0 : -1;
    for (int l = 0; l < p->n_layers && !failed; l++) {
        const fc_layer *layer = p->layers + l;
        const double *from[FC_MAX_IN];
        double *to[FC_MAX_OUT], *begun[FC_MAX_OUT];
        for (int j = 0; j < layer->program->n_in; j++) {
            from[j] = layer->in[j] < p->n_in ? in[layer->in[j]] : at[layer->in[j]];
        }
        for (int j = 0; j < layer->program->n_out; j++) {
            to[j] = begun[j] = l < p->n_layers - 1 ? (at[layer->out[j]] = next) : out[j];
            next += l < p->n_layers - 1 ? n : 0;
        }
        double *last = memory + crossing * n;
        failed = run_layer(layer, from, to, n, fc_on_line(last + FC_WORDS(n)), (uint64_t *)(void *)last);
        if (!failed && l < p->n_layers - 1) { /* an infinite value is a result, but no bar for the next layer */
            failed = fc_any_beyond(begun, layer->program->n_out, 0, n, DBL_MAX);
        }
    }
    free(at);
    fc_room_give(memory);
    return failed;
}
