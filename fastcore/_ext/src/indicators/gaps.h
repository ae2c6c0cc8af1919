/* Whole series in which bars are missing. */
#ifndef FASTCORE_INDICATORS_GAPS_H
#define FASTCORE_INDICATORS_GAPS_H

#include "indicators/program.h"

/* All n outputs from n bars, of which the first is complete and bar `origin` of the series: what the streaming form gives.
 * 1 if the bars are to be taken one by one instead, -1 without memory. */
int fc_program_gaps(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n, ptrdiff_t origin);

#endif
