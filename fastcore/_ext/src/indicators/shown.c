/* Which inputs of a program need not be looked at, because what is not finite in them shows. */
#include "indicators/program.h"

#include <stdlib.h>

/* Marks the values that show where they are not finite, because a node declines or what is marked is not finite there:
 * with 1, and the number of last bars that do not show. */
static void mark_shown(const fc_program *p, ptrdiff_t *shown) {
    for (int k = p->n_nodes; k--;) {
        const fc_node *node = p->nodes + k;
        ptrdiff_t result = shown[p->n_in + k];
        for (int j = 0; j < node->op->n_in; j++) {
            ptrdiff_t *input = shown + node->in[j], found = 0;
            if (node->op->declines) {
                found = 1;
            } else if (result && fc_is_lag(node)) {
                found = result + fc_lag_of(node);
            } else if (node->op->kind == FC_MAP && (node->op->strict >> j & 1)) {
                found = result;
            }
            *input = found && (!*input || found < *input) ? found : *input;
        }
    }
}

/* Whether all that reads an input counts values, and takes one as missing that lacks another input. */
static int are_counted(const fc_program *p) {
    int counted = p->n_out == 1;
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        int inputs = 0;
        for (int j = 0; j < node->op->n_in; j++) {
            inputs += node->in[j] < p->n_in;
        }
        counted &= inputs == 0 || (node->op->kind == FC_COUNT && inputs == p->n_in);
    }
    return counted;
}

/* Sets `through`: of a program of maps alone whose only output is made of all inputs, and of one of maps and of inputs some
 * bars before. */
static void set_through(fc_program *p, ptrdiff_t *used) {
    int all = p->n_out == 1, shown = p->watched[0] != 0, maps = 1;
    memset(used, 0, (size_t)p->n_values * sizeof(*used));
    used[p->outputs[0]] = 1;
    for (int k = p->n_nodes; k--;) {
        const fc_node *node = p->nodes + k;
        int map = node->op->kind == FC_MAP && !fc_node_is(node, "there");
        all &= map;
        maps &= map || (fc_is_lag(node) && node->in[0] < p->n_in);
        for (int j = 0; j < node->op->n_in; j++) {
            used[node->in[j]] |= used[p->n_in + k];
        }
    }
    for (int j = 0; j < p->n_in; j++) {
        all &= used[j] != 0;
        shown &= p->shown[j] == 1;
    }
    p->through = !maps ? 0 : !all ? FC_BLANKED : shown ? FC_RESULTS : FC_INPUTS;
}

/* Inputs that show need not be looked at, but for the bars before the lookback and last ones; outputs are, where that makes
 * some show. -1 without memory. */
int fc_program_set_shown(fc_program *p) {
    ptrdiff_t *shown = calloc(2 * (size_t)p->n_values + 1, sizeof(ptrdiff_t)), *more = shown + p->n_values;
    if (!shown) {
        return -1;
    }
    p->counted = are_counted(p);
    mark_shown(p, shown);
    for (int j = 0; j < p->n_out; j++) {
        memcpy(more, shown, (size_t)p->n_values * sizeof(ptrdiff_t));
        more[p->outputs[j]] = 1;
        mark_shown(p, more);
        if (memcmp(more, shown, (size_t)p->n_in * sizeof(ptrdiff_t)) != 0) {
            memcpy(shown, more, (size_t)p->n_values * sizeof(ptrdiff_t));
            p->watched[j] = 1;
        }
    }
    for (int k = 0; k < p->n_nodes; k++) {
        int output = p->values[p->n_in + k].output;
        if (output >= 0 && p->watched[output]) {
            p->watched[output] = p->nodes[k].op->checked ? FC_CHECKED : FC_LOOKED_AT;
        }
    }
    memcpy(p->shown, shown, (size_t)p->n_in * sizeof(ptrdiff_t));
    set_through(p, more);
    free(shown);
    return 0;
}
