/* Whole series in which bars are missing, taken as if none were. */
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
 * Of a program of windows: each missing bar is that before it, and the results that look at it are missing. */
int fc_program_filled(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin,
                      double *scratch);
/* Of a program of recurrences: missing bars are left out. */
int fc_program_packed(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, double *scratch);

#endif
