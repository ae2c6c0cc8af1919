/* Several indicators of the same bars, over many series at once. Nothing here knows of Python. */
#ifndef FASTCORE_INDICATORS_PLAN_H
#define FASTCORE_INDICATORS_PLAN_H

#include "indicators/merge.h"

typedef struct {
    const fc_program *alone;     /* as its function runs it, with a kernel where there is one */
    const fc_program *operators; /* the same by operators */
    const int *columns;          /* of its inputs */
} fc_indicator;

typedef struct {
    int n, n_out;
    fc_indicator *indicators;
    int *output;       /* of each, its first output */
    int *same;         /* of each, an earlier one that is equal, or itself */
    int *part;         /* of each, which part of the merged program it is, or -1: it runs alone */
    int *first;        /* of each value that is an output of the merged program, the output that it is written to */
    fc_merged *merged; /* of those that have nodes in common */
} fc_plan;

/* The columns' numbers must live as long. NULL without memory. */
fc_plan *fc_plan_new(const fc_indicator *indicators, int n);
void fc_plan_free(fc_plan *p);
/* Doubles that a row works in. */
ptrdiff_t fc_plan_scratch(const fc_plan *p, ptrdiff_t bars);
/* A row of bars without gaps through the merged program; 1 if it declines. */
int fc_plan_merged(const fc_plan *p, const double *const *columns, double *const *out, ptrdiff_t bars, double *scratch,
                   int remote);

#endif
