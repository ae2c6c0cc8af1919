/* What a batch keeps of exponential averages, alone and in chains. */
#ifndef FASTCORE_INDICATORS_OPERATORS_SMOOTHING_H
#define FASTCORE_INDICATORS_OPERATORS_SMOOTHING_H

#include "indicators/operators/operator.h"

typedef struct {
    fc_ema start; /* until it is seeded */
    fc_average average;
} fc_smooth_carry;

/* `chain` of the operator smooth. */
ptrdiff_t FC(smooth_chain)(const fc_chain *chain, void *const *carry, const double *in, double *out, ptrdiff_t n);

#endif
