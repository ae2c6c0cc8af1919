/* Whole series in which bars are missing: filled or packed, so that a program runs over them as over clean ones. */
#ifndef FASTCORE_INDICATORS_INCOMPLETE_H
#define FASTCORE_INDICATORS_INCOMPLETE_H

#include "indicators/program.h"

/* The first bar from i on that all inputs have; n if there is none. */
FC_INLINE ptrdiff_t fc_first_complete(const double *const *in, int n_in, ptrdiff_t i, ptrdiff_t n) {
    for (; i < n; i++) {
        double check = 0.0;
        for (int j = 0; j < n_in; j++) {
            check += in[j][i] - in[j][i];
        }
        if (check == 0.0) {
            break;
        }
    }
    return i;
}

/* All n outputs from n bars, n > lookback, the first of which is bar `origin` of the series. 1 if the program declines, -1
 * without memory. `scratch` is as for fc_program_batch.
 *
 * A program of windows: the bar before replaces each missing one, and the results that depend on one are missing. `holed`
 * says whether bars are missing near the end. */
int fc_program_filled(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin,
                      int holed, double *scratch, int remote);
/* A program of recurrences: missing bars are left out. */
int fc_program_packed(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, double *scratch);

#endif
