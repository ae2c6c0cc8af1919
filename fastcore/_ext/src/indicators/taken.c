/* Nodes of a program whose work others do in a batch: what they make is never stored. */
#include "indicators/program.h"

#include <stdlib.h>

/* Whether a node reads what is `previous` with a number at the first bar, which it takes by itself then. */
static int reads_start(const fc_program *p, const fc_node *node) {
    int found = 0;
    for (int j = 0; j < node->op->n_in; j++) {
        found |= p->values[node->in[j]].starts;
    }
    return found;
}

/* Whether the first inputs of a node are made by the operators that `taking` does the work of, and which do that of no
 * others. A recurrence then begins at the same bar as by itself, and so has the same digits. */
static int fits(const fc_program *p, const fc_node *node, const fc_taking *taking) {
    for (int j = 0; j < 2; j++) {
        if (taking->of[j]) {
            int v = node->in[j];
            const fc_value *value = p->values + v;
            if (v < p->n_in || value->output >= 0 || value->earlier >= 0 ||
                !fc_node_is(p->nodes + (v - p->n_in), taking->of[j]) || p->nodes[v - p->n_in].takes ||
                (node->op->kind != FC_MAP && reads_start(p, p->nodes + (v - p->n_in)))) {
                return 0;
            }
        }
    }
    return 1;
}

static const fc_taking *taking_of(const fc_program *p, const fc_node *node) {
    const fc_taking *taking = node->op->taking;
    while (taking && (taking->of[0] || taking->of[1])) {
        if (fits(p, node, taking)) {
            return taking;
        }
        taking++;
    }
    return NULL;
}

/* Adds `by` to how many do the work of what makes the first inputs of a node. */
static void note(const fc_node *node, int *takers, int by) {
    for (int j = 0; j < 2; j++) {
        if (node->takes->of[j]) {
            takers[node->in[j]] += by;
        }
    }
}

/* A node's work is left to those that read it if all of them do it. */
int fc_program_set_taken(fc_program *p) {
    int *readers = calloc(2 * (size_t)p->n_values + 1, sizeof(int)), *takers = readers + p->n_values;
    if (!readers) {
        return -1;
    }
    for (int k = 0; k < p->n_nodes; k++) {
        fc_node *node = p->nodes + k;
        for (int j = 0; j < node->op->n_in; j++) {
            readers[node->in[j]]++;
        }
        node->takes = taking_of(p, node);
        if (node->takes) {
            note(node, takers, 1);
        }
    }
    for (int changed = 1; changed;) {
        changed = 0;
        for (int k = 0; k < p->n_nodes; k++) {
            fc_node *node = p->nodes + k;
            for (int j = 0; j < 2 && node->takes; j++) {
                if (node->takes->of[j] && readers[node->in[j]] != takers[node->in[j]]) {
                    note(node, takers, -1);
                    node->takes = NULL;
                    changed = 1;
                }
            }
        }
    }
    for (int v = p->n_in; v < p->n_values; v++) {
        p->values[v].taken = takers[v] > 0;
    }
    free(readers);
    return 0;
}

int fc_program_reads(const fc_program *p, int k, int *values) {
    const fc_node *node = p->nodes + k;
    int n = 0;
    for (int j = 0; j < node->op->n_in && !p->values[p->n_in + k].taken; j++) {
        const fc_node *taken = node->takes && j < 2 && node->takes->of[j] ? p->nodes + (node->in[j] - p->n_in) : NULL;
        for (int i = 0; taken && i < taken->op->n_in; i++) {
            values[n++] = taken->in[i];
        }
        if (!taken) {
            values[n++] = node->in[j];
        }
    }
    return n;
}
