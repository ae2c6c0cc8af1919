/* Runs kernels and operators over random walks of argv[1] bars: what tools/vector_share.py counts. With argv[2] 0 those
 * whose results depend on a window of bars or on one bar, with 1 those that remember what came before. */
#include <stdlib.h>

#include "indicators/operators/operator.h"

extern const fc_kernel *const fc_kernels_neon[];
extern const fc_operator *const fc_operators_neon[];

static double *zeros(ptrdiff_t n) { return calloc((size_t)n + 8, sizeof(double)); }

static double *walk(ptrdiff_t n, double from) {
    double x = from, *bars = zeros(n);
    for (ptrdiff_t i = 0; i < n; i++) {
        x += rand() / (double)RAND_MAX - 0.5;
        bars[i] = x;
    }
    return bars;
}

static int run_kernel(const fc_kernel *k, ptrdiff_t n, int remembers) {
    const double periods[] = {12, 26, 9, 5};
    double par[FC_MAX_PAR], *in[FC_MAX_IN], *out[FC_MAX_OUT];
    int alone = k->par[0] && !k->par[1];
    for (int j = 0, p = 0; k->par[j]; j++) {
        par[j] = k->par[j] == 'p' ? alone ? 20.0 : periods[p++ & 3] : k->par[j] == 'm' ? 0.0 : 2.0;
    }
    if ((k->policy(par) != FC_WINDOW) != remembers) {
        return 0;
    }
    for (int j = 0; j < k->n_in; j++) {
        in[j] = walk(n, 101.0 - j);
    }
    for (int j = 0; j < k->n_out; j++) {
        out[j] = zeros(n);
    }
    return k->batch(par, (const double *const *)in, out, n, zeros(k->scratch(par)));
}

static int run_operator(const fc_operator *o, ptrdiff_t n) {
    double par[FC_OP_PAR];
    const double *in[FC_OP_IN];
    for (int j = 0; o->par[j]; j++) {
        par[j] = o->par[j] == 'f' ? 0.5 : 14.0;
    }
    ptrdiff_t before = o->kind == FC_LOOK_BACK && o->lag ? o->lag(par) : 0;
    for (int j = 0; j < o->n_in; j++) {
        in[j] = walk(n + before, 101.0 - j) + before;
    }
    void *carry = calloc(1, o->carry + 1);
    if (o->begin) {
        o->begin(par, carry);
    }
    return o->block(par, carry, in, zeros(n), n, zeros(o->scratch ? o->scratch(par) : 0));
}

int main(int argc, char **argv) {
    ptrdiff_t n = argc > 1 ? atoi(argv[1]) : 1000;
    int declined = 0; /* none of them declines clean data */
    int remembers = argc > 2 && atoi(argv[2]);
    for (const fc_kernel *const *k = fc_kernels_neon; *k; k++) {
        declined |= run_kernel(*k, n, remembers);
    }
    for (const fc_operator *const *o = fc_operators_neon; *o; o++) {
        declined |= ((*o)->kind == FC_REMEMBER) == remembers && run_operator(*o, n);
    }
    return declined;
}
