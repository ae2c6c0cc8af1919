#include "indicators/merge.h"

#include <stdlib.h>

typedef struct {
    const fc_part *parts;
    fc_merged *m;
    int *part_set; /* of each part */
    int *table;    /* node + 1 by hash; 0: empty */
    int *group;    /* of each node */
    size_t mask;
} maker;

static int contains(const int *columns, int n, int column) {
    for (int j = 0; j < n; j++) {
        if (columns[j] == column) {
            return 1;
        }
    }
    return 0;
}

static int set_size(const fc_merged *m, int s) { return m->set[s + 1] - m->set[s]; }

/* Whether set s has the same columns as the inputs of a part. */
static int same_set(const fc_merged *m, int s, const fc_part *part) {
    const int *of_set = m->column + m->set[s];
    for (int j = 0; j < part->program->n_in; j++) {
        if (!contains(of_set, set_size(m, s), part->columns[j])) {
            return 0;
        }
    }
    for (int j = 0; j < set_size(m, s); j++) {
        if (!contains(part->columns, part->program->n_in, of_set[j])) {
            return 0;
        }
    }
    return 1;
}

static void make_sets(maker *k) {
    fc_merged *m = k->m;
    for (int i = 0; i < m->n_parts; i++) {
        const fc_part *part = k->parts + i;
        int s = 0;
        while (s < m->n_sets && !same_set(m, s, part)) {
            s++;
        }
        k->part_set[i] = s;
        if (s < m->n_sets) {
            continue;
        }
        int end = m->set[s];
        for (int j = 0; j < part->program->n_in; j++) {
            if (!contains(m->column + m->set[s], end - m->set[s], part->columns[j])) {
                m->column[end++] = part->columns[j];
            }
        }
        m->set[++m->n_sets] = end;
    }
}

static int input_of(const maker *k, int i, int j) {
    int input = k->m->set[k->part_set[i]];
    while (k->m->column[input] != k->parts[i].columns[j]) {
        input++;
    }
    return input;
}

static uint64_t mixed(uint64_t hash, uint64_t bits) { return (hash ^ bits) * UINT64_C(0x9E3779B97F4A7C15); }

static uint64_t hash_of(const fc_node *node, int group) {
    uint64_t hash = mixed((uint64_t)(uintptr_t)node->op, (uint64_t)group), bits;
    for (int j = 0; j < FC_OP_PAR; j++) {
        memcpy(&bits, node->par + j, sizeof(bits));
        hash = mixed(hash ^ (hash >> 29), bits);
    }
    for (int j = 0; j < node->op->n_in; j++) {
        hash = mixed(hash ^ (hash >> 29), (uint64_t)node->in[j]);
    }
    return hash ^ (hash >> 32);
}

static int same_node(const fc_node *a, const fc_node *b) {
    return a->op == b->op && !memcmp(a->par, b->par, sizeof(a->par)) &&
           !memcmp(a->in, b->in, (size_t)a->op->n_in * sizeof(int));
}

/* The number of the merged node that is `node`, which is added if there is none. */
static int place_of(maker *k, const fc_node *node, int group) {
    fc_program *p = k->m->program;
    size_t at = (size_t)hash_of(node, group) & k->mask;
    for (; k->table[at]; at = (at + 1) & k->mask) {
        int known = k->table[at] - 1;
        if (k->group[known] == group && same_node(p->nodes + known, node)) {
            return known;
        }
    }
    k->table[at] = p->n_nodes + 1;
    k->group[p->n_nodes] = group;
    p->nodes[p->n_nodes] = *node;
    return p->n_nodes++;
}

static void make_nodes(maker *k, int n_in) {
    fc_merged *m = k->m;
    for (int i = 0, out = 0; i < m->n_parts; i++) {
        const fc_program *part = k->parts[i].program;
        for (int n = 0; n < part->n_nodes; n++) {
            fc_node node = {0};
            node.op = part->nodes[n].op;
            memcpy(node.par, part->nodes[n].par, sizeof(node.par));
            for (int j = 0; j < node.op->n_in; j++) {
                int v = part->nodes[n].in[j];
                node.in[j] = v < part->n_in ? input_of(k, i, v) : n_in + m->node[i][v - part->n_in];
            }
            m->node[i][n] = place_of(k, &node, k->parts[i].group);
        }
        m->output[i] = out;
        for (int j = 0; j < part->n_out; j++) {
            m->value[out++] = n_in + m->node[i][part->outputs[j] - part->n_in];
        }
        m->output[i + 1] = out;
    }
}

/* The outputs of the program: each value once. */
static void set_outputs(fc_merged *m) {
    fc_program *p = m->program;
    p->n_out = 0;
    for (int j = 0; j < m->output[m->n_parts]; j++) {
        if (!contains(p->outputs, p->n_out, m->value[j])) {
            p->outputs[p->n_out++] = m->value[j];
        }
    }
}

static void *room(size_t n, size_t size) { return calloc(n + 1, size); }

fc_merged *fc_merge(const fc_part *parts, int n) {
    fc_merged *m = room(1, sizeof(*m));
    size_t n_in = 0, n_nodes = 0, n_out = 0, slots = 16;
    if (!m) {
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        n_in += (size_t)parts[i].program->n_in;
        n_nodes += (size_t)parts[i].program->n_nodes;
        n_out += (size_t)parts[i].program->n_out;
    }
    while (slots < 2 * n_nodes) {
        slots *= 2;
    }
    m->n_parts = n;
    m->column = room(n_in, sizeof(int));
    m->set = room((size_t)n + 1, sizeof(int));
    m->output = room((size_t)n + 1, sizeof(int));
    m->value = room(n_out, sizeof(int));
    m->node = room((size_t)n, sizeof(int *));
    maker k = {parts, m, room((size_t)n, sizeof(int)), room(slots, sizeof(int)), room(n_nodes, sizeof(int)), slots - 1};
    int failed = !m->column || !m->set || !m->output || !m->value || !m->node || !k.part_set || !k.table || !k.group;
    for (int i = 0; !failed && i < n; i++) {
        m->node[i] = room((size_t)parts[i].program->n_nodes, sizeof(int));
        failed = !m->node[i];
        if (!failed) {
            m->node[i][parts[i].program->n_nodes] = -1;
        }
    }
    if (!failed) {
        make_sets(&k);
        int inputs = m->set[m->n_sets];
        m->program = fc_program_new("plan", inputs, (int)n_nodes, (int)n_out);
        failed = !m->program;
        if (!failed) {
            m->program->n_nodes = 0;
            m->program->merged = 1;
            make_nodes(&k, inputs);
            m->program->n_values = inputs + m->program->n_nodes;
            set_outputs(m);
            failed = fc_program_finish(m->program) != 0;
            /* Parts begin at different bars: all inputs are looked at. */
            memset(m->program->shown, 0, (size_t)inputs * sizeof(ptrdiff_t));
            memset(m->program->watched, 0, n_out);
            memset(m->program->blank, 0, n_out * sizeof(ptrdiff_t));
        }
    }
    free(k.part_set);
    free(k.table);
    free(k.group);
    if (failed) {
        fc_merged_free(m);
        return NULL;
    }
    return m;
}

void fc_merged_free(fc_merged *m) {
    if (m) {
        for (int i = 0; m->node && i < m->n_parts; i++) {
            free(m->node[i]);
        }
        fc_program_free(m->program);
        free(m->column);
        free(m->set);
        free(m->output);
        free(m->value);
        free(m->node);
        free(m);
    }
}
