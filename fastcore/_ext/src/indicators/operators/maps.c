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

/* Choices, with all that is chosen from at hand: the compiler then makes vectors of them. A comparison with NaN does not
 * hold, so each looks for NaN too; with |, which has no branch. */
FC_INLINE double sign_of(double a) {
    double up = a > 0.0 ? 1.0 : a - a;
    return a < 0.0 ? -1.0 : up;
}
FC_INLINE double greatest_of(double a, double b) { return (a > b) | (a != a) ? a : b; }
FC_INLINE double least_of(double a, double b) { return (a < b) | (a != a) ? a : b; }
FC_INLINE double unless_missing(double a, double b, double x) { return (a != a) | (b != b) ? NAN : x; }
FC_INLINE double greater_of(double a, double b) { return unless_missing(a, b, a > b ? 1.0 : 0.0); }
FC_INLINE double not_less_of(double a, double b) { return unless_missing(a, b, a >= b ? 1.0 : 0.0); }
FC_INLINE double equal_of(double a, double b) { return unless_missing(a, b, a == b ? 1.0 : 0.0); }
FC_INLINE double there_of(double a, double b) { return b - b == 0.0 ? a : NAN; }
FC_INLINE double ratio_of(double a, double b, double number) {
    double quotient = a / b, otherwise = a != a ? a : number;
    return b != 0.0 ? quotient : otherwise;
}
FC_INLINE double chosen(double a, double b, double c) {
    double x = a != 0.0 ? b : c;
    return (a != a) | (b != b) | (c != c) ? NAN : x;
}

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
UNARY(sign, sign_of(a[i]));
NUMBER(add_number, a[i] + number);
NUMBER(subtract_from, number - a[i]);
NUMBER(times, a[i] * number);
NUMBER(divide_by, a[i] / number);
NUMBER(divide, number / a[i]);
BINARY(add, a[i] + b[i]);
BINARY(sub, a[i] - b[i]);
BINARY(mul, a[i] * b[i]);
BINARY(div, a[i] / b[i]);
BINARY(greatest, greatest_of(a[i], b[i]));
BINARY(least, least_of(a[i], b[i]));
BINARY(gt, greater_of(a[i], b[i]));
BINARY(ge, not_less_of(a[i], b[i]));
BINARY(eq, equal_of(a[i], b[i]));
BINARY(there, there_of(a[i], b[i]));
MAP(constant, "f", 0, WITH, WITH, number);
MAP(ratio, "f", 2, LOAD2; WITH, STEP2; WITH, ratio_of(a[i], b[i], number));
MAP(where, "", 3, LOAD3, STEP3, chosen(a[i], b[i], c[i]));
