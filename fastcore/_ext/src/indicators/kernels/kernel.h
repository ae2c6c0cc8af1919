/* What a kernel is: the one structure that function, live and board run on.
 *
 * A kernel knows nothing of missing data. `batch` may stop early and return 1 when it meets a value that is not finite
 * (or anything else it does not want); the caller then fills or packs the series by the kernel's policy, or steps
 * through it. The streaming functions treat missing bars themselves, by the same policy.
 */
#ifndef FASTCORE_INDICATORS_KERNELS_KERNEL_H
#define FASTCORE_INDICATORS_KERNELS_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#define FC_MAX_IN 8
#define FC_MAX_OUT 4
#define FC_MAX_PAR 8
#define FC_STATE_VERSION 4 /* of pickled states, live and of boards: raise it when a kernel's state changes */
#define FC_KERNEL_STATES 3 /* of live states of earlier builds, which kernels run */
#define FC_MAX_PERIOD 100000000.0 /* keeps every size computed from periods far from overflow */

typedef enum {
    FC_WINDOW, /* the results whose window has a missing bar are missing; the others depend on their window alone */
    FC_RECURRENCE, /* a missing bar is left out: f(x) is f(x without it), spread out again */
    FC_MIXED /* stages of both kinds, or of others: the streaming form decides */
} fc_policy;

/* What becomes of NaN in windows, whatever is returned then: nothing is said of it; it changes no result but those whose
 * window has it; and makes all of these NaN. */
typedef enum { FC_NAN_ANYHOW, FC_NAN_CONFINED, FC_NAN_SHOWN } fc_nan;

typedef struct fc_kernel {
    const char *name;
    const char *par; /* kind of each parameter: p period, f factor, m moving average type */
    int n_in, n_out;
    fc_nan nan; /* in batch under the policy FC_WINDOW */

    fc_policy (*policy)(const double *par);
    ptrdiff_t (*lookback)(const double *par);
    ptrdiff_t (*scratch)(const double *par); /* doubles that batch needs beyond its outputs */
    /* All n outputs from n bars; 1 if it declines, 0 if done. Inputs and outputs do not overlap. */
    int (*batch)(const double *par, const double *const *in, double *const *out, ptrdiff_t n, double *scratch);

    /* The streaming form. A state holds no addresses: it may be copied, moved and stored. */
    size_t (*size)(const double *par);
    void (*init)(const double *par, void *state);
    int (*valid)(const double *par, const void *state); /* may a state from outside be run? */
    void (*run)(void *state, const double *const *in, double *const *out, ptrdiff_t n);
    void (*step)(void *state, const double *in, double *out,
                 int commit); /* one bar; commit 0 leaves the state as it was */
    /* Bar i goes to the state at `states + stride * at[i]` and its outputs to element at[i]; at may be NULL for
     * 0..n-1. */
    void (*many)(char *states, size_t stride, const int64_t *at, const double *const *in, double *const *out,
                 ptrdiff_t n);
} fc_kernel;

#define FC_PASTE_(a, b) fc_##a##_##b
#define FC_PASTE(a, b) FC_PASTE_(a, b)
#define FC(name) FC_PASTE(name, FC_ISA) /* the name of something compiled once per instruction set */

#endif
