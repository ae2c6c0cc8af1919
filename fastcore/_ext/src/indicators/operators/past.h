/* The last bars that came before those at hand, for an operator that takes many bars at a time. */
#ifndef FASTCORE_INDICATORS_OPERATORS_PAST_H
#define FASTCORE_INDICATORS_OPERATORS_PAST_H

#include <string.h>

#include "indicators/operators/operator.h"

typedef struct {
    int64_t width, at, seen; /* bars kept at most; the oldest one's place if all are kept; how many are */
    double mem[];
} fc_past;

FC_INLINE size_t fc_past_size(double width) { return sizeof(fc_past) + (size_t)width * sizeof(double); }
FC_INLINE void fc_past_init(fc_past *s, double width) {
    s->width = (int64_t)width;
    s->at = s->seen = 0;
}
/* Copies them, the oldest first; returns how many there are. */
FC_INLINE ptrdiff_t fc_past_copy(const fc_past *s, double *to) {
    int64_t from = s->seen < s->width ? 0 : s->at;
    memcpy(to, s->mem + from, (size_t)(s->seen - from) * sizeof(double));
    memcpy(to + s->seen - from, s->mem, (size_t)from * sizeof(double));
    return (ptrdiff_t)s->seen;
}
/* Adds n bars. */
FC_INLINE void fc_past_add(fc_past *s, const double *x, ptrdiff_t n) {
    if (n >= s->width) {
        memcpy(s->mem, x + n - s->width, (size_t)s->width * sizeof(double));
        s->at = 0;
        s->seen = s->width;
        return;
    }
    int64_t left = s->width - s->at, first = n < left ? n : left;
    memcpy(s->mem + s->at, x, (size_t)first * sizeof(double));
    memcpy(s->mem, x + first, (size_t)(n - first) * sizeof(double));
    s->at = s->at + n >= s->width ? s->at + n - s->width : s->at + n;
    s->seen = s->seen + n < s->width ? s->seen + n : s->width;
}

#endif
