/* Windows whose missing values do not count: there is a result where at least so many values are there. */
#ifndef FASTCORE_INDICATORS_OPERATORS_COUNTING_H
#define FASTCORE_INDICATORS_OPERATORS_COUNTING_H

#include "indicators/operators/operator.h"
#include "indicators/operators/ring.h"

FC_INLINE ptrdiff_t fc_count_lag(const double *par) { return (ptrdiff_t)par[1] - 1; }
FC_INLINE int fc_there(double x) { return x - x == 0.0; }

/* Whether so many of the ring's bars are there, for a state from outside. */
FC_INLINE int fc_counts_valid(const fc_ring *ring, const double *par, const double *mem, int64_t count) {
    if (!fc_ring_valid(ring, par[0]) || (ring->filled < ring->width && ring->at != ring->filled)) {
        return 0;
    }
    for (int64_t i = 0; i < ring->filled; i++) {
        count -= fc_there(mem[i]);
    }
    return count == 0;
}

/* An operator whose block is its step, bar by bar. PUSH(par, state, in, commit) is inlined. */
#define FC_COUNTING(op, kinds, inputs, STATE, PUSH, SIZE, INIT, VALID)                                                 \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        return PUSH(par, (STATE *)state, in, commit);                                                                  \
    }                                                                                                                  \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        (void)scratch;                                                                                                 \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            double bar[] = {in[0][i], in[(inputs) - 1][i]};                                                            \
            out[i] = PUSH(par, (STATE *)carry, bar, 1);                                                                \
        }                                                                                                              \
        return 0;                                                                                                      \
    }                                                                                                                  \
    FC_COUNTED(op, kinds, inputs, SIZE, INIT, VALID, INIT, NULL)

/* The same with a step and a block of its own, and how its carry, which is no larger than its state, begins. */
#define FC_COUNTED(op, kinds, inputs, SIZE, INIT, VALID, BEGIN, SCRATCH)                                               \
    const fc_operator FC(operator_##op) = {.name = #op,                                                                \
                                           .par = kinds,                                                               \
                                           .n_in = inputs,                                                             \
                                           .kind = FC_COUNT,                                                           \
                                           .lag = fc_count_lag,                                                        \
                                           .block = op##_block,                                                        \
                                           .scratch = SCRATCH,                                                         \
                                           .begin = BEGIN,                                                             \
                                           .step = op##_step,                                                          \
                                           .size = SIZE,                                                               \
                                           .init = INIT,                                                               \
                                           .valid = VALID}

#endif
