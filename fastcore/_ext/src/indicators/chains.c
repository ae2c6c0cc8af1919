/* Chains of exponential averages in a program. */
#include "indicators/program.h"

#include <stdlib.h>

static int is_sum(const fc_node *node) {
    return fc_node_is(node, "combine_two") || fc_node_is(node, "combine_three") || fc_node_is(node, "combine_four");
}

/* How many averages from node k on are each the next one's input. */
static int stages_from(const fc_program *p, int k) {
    const fc_node *node = p->nodes + k;
    int n = 1;
    while (n < FC_CHAIN && k + n < p->n_nodes && node[n].op == node->op && node[n].in[0] == p->n_in + k + n - 1) {
        n++;
    }
    return n;
}

/* Whether nothing reads the averages but the next one and, so many times, what follows; `hidden` of them. */
static int are_alone(const fc_program *p, const int *uses, const fc_chain *c, const int *read, int hidden) {
    int alone = 1;
    for (int i = 0; i < hidden; i++) {
        int v = p->n_in + c->node + i;
        alone &= p->values[v].output < 0 && uses[v] == read[i] + (i + 1 < c->stages);
    }
    return alone;
}

/* The keeps, and the weights of the averages made into those of the chain's numbers; 0 if an average never moves, or so
 * little that these would be too large. */
static int set_numbers(const fc_program *p, fc_chain *c, const double *weight) {
    double passed = 1.0, rest = 0.0;
    for (int i = 0; i < c->stages; i++) {
        double keep = p->nodes[c->node + i].par[1];
        if (!(keep >= 0.0 && keep < 1.0)) {
            return 0;
        }
        c->keep[i] = keep;
        c->reach[i] = keep * passed;
        passed *= 1.0 - keep;
    }
    for (int i = c->stages; i--;) { /* an average is the input plus all distances before and its own */
        rest += weight[i];
        c->weight[i + 1] = rest * c->reach[i];
    }
    c->weight[0] = rest;
    return passed > 0x1p-200;
}

static void set_left(fc_chain *c) {
    for (int from = 0; from < c->stages; from++) {
        double number[FC_CHAIN] = {0.0};
        number[from] = 1.0;
        for (int t = 0; t < FC_SEGMENT; t++) {
            double step = 0.0, sum = 0.0;
            for (int i = from; i < c->stages; i++) {
                step = number[i] = c->keep[i] * number[i] + step;
                sum += c->weight[i + 1] * step;
            }
            c->result[from][t] = sum;
            if (t % 4 == 3) {
                memcpy(c->left[t / 4][from], number, sizeof(number));
            }
        }
    }
}

/* The chain with a sum of its averages as its result, or else with the last average. */
static int is_chain(const fc_program *p, const int *uses, fc_chain *c) {
    int read[FC_CHAIN] = {0}, own = c->node + c->stages < p->n_nodes;
    double weight[FC_CHAIN] = {0.0};
    const fc_node *sum = p->nodes + c->node + c->stages;
    own = own && is_sum(sum);
    for (int j = 0; own && j < sum->op->n_in; j++) {
        int i = sum->in[j] - p->n_in - c->node;
        own = i >= 0 && i < c->stages;
        if (own) {
            read[i]++;
            weight[i] += sum->par[j];
        }
    }
    own = own && are_alone(p, uses, c, read, c->stages);
    if (!own) {
        memset(read, 0, sizeof(read));
        memset(weight, 0, sizeof(weight));
        weight[c->stages - 1] = 1.0;
    }
    c->last = c->node + c->stages - !own;
    if (!(own || are_alone(p, uses, c, read, c->stages - 1)) || !set_numbers(p, c, weight)) {
        return 0;
    }
    set_left(c);
    return 1;
}

int fc_program_set_chains(fc_program *p) {
    int *uses = calloc((size_t)p->n_values + 1, sizeof(int));
    if (!uses) {
        return -1;
    }
    for (int k = 0; k < p->n_nodes; k++) {
        for (int j = 0; j < p->nodes[k].op->n_in; j++) {
            uses[p->nodes[k].in[j]]++;
        }
    }
    for (int k = 0; k < p->n_nodes; k++) {
        fc_chain chain = {.node = k, .stages = p->nodes[k].op->chain ? stages_from(p, k) : 1};
        if (chain.stages == 1 || !is_chain(p, uses, &chain)) {
            continue;
        }
        fc_chain *more = realloc(p->chains, (size_t)(p->n_chains + 1) * sizeof(*more));
        if (!more) {
            free(uses);
            return -1;
        }
        p->chains = more;
        p->chains[p->n_chains++] = chain;
        k = chain.last;
    }
    free(uses);
    return 0;
}
