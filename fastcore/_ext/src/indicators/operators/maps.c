/* Operators that look at one bar. Their loops are left to the compiler, which makes vectors of them. */
#include "indicators/operators/operator.h"

#define BLOCK_HEAD                                                                                                     \
    (void)par;                                                                                                         \
    (void)carry;                                                                                                       \
    (void)in;                                                                                                          \
    (void)scratch

#define STEP_HEAD                                                                                                      \
    (void)par;                                                                                                         \
    (void)state;                                                                                                       \
    (void)in;                                                                                                          \
    (void)commit

#define MAP(op, kinds, inputs, LOAD, STEP_LOAD, RESULT)                                                                \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        BLOCK_HEAD;                                                                                                    \
        LOAD;                                                                                                          \
        for (ptrdiff_t i = 0; i < n; i++)                                                                              \
            out[i] = (RESULT);                                                                                         \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        const ptrdiff_t i = 0;                                                                                         \
        STEP_HEAD;                                                                                                     \
        (void)i;                                                                                                       \
        STEP_LOAD;                                                                                                     \
        return (RESULT);                                                                                               \
    }                                                                                                                  \
    const fc_operator FC(operator_##op) = {                                                                            \
        .name = #op, .par = kinds, .n_in = inputs, .kind = FC_MAP, .block = op##_block, .step = op##_step}

#define LOAD1 const double *a = in[0]
#define LOAD2 const double *a = in[0], *b = in[1]
#define LOAD3 const double *a = in[0], *b = in[1], *c = in[2]
#define STEP1 const double *a = in
#define STEP2 const double *a = in, *b = in + 1
#define STEP3 const double *a = in, *b = in + 1, *c = in + 2
#define WITH const double number = par[0]

#define UNARY(op, RESULT) MAP(op, "", 1, LOAD1, STEP1, RESULT)
#define NUMBER(op, RESULT) MAP(op, "f", 1, LOAD1; WITH, STEP1; WITH, RESULT)
#define BINARY(op, RESULT) MAP(op, "", 2, LOAD2, STEP2, RESULT)

UNARY(copy, a[i]);
UNARY(neg, -a[i]);
UNARY(abs, fabs(a[i]));
UNARY(sqrt, sqrt(a[i]));
UNARY(exp, exp(a[i]));
UNARY(ln, log(a[i]));
UNARY(log10, log10(a[i]));
UNARY(sin, sin(a[i]));
UNARY(cos, cos(a[i]));
UNARY(tan, tan(a[i]));
UNARY(asin, asin(a[i]));
UNARY(acos, acos(a[i]));
UNARY(atan, atan(a[i]));
UNARY(sinh, sinh(a[i]));
UNARY(cosh, cosh(a[i]));
UNARY(tanh, tanh(a[i]));
UNARY(floor, floor(a[i]));
UNARY(ceil, ceil(a[i]));
UNARY(sign, a[i] > 0.0 ? 1.0 : a[i] < 0.0 ? -1.0 : a[i] - a[i]);
NUMBER(add_number, a[i] + number);
NUMBER(subtract_from, number - a[i]);
NUMBER(times, a[i] * number);
NUMBER(divide_by, a[i] / number);
NUMBER(divide, number / a[i]);
BINARY(add, a[i] + b[i]);
BINARY(sub, a[i] - b[i]);
BINARY(mul, a[i] * b[i]);
BINARY(div, a[i] / b[i]);
/* A comparison with NaN does not hold, which is why these ask twice. */
BINARY(greatest, a[i] > b[i] || a[i] != a[i] ? a[i] : b[i]);
BINARY(least, a[i] < b[i] || a[i] != a[i] ? a[i] : b[i]);
BINARY(gt, a[i] > b[i] ? 1.0 : a[i] <= b[i] ? 0.0 : NAN);
BINARY(ge, a[i] >= b[i] ? 1.0 : a[i] < b[i] ? 0.0 : NAN);
BINARY(eq, a[i] == b[i] ? 1.0 : a[i] != a[i] || b[i] != b[i] ? NAN : 0.0);
BINARY(there, b[i] - b[i] == 0.0 ? a[i] : NAN);
MAP(constant, "f", 0, WITH, WITH, number);
MAP(ratio, "f", 2, LOAD2; WITH, STEP2; WITH, b[i] != 0.0 ? a[i] / b[i] : a[i] == a[i] ? number : NAN);
MAP(where, "", 3, LOAD3, STEP3, a[i] != a[i] || b[i] != b[i] || c[i] != c[i] ? NAN : a[i] != 0.0 ? b[i] : c[i]);
