/* Runs every kernel's batch once over a random walk of argv[1] bars: what tools/vector_share.py counts instructions of. */
#include <stdlib.h>

#include "indicators/kernels/kernel.h"

extern const fc_kernel *const fc_kernels_neon[];

int main(int argc, char **argv) {
    const double periods[] = {12, 26, 9, 5};
    ptrdiff_t n = argc > 1 ? atoi(argv[1]) : 1000;
    for (const fc_kernel *const *k = fc_kernels_neon; *k; k++) {
        double par[FC_MAX_PAR], *in[FC_MAX_IN], *out[FC_MAX_OUT];
        int alone = (*k)->par[0] && !(*k)->par[1];
        for (int j = 0, p = 0; (*k)->par[j]; j++) {
            par[j] = (*k)->par[j] == 'p' ? alone ? 20.0 : periods[p++ & 3] : (*k)->par[j] == 'm' ? 0.0 : 2.0;
        }
        for (int j = 0; j < (*k)->n_in; j++) {
            double x = 100.0;
            in[j] = malloc((size_t)n * sizeof(double));
            for (ptrdiff_t i = 0; i < n; i++) {
                x += rand() / (double)RAND_MAX - 0.5;
                in[j][i] = x + 1.0 - j;
            }
        }
        for (int j = 0; j < (*k)->n_out; j++) {
            out[j] = calloc((size_t)n, sizeof(double));
        }
        double *scratch = calloc((size_t)(*k)->scratch(par) + 8, sizeof(double));
        if ((*k)->batch(par, (const double *const *)in, out, n, scratch)) {
            return 1; /* no kernel declines clean data */
        }
    }
    return 0;
}
