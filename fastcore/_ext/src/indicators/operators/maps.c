/* Operators that look at one bar. Their loops are left to the compiler, which makes vectors of them. */
#include "indicators/operators/elementary.h"
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

#define CHECKED(HOW, op, LOAD, RESULT)                                                                                 \
    HOW int op##_checked(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,   \
                         uint64_t mask) {                                                                              \
        uint64_t found = 0;                                                                                            \
        (void)par;                                                                                                     \
        (void)carry;                                                                                                   \
        LOAD;                                                                                                          \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            out[i] = (RESULT);                                                                                         \
            found |= fc_of_bits(fc_bits_of(out[i]) & mask) == INFINITY ? ~UINT64_C(0) : 0;                             \
        }                                                                                                              \
        return found != 0;                                                                                             \
    }
#define ONE_LOOP(op, LOAD, RESULT)                                                                                     \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        BLOCK_HEAD;                                                                                                    \
        LOAD;                                                                                                          \
        for (ptrdiff_t i = 0; i < n; i++)                                                                              \
            out[i] = (RESULT);                                                                                         \
        return 0;                                                                                                      \
    }
#define LOOPS(op, LOAD, RESULT)                                                                                        \
    ONE_LOOP(op, LOAD, RESULT)                                                                                         \
    CHECKED(static, op, LOAD, RESULT)
/* One loop for both, where quotients take most of the time. */
#define LOOP(op, LOAD, RESULT)                                                                                         \
    CHECKED(static FC_NOINLINE, op, LOAD, RESULT)                                                                      \
    static int op##_block(const double *par, void *carry, const double *const *in, double *out, ptrdiff_t n,           \
                          double *scratch) {                                                                           \
        (void)scratch;                                                                                                 \
        op##_checked(par, carry, in, out, n, FC_NOT_FINITE);                                                           \
        return 0;                                                                                                      \
    }
#define MAP(op, kinds, inputs, STRICTLY, LOAD, STEP_LOAD, RESULT)                                                      \
    LOOPS(op, LOAD, RESULT)                                                                                            \
    ROW(op, kinds, inputs, STRICTLY, STEP_LOAD, RESULT, NULL)
#define ROW(op, kinds, inputs, STRICTLY, STEP_LOAD, RESULT, TAKING)                                                    \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        const ptrdiff_t i = 0;                                                                                         \
        STEP_HEAD;                                                                                                     \
        (void)i;                                                                                                       \
        STEP_LOAD;                                                                                                     \
        return (RESULT);                                                                                               \
    }                                                                                                                  \
    const fc_operator FC(operator_##op) = {.name = #op,                                                                \
                                           .par = kinds,                                                               \
                                           .n_in = inputs,                                                             \
                                           .kind = FC_MAP,                                                             \
                                           .strict = STRICTLY,                                                         \
                                           .checked = (STRICTLY) & 15 ? op##_checked : NULL,                           \
                                           .block = op##_block,                                                        \
                                           .taking = TAKING,                                                           \
                                           .step = op##_step}

/* A table of what does the work of a first operator too. */
#define TAKES(name, first, op)                                                                                         \
    static const fc_taking name[] = {{{first, NULL}, op##_block, op##_checked}, {{NULL, NULL}, NULL, NULL}}

/* Without commas, which part arguments. */
#define LOAD1 const double *a = in[0]
#define LOAD2                                                                                                          \
    LOAD1;                                                                                                             \
    const double *b = in[1]
#define LOAD3                                                                                                          \
    LOAD2;                                                                                                             \
    const double *c = in[2]
#define STEP1 const double *a = in
#define STEP2                                                                                                          \
    STEP1;                                                                                                             \
    const double *b = in + 1
#define STEP3                                                                                                          \
    STEP2;                                                                                                             \
    const double *c = in + 2
#define LOAD4                                                                                                          \
    LOAD3;                                                                                                             \
    const double *d = in[3]
#define STEP4                                                                                                          \
    STEP3;                                                                                                             \
    const double *d = in + 3
#define STRICTLY 15 /* in all inputs */
#define LOOSELY 0
#define CHOOSING FC_CHOOSES
#define INVENTIVE (STRICTLY | FC_INVENTS)
#define WITH const double number = par[0]

#define UNARY(op, strict, RESULT) MAP(op, "", 1, strict, LOAD1, STEP1, RESULT)
#define NUMBER(op, strict, RESULT) MAP(op, "f", 1, strict, LOAD1; WITH, STEP1; WITH, RESULT)
#define BINARY(op, strict, RESULT) MAP(op, "", 2, strict, LOAD2, STEP2, RESULT)

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
/* Each comparison leaves what is missing of the second value: c, then a and b. */
FC_INLINE double true_range_of(double a, double b, double c) {
    double range = a - b, up = fabs(a - c), down = fabs(b - c), reach = up > down ? up : down;
    double x = range > reach ? range : reach;
    return range != range ? range : x;
}
FC_INLINE double ratio_of(double a, double b, double number) {
    double quotient = a / b, otherwise = number + (a - a);
    return b != 0.0 ? quotient : otherwise;
}
FC_INLINE double chosen(double a, double b, double c) {
    double x = a != 0.0 ? b : c;
    return (a != a) | (b != b) | (c != c) ? NAN : x;
}

/* 1 / number where a product with it is the quotient, to the last digit: for powers of two. Else 0. */
FC_INLINE double inverse_of(double number) {
    uint64_t bits = fc_bits_of(number);
    int exponent = (int)(bits >> 52 & 0x7FF);
    return !(bits << 12) && exponent > 23 && exponent < 2023 ? 1.0 / number : 0.0;
}
#define OVER                                                                                                           \
    WITH;                                                                                                              \
    const double inverse = inverse_of(number)
#define QUOTIENT(x) (inverse != 0.0 ? (x) * inverse : (x) / number)

UNARY(copy, STRICTLY, a[i]);
UNARY(neg, STRICTLY, -a[i]);
UNARY(abs, STRICTLY, fabs(a[i]));
UNARY(sqrt, INVENTIVE, sqrt(a[i]));
UNARY(floor, STRICTLY, floor(a[i]));
UNARY(ceil, STRICTLY, ceil(a[i]));
UNARY(sign, CHOOSING, sign_of(a[i]));
NUMBER(add_number, STRICTLY, a[i] + number);
NUMBER(subtract_from, STRICTLY, number - a[i]);
MAP(sum_over, "f", 2, STRICTLY, LOAD2; OVER, STEP2; OVER, QUOTIENT(a[i] + b[i]));
TAKES(takes_add, "add", sum_over);
LOOPS(divide_by, LOAD1; OVER, QUOTIENT(a[i]))
ROW(divide_by, "f", 1, STRICTLY, STEP1; OVER, QUOTIENT(a[i]), takes_add);
MAP(sum_of_three_over, "ff", 3, STRICTLY, LOAD3; OVER, STEP3; OVER, QUOTIENT(a[i] + b[i] + c[i] * par[1]));
MAP(sum_of_four_over, "f", 4, STRICTLY, LOAD4; OVER, STEP4; OVER, QUOTIENT(a[i] + b[i] + c[i] + d[i]));
NUMBER(times, STRICTLY, a[i] * number);

#define WEIGHTS2                                                                                                       \
    const double wa = par[0];                                                                                          \
    const double wb = par[1]
#define WEIGHTS3                                                                                                       \
    WEIGHTS2;                                                                                                          \
    const double wc = par[2]
#define WEIGHTS4                                                                                                       \
    WEIGHTS3;                                                                                                          \
    const double wd = par[3]
MAP(combine_two, "ff", 2, STRICTLY, LOAD2; WEIGHTS2, STEP2; WEIGHTS2, a[i] * wa + b[i] * wb);
MAP(combine_three, "fff", 3, STRICTLY, LOAD3; WEIGHTS3, STEP3; WEIGHTS3, a[i] * wa + b[i] * wb + c[i] * wc);
MAP(combine_four, "ffff", 4, STRICTLY, LOAD4; WEIGHTS4, STEP4; WEIGHTS4, a[i] * wa + b[i] * wb + c[i] * wc + d[i] * wd);

NUMBER(divide, FC_INVENTS, number / a[i]);
BINARY(add, STRICTLY, a[i] + b[i]);
BINARY(sub, STRICTLY, a[i] - b[i]);
BINARY(mul, STRICTLY, a[i] * b[i]);
BINARY(div, FC_INVENTS, a[i] / b[i]);
/* Of two, and where the second of these is made so, of three. */
#define EXTREME(op, of)                                                                                                \
    ONE_LOOP(op##_of_three, LOAD3, of(a[i], of(b[i], c[i])))                                                           \
    LOOPS(op, LOAD2, of(a[i], b[i]))                                                                                   \
    static const fc_taking op##_takes[] = {{{NULL, #op}, op##_of_three_block, NULL}, {{NULL, NULL}, NULL, NULL}};      \
    ROW(op, "", 2, CHOOSING, STEP2, of(a[i], b[i]), op##_takes)
EXTREME(greatest, greatest_of);
EXTREME(least, least_of);
BINARY(gt, CHOOSING, greater_of(a[i], b[i]));
BINARY(ge, CHOOSING, not_less_of(a[i], b[i]));
BINARY(eq, CHOOSING, equal_of(a[i], b[i]));
BINARY(there, FC_INVENTS, there_of(a[i], b[i]));
MAP(constant, "f", 0, STRICTLY, WITH, WITH, number);
#define WITH_BY                                                                                                        \
    WITH;                                                                                                              \
    const double by = par[1]
LOOP(ratio_of_difference, LOAD3; WITH, ratio_of(a[i] - b[i], c[i], number))
LOOP(ratio, LOAD2; WITH, ratio_of(a[i], b[i], number))
TAKES(ratio_takes, "sub", ratio_of_difference);
ROW(ratio, "f", 2, 1, STEP2; WITH, ratio_of(a[i], b[i], number), ratio_takes);
LOOP(scaled_ratio_of_difference, LOAD3; WITH_BY, ratio_of(a[i] - b[i], c[i], number) * by)
LOOP(scaled_ratio, LOAD2; WITH_BY, ratio_of(a[i], b[i], number) * by)
TAKES(scaled_ratio_takes, "sub", scaled_ratio_of_difference);
ROW(scaled_ratio, "ff", 2, 1, STEP2; WITH_BY, ratio_of(a[i], b[i], number) * by, scaled_ratio_takes);
MAP(true_range, "", 3, 7, LOAD3, STEP3, true_range_of(a[i], b[i], c[i]));
MAP(where, "", 3, CHOOSING, LOAD3, STEP3, chosen(a[i], b[i], c[i]));

/* ---- functions by arithmetic, for arguments in their range, else by the library; FLAT: by that in vectors too ---- */

#define AT_ONCE 64 /* bars: one out of range takes so many others along to be done one by one */

#define NEVER(x) 0
static FC_NOINLINE void one_by_one(double (*at)(double), const double *a, double *out, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        out[i] = at(a[i]);
    }
}

#define FUNCTION(op, STRICTLY, TAKES, FAST, LIBRARY, FLAT)                                                             \
    static FC_NOINLINE double op##_at(double x) { return TAKES(x) ? FAST(x) : LIBRARY(x); }                            \
    static FC_NOINLINE int op##_few(const double *restrict a, double *restrict out, ptrdiff_t n) {                     \
        uint64_t others = 0, curved = 0;                                                                               \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            others |= TAKES(a[i]) ? UINT64_C(0) : ~UINT64_C(0);                                                        \
            curved |= FLAT(a[i]) ? UINT64_C(0) : ~UINT64_C(0);                                                         \
        }                                                                                                              \
        for (ptrdiff_t i = 0; !curved && i < n; i++)                                                                   \
            out[i] = LIBRARY(a[i]);                                                                                    \
        for (ptrdiff_t i = 0; curved && !others && i < n; i++)                                                         \
            out[i] = FAST(a[i]);                                                                                       \
        return others && curved;                                                                                       \
    }                                                                                                                  \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        BLOCK_HEAD;                                                                                                    \
        for (ptrdiff_t from = 0; from < n; from += AT_ONCE) {                                                          \
            const double *a = in[0] + from;                                                                            \
            ptrdiff_t m = n - from < AT_ONCE ? n - from : AT_ONCE;                                                     \
            if (FC_UNLIKELY(op##_few(a, out + from, m)))                                                               \
                one_by_one(op##_at, a, out + from, m);                                                                 \
        }                                                                                                              \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        STEP_HEAD;                                                                                                     \
        return op##_at(in[0]);                                                                                         \
    }                                                                                                                  \
    const fc_operator FC(operator_##op) = {                                                                            \
        .name = #op, .par = "", .n_in = 1, .kind = FC_MAP, .strict = STRICTLY, .block = op##_block, .step = op##_step}

FUNCTION(exp, FC_INVENTS, FC_IN_EXP, fc_exp, exp, NEVER);
FUNCTION(ln, INVENTIVE, FC_IN_LN, fc_ln, log, NEVER);
FUNCTION(log10, INVENTIVE, FC_IN_LOG10, fc_log10, log10, NEVER);
FUNCTION(sin, STRICTLY, FC_IN_SIN, fc_sin, sin, NEVER);
FUNCTION(cos, STRICTLY, FC_IN_COS, fc_cos, cos, NEVER);
FUNCTION(tan, STRICTLY, FC_IN_TAN, fc_tan, tan, NEVER);
FUNCTION(asin, INVENTIVE, FC_IN_ASIN, fc_asin, asin, NEVER);
FUNCTION(acos, INVENTIVE, FC_IN_ACOS, fc_acos, acos, NEVER);
FUNCTION(atan, LOOSELY, FC_IN_ATAN, fc_atan, atan, NEVER);
FUNCTION(sinh, INVENTIVE, FC_IN_SINH, fc_sinh, sinh, NEVER);
FUNCTION(cosh, INVENTIVE, FC_IN_COSH, fc_cosh, cosh, NEVER);
FUNCTION(tanh, LOOSELY, FC_IN_TANH, fc_tanh, fc_flat_tanh, FC_FLAT_TANH);
