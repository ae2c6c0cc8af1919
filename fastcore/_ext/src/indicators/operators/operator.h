/* What an operator is: a node of a program carries one out.
 *
 * `block` takes clean data, many bars at a time; `step` takes one bar, and the caller has looked whether it is there. A
 * map has no memory: missing values run through it. A window's `block` has no memory either: it looks back into its
 * input. A recurrence's block keeps what it knows in `carry`, and gives NaN until it has a result.
 * What counts the values of its window is given missing ones too, in block and step; its carry is its state.
 */
#ifndef FASTCORE_INDICATORS_OPERATORS_OPERATOR_H
#define FASTCORE_INDICATORS_OPERATORS_OPERATOR_H

#include "indicators/kernels/stages.h"

#define FC_OP_IN 4
#define FC_OP_PAR 4

typedef enum { FC_MAP, FC_LOOK_BACK, FC_REMEMBER, FC_COUNT } fc_kind;

typedef struct fc_operator {
    const char *name;
    const char
        *par; /* kind of each parameter: p period (1 or more), d pair (2 or more), c count (0 or more), t ties (0 to
               2), f number */
    int n_in;
    fc_kind kind;
    int strict; /* no result is finite whose inputs are not */
    ptrdiff_t (*lag)(const double *par);     /* bars of its inputs before the first result; NULL: none */
    ptrdiff_t (*scratch)(const double *par); /* doubles that block needs; NULL: none */
    /* n results, out[0] that of the bar at in[j][0]; a window reads from in[j][-lag] on. 1 if it declines, 0 if done. */
    int (*block)(const double *par, void *carry, const double *const *in, double *out, ptrdiff_t n, double *scratch);
    int declines; /* whether block declines by itself when an input is not finite */
    size_t carry; /* bytes that block keeps; 0 bytes before the first bar unless begin says otherwise */
    void (*begin)(const double *par, void *carry);
    void (*skip)(void *kept, ptrdiff_t bars); /* of a carry or a state that is new: so many bars came before; or NULL */

    double (*step)(const double *par, void *state, const double *in, int commit); /* commit 0: the state stays */
    /* The state of step; NULL: none. It holds no addresses. */
    size_t (*size)(const double *par);
    void (*init)(const double *par, void *state);
    int (*valid)(const double *par, const void *state); /* may a state from outside be stepped? */
    void (*gap)(void *state); /* what a missing bar does; NULL: nothing */
} fc_operator;

#endif
