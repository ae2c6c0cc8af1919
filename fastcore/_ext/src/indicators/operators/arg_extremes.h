/* How many bars ago the extremes of windows were. */
#ifndef FASTCORE_INDICATORS_OPERATORS_ARG_EXTREMES_H
#define FASTCORE_INDICATORS_OPERATORS_ARG_EXTREMES_H

#include "indicators/operators/operator.h"

/* Doubles that it needs for windows of w bars. */
ptrdiff_t FC(ages_scratch)(ptrdiff_t w);
/* The ages, of equal values the newest, at n bars from x on, which has w - 1 bars before it. */
void FC(ages_of_highest)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch);
void FC(ages_of_lowest)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch);

#endif
