/* The places of many values in order, by which windows that overlap are looked at without being sorted again. */
#ifndef FASTCORE_INDICATORS_SORTED_H
#define FASTCORE_INDICATORS_SORTED_H

#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

#define FC_SORTED_WIDEST (1 << 20) /* the widest window for which there is memory to sort it */

/* Bars that are sorted at a time, with the window before them: as many as a wide window has. */
FC_INLINE ptrdiff_t fc_sorted_bars(ptrdiff_t width) { return width > 8192 ? width : 8192; }
/* Into how many parts of about the same size n bars are cut for that. */
FC_INLINE ptrdiff_t fc_sorted_parts(ptrdiff_t n, ptrdiff_t width) {
    return (n + fc_sorted_bars(width) - 1) / fc_sorted_bars(width);
}

/* Doubles of working memory for m values. */
ptrdiff_t fc_sorted_room(ptrdiff_t m);
/* Puts those of m values that are finite in order: sorted[place[i]] is value i; place[i] is -1 for another. Equal values
 * keep their order. Returns how many there are; m is less than 2 ** 31. */
int32_t fc_sort(const double *x, ptrdiff_t m, int32_t *place, double *sorted, double *room);

/* Of each of n places that of the first value which is equal, and the one after the last. */
void fc_sorted_ties(const double *sorted, int32_t n, int32_t *first, int32_t *end);

#endif
