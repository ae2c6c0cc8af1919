/* Sums of those values of a window that come first in order, without an error of rounding. */
#ifndef FASTCORE_INDICATORS_SUMS_OF_H
#define FASTCORE_INDICATORS_SUMS_OF_H

#include "indicators/present.h"

/* A number has one part, or a lower one of `bits` bits and an upper one. */
typedef struct {
    ptrdiff_t width, bars, values; /* bars: of which there are results; values: of their windows */
    int n_parts, bits, levels;
    double middle, quantum; /* value i is `middle` and number[place[i]] quanta */
    double *sorted;
    int64_t *number[2];
    int32_t *place, *below;          /* below: of each window, how many values are not above its mean */
    int64_t *sums[2][FC_LEVELS + 1]; /* of the places that are taken: each, of 16, of 256 and so on */
    int64_t *mean[2];                /* of each window, in quanta, rounded down; and what is left of the sum */
    int32_t *rest;
    fc_present present;
} fc_sums_of;

/* Doubles of working memory for the windows, w wide, of n bars. */
ptrdiff_t fc_sums_room(ptrdiff_t w, ptrdiff_t n);
/* Sorts the values, of which the first is at x, makes numbers of them and finds the windows' means; width, bars and values
 * are set. 0 if the values are too far apart, or too close to each other. */
int fc_sums_sort(fc_sums_of *s, const double *x, int n_parts, double *scratch);

#endif
