/* What recurrences have in common that take one bar after another. */
#ifndef FASTCORE_INDICATORS_OPERATORS_SCAN_H
#define FASTCORE_INDICATORS_OPERATORS_SCAN_H

#include "indicators/operators/operator.h"

#define FIXED(name, STATE)                                                                                             \
    static size_t name##_size(const double *par) {                                                                     \
        (void)par;                                                                                                     \
        return sizeof(STATE);                                                                                          \
    }

/* An operator whose block is its step, bar by bar, and whose carry is its state. PUSH(state, in, commit) is inlined.
 * At the end, how it runs for symbols side by side, if not by steps. */
#define SCAN(op, kinds, inputs, STATE, PUSH, LAG, ...)                                                                 \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        STATE s = *(STATE *)carry;                                                                                     \
        (void)scratch;                                                                                                 \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            double bar[inputs];                                                                                        \
            for (int j = 0; j < (inputs); j++)                                                                         \
                bar[j] = in[j][i];                                                                                     \
            out[i] = PUSH(par, &s, bar, 1);                                                                            \
        }                                                                                                              \
        *(STATE *)carry = s;                                                                                           \
        return 0;                                                                                                      \
    }                                                                                                                  \
    REMEMBERING(op, kinds, inputs, STATE, PUSH, LAG, 0, __VA_ARGS__)

/* The row of an operator that remembers, with a block and a step of its own. */
#define REMEMBERED(op, kinds, inputs, STATE, LAG, ...)                                                                 \
    const fc_operator FC(operator_##op) = {.name = #op,                                                                \
                                           .par = kinds,                                                               \
                                           .n_in = inputs,                                                             \
                                           .kind = FC_REMEMBER,                                                        \
                                           .lag = LAG,                                                                 \
                                           .block = op##_block,                                                        \
                                           .carry = sizeof(STATE),                                                     \
                                           .begin = op##_init,                                                         \
                                           .step = op##_step,                                                          \
                                           .size = op##_size,                                                          \
                                           .init = op##_init,                                                          \
                                           .valid = op##_valid,                                                        \
                                           __VA_ARGS__}

/* One that steps by PUSH, with a block of its own. */
#define REMEMBERING(op, kinds, inputs, STATE, PUSH, LAG, DECLINES, ...)                                                \
    FIXED(op, STATE)                                                                                                   \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        return PUSH(par, (STATE *)state, in, commit);                                                                  \
    }                                                                                                                  \
    REMEMBERED(op, kinds, inputs, STATE, LAG, .declines = DECLINES, __VA_ARGS__)

FC_INLINE int any_valid(const double *par, const void *state) {
    (void)par;
    (void)state;
    return 1;
}

#endif
