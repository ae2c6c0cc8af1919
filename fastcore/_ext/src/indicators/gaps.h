/* Whole series in which bars are missing. */
#ifndef FASTCORE_INDICATORS_GAPS_H
#define FASTCORE_INDICATORS_GAPS_H

#include <string.h>

#include "indicators/program.h"

/* The end of the run of bars from i on that are there, or that are not. */
FC_INLINE ptrdiff_t fc_run_end(const unsigned char *there, ptrdiff_t i, ptrdiff_t n) {
    const unsigned char *end = memchr(there + i, !there[i], (size_t)(n - i));
    return end ? end - there : n;
}

/* All n outputs from n bars, of which the first is complete and bar `origin` of the series: what the streaming form gives.
 * 1 if the bars are to be taken one by one instead, -1 without memory. */
int fc_program_gaps(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin);

#endif
