/* Which inputs of a program need not be looked at, because what is not finite in them shows. */
#include "indicators/program.h"

#include <math.h>
#include <stdlib.h>

/* Marks the values that show where they are not finite, because a node declines or what is marked is not finite there:
 * with 1, and the number of last bars that do not show. */
static void mark_shown(const fc_program *p, ptrdiff_t *shown) {
    for (int k = p->n_nodes; k--;) {
        const fc_node *node = p->nodes + k;
        ptrdiff_t result = shown[p->n_in + k];
        for (int j = 0; j < node->op->n_in; j++) {
            ptrdiff_t *input = shown + node->in[j], found = 0;
            if (node->op->declines >> j & 1) {
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

static int is_window(const fc_node *node) { return node->op->nan && fc_lag_of(node) < FC_SPREADING; }
static int is_map(const fc_node *node) { return node->op->kind == FC_MAP && !fc_node_is(node, "there"); }

/* Whether a program has windows, and else maps and lags alone. `divided` marks values that may be infinite, or hide what is,
 * though the inputs are moderate: a map that could hide that looks at others. */
static int has_windows(const fc_program *p, ptrdiff_t *divided) {
    int windows = 0;
    memset(divided, 0, (size_t)p->n_values * sizeof(*divided));
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        int all = (1 << node->op->n_in) - 1, strict = (node->op->strict & all) == all, map = is_map(node);
        ptrdiff_t *result = divided + p->n_in + k;
        for (int j = 0; j < node->op->n_in; j++) {
            *result |= divided[node->in[j]];
        }
        int shows = node->op->nan == FC_NAN_SHOWN || !*result;
        if (!(map ? strict || !*result : fc_is_lag(node) ? !*result : is_window(node) && shows)) {
            return 0;
        }
        *result |= map && (node->op->strict & FC_INVENTS || !(strict || node->op->strict & FC_CHOOSES));
        windows |= is_window(node);
    }
    return windows;
}

enum { ANY, NO_NAN, FINITE }; /* what a value may be where all bars are there: the last two are never NaN */

/* Whether a map with finite inputs, or with one that may be infinite, gives no NaN. */
static int is_plain(const fc_node *node, int of_finite) {
    const fc_operator *op = node->op;
    int keeps = op->strict & 1 && !(op->strict & FC_INVENTS) && (!*op->par || fabs(node->par[0]) > 0.0);
    return strlen(op->par) <= 1 && (of_finite ? op->n_in <= 2 : op->n_in == 1 && keeps);
}

/* Sets `looks` and `doubts` of a program with windows. Where its windows and what could hide it read only what is finite,
 * nothing is hidden of what is infinite, and what is infinite is a result. Where several results are asked for, none may
 * come to be NaN by what is infinite, as the others would not. */
static void set_looks(fc_program *p, ptrdiff_t *value) {
    int hides = 0, alone = p->n_out == 1;
    p->doubts = p->exact;
    for (int v = 0; v < p->n_values; v++) {
        value[v] = v < p->n_in && !p->exact ? FINITE : ANY;
    }
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        int map = is_map(node), lag = fc_is_lag(node), confined = node->op->nan == FC_NAN_CONFINED;
        ptrdiff_t least = FINITE;
        for (int j = 0; j < node->op->n_in; j++) {
            ptrdiff_t found = value[node->in[j]];
            int strict = map ? node->op->strict >> j & 1 : node->op->nan == FC_NAN_SHOWN;
            hides |= found != FINITE && !strict && !lag;
            p->doubts |= found != FINITE && !map && !lag;
            least = found < least ? found : least;
        }
        int chooses = map ? (node->op->strict & FC_CHOOSES) != 0 : lag || confined;
        int plain = map ? least != ANY && is_plain(node, least == FINITE) : least == FINITE && chooses;
        value[p->n_in + k] = least == FINITE && chooses ? FINITE : plain ? NO_NAN : ANY;
        hides |= !alone && !plain;
    }
    p->looks = hides;
    p->doubts |= hides;
}

/* Whether NaN in input j makes all results NaN whose bar, or one of the `lookback` before, it is. `low` and `high`: how many
 * bars later, at least and at most, a value is NaN; none where high is less. */
static int reaches_all(const fc_program *p, int j, ptrdiff_t *low, ptrdiff_t *high) {
    for (int v = 0; v < p->n_values; v++) {
        low[v] = v != j;
        high[v] = 0;
    }
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        ptrdiff_t *from = low + p->n_in + k, *to = high + p->n_in + k, lag = fc_lag_of(node);
        for (int i = 0; i < node->op->n_in; i++) {
            ptrdiff_t first = low[node->in[i]], last = high[node->in[i]];
            if (last < first) {
                continue;
            }
            if (node->op->nan == FC_NAN_CONFINED) {
                return 0;
            }
            first += is_window(node) ? 0 : lag;
            last += lag;
            if (*to < *from) {
                *from = first;
                *to = last;
            } else if (first > *to + 1 || last < *from - 1) {
                return 0; /* with a hole */
            }
            *from = first < *from ? first : *from;
            *to = last > *to ? last : *to;
        }
    }
    int all = 1;
    for (int o = 0; o < p->n_out; o++) {
        all &= low[p->outputs[o]] == 0 && high[p->outputs[o]] == p->lookback;
    }
    return all;
}

/* Whether a map has NaN as a parameter, as a ratio may for a divisor of 0. */
static int names_nan(const fc_node *node) {
    int found = 0;
    for (size_t i = 0; i < strlen(node->op->par); i++) {
        found |= node->par[i] != node->par[i];
    }
    return found && node->op->kind == FC_MAP;
}

/* Whether one of several results may be NaN although all bars are there, so that the others are looked at for it. */
static int invents(const fc_program *p, ptrdiff_t *may) {
    int found = 0;
    memset(may, 0, (size_t)p->n_values * sizeof(*may));
    for (int k = 0; k < p->n_nodes; k++) {
        const fc_node *node = p->nodes + k;
        ptrdiff_t *result = may + p->n_in + k;
        *result = node->op->kind == FC_COUNT || node->op->strict & FC_INVENTS || names_nan(node);
        for (int j = 0; j < node->op->n_in; j++) {
            *result |= may[node->in[j]];
        }
    }
    for (int j = 0; j < p->n_out && p->n_out > 1; j++) {
        found |= may[p->outputs[j]] != 0;
    }
    return found;
}

/* Sets `through`: of a program of maps alone whose only output is made of all inputs, and of one of maps and of inputs some
 * bars before. */
static void set_through(fc_program *p, ptrdiff_t *used) {
    int all = p->n_out == 1, shown = p->watched[0] != 0, maps = 1;
    memset(used, 0, (size_t)p->n_values * sizeof(*used));
    used[p->outputs[0]] = 1;
    for (int k = p->n_nodes; k--;) {
        const fc_node *node = p->nodes + k;
        int map = is_map(node);
        all &= map;
        maps &= map || (node->op->kind == FC_LOOK_BACK && fc_is_lag(node) && node->in[0] < p->n_in);
        for (int j = 0; j < node->op->n_in; j++) {
            used[node->in[j]] |= used[p->n_in + k];
        }
    }
    for (int j = 0; j < p->n_in; j++) {
        all &= used[j] != 0;
        shown &= p->shown[j] == 1;
    }
    p->windowed = !maps && p->policy == FC_WINDOW && has_windows(p, used);
    p->through = p->windowed ? FC_BLANKED : !maps ? 0 : !all ? FC_BLANKED : shown ? FC_RESULTS : FC_INPUTS;
    if (p->uneven) {
        p->windowed = p->through = 0;
    }
    p->looks = p->through == FC_INPUTS;
    p->doubts = p->through == FC_RESULTS && p->watched[0] == FC_LOOKED_AT;
    p->exact = p->windowed;
    for (int j = 0; j < p->n_in && p->exact; j++) {
        p->exact = reaches_all(p, j, used, used + p->n_values);
    }
    if (p->windowed) {
        set_looks(p, used);
    }
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
    p->uneven = !p->merged && invents(p, more);
    if (p->uneven) {
        memset(p->watched, 1, (size_t)p->n_out);
    }
    for (int k = 0; k < p->n_nodes; k++) {
        int output = p->values[p->n_in + k].output;
        if (output >= 0 && p->watched[output]) {
            p->watched[output] = p->nodes[k].op->checked ? FC_CHECKED : FC_LOOKED_AT;
        }
    }
    memcpy(p->shown, shown, (size_t)p->n_in * sizeof(ptrdiff_t));
    set_through(p, shown); /* p->shown has a copy */
    free(shown);
    return 0;
}
