/* Programs in which windows and recurrences follow each other, in layers: each runs over a series with missing bars as a
 * program of windows or of recurrences does by itself, at once rather than node by node. */
#ifndef FASTCORE_INDICATORS_LAYERS_H
#define FASTCORE_INDICATORS_LAYERS_H

#include "indicators/program.h"

struct fc_layer {
    fc_program *program; /* of windows or of recurrences, with the maps that follow */
    int in[FC_MAX_IN], out[FC_MAX_OUT]; /* the numbers of the values that it takes and makes */
    int joint; /* whether all that recurs depends on all that it takes */
};

/* Finds the layers, if results that lack a bar are told by the layers too; -1 without memory. */
int fc_program_set_layers(fc_program *p);
void fc_program_free_layers(fc_program *p);
/* All n outputs from n bars, n > lookback, the first of which is complete; 1 if it declines, -1 without memory. */
int fc_program_layered(const fc_program *p, const double *const *in, double *const *out, ptrdiff_t n);

#endif
