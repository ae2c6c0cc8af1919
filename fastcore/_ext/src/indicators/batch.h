/* Programs over series that may have missing bars, and over many series at once. Nothing here knows of Python. */
#ifndef FASTCORE_INDICATORS_BATCH_H
#define FASTCORE_INDICATORS_BATCH_H

#include "indicators/plan.h"

/* Each input and output holds rows * bars doubles, row after row. threads 0: as many as pay. Returns 0, or -1 if there
 * is no memory, and the outputs are then undefined. */
int fc_panel(const fc_program *program, const double *const *in, double *const *out, ptrdiff_t rows, ptrdiff_t bars,
             int threads);
/* The same for a plan: a column or an output of each indicator after the other. */
int fc_plan_panel(const fc_plan *plan, const double *const *columns, int n_columns, double *const *out, ptrdiff_t rows,
                  ptrdiff_t bars, int threads);

#endif
