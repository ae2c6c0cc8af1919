/* Several programs over the same columns as one, with equal nodes once.
 *
 * A bar that lacks one of its inputs is missing for a program as a whole, so programs share the values of a column only
 * if they have the same set of columns. Nothing here knows of Python.
 */
#ifndef FASTCORE_INDICATORS_MERGE_H
#define FASTCORE_INDICATORS_MERGE_H

#include "indicators/program.h"

typedef struct {
    const fc_program *program; /* of operators, not of a kernel */
    const int *columns;        /* of each of its inputs */
    int group;                 /* programs of different groups share nothing */
} fc_part;

typedef struct {
    fc_program *program; /* its inputs are the columns of each set, one set after the other */
    int n_parts, n_sets;
    int *column; /* of each input */
    int *set;    /* of each set, its first input; at the end their number */
    int *output; /* of each part, its first output; at the end their number */
    int *value;  /* of each output */
    int **node;  /* of each part, which of the merged nodes its own have become; ends with -1 */
} fc_merged;

/* NULL without memory. */
fc_merged *fc_merge(const fc_part *parts, int n);
void fc_merged_free(fc_merged *m);

#endif
