/* Several operators that look at one bar joined into one: its values stay in registers between them. Loops are left to
 * the compiler, as in maps.c. */
#include "indicators/operators/operator.h"

#define LOOP(op, kinds, inputs, RESULT)                                                                                \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        const double *x[FC_OP_IN] = {in[0], in[1], in[(inputs) > 2 ? 2 : 0], in[(inputs) > 3 ? 3 : 0]};                \
        const double number[FC_OP_PAR] = {kinds[0] ? par[0] : 0.0, kinds[0] && kinds[1] ? par[1] : 0.0};               \
        (void)carry;                                                                                                   \
        (void)scratch;                                                                                                 \
        for (ptrdiff_t i = 0; i < n; i++)                                                                              \
            out[i] = RESULT(x[0][i], x[1][i], x[2][i], x[3][i], number);                                               \
        return 0;                                                                                                      \
    }
#define JOINED(op, kinds, inputs, STRICTLY, RESULT, TAKING)                                                            \
    LOOP(op, kinds, inputs, RESULT)                                                                                    \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        (void)state;                                                                                                   \
        (void)commit;                                                                                                  \
        return RESULT(in[0], in[1], in[(inputs) > 2 ? 2 : 0], in[(inputs) > 3 ? 3 : 0], par);                          \
    }                                                                                                                  \
    const fc_operator FC(operator_##op) = {.name = #op,                                                                \
                                           .par = kinds,                                                               \
                                           .n_in = inputs,                                                             \
                                           .kind = FC_MAP,                                                             \
                                           .strict = STRICTLY,                                                         \
                                           .block = op##_block,                                                        \
                                           .step = op##_step,                                                          \
                                           .taking = TAKING}

/* Each takes four values and the parameters, of which it uses its own. What is missing, NaN, makes the result missing;
 * looked for with |, which has no branch. */
#define VALUES double a, double b, double c, double d, const double *par
#define UNUSED(x) (void)(x)

FC_INLINE double distance_of(VALUES) {
    UNUSED(c + d);
    UNUSED(par);
    return fabs(a - b);
}
FC_INLINE double where_greater_of(VALUES) {
    double x = a > b ? c : d;
    UNUSED(par);
    return (a != a) | (b != b) | (c != c) | (d != d) ? NAN : x;
}
FC_INLINE double surplus_of(VALUES) {
    double positive = a > 0.0 ? a : 0.0, x = a > b ? positive : 0.0;
    UNUSED(c + d);
    UNUSED(par);
    return (a != a) | (b != b) ? NAN : x;
}
FC_INLINE double surplus_of_differences_of(VALUES) { return surplus_of(a - b, c - d, 0.0, 0.0, par); }
FC_INLINE double within_of(VALUES) {
    double part = a - b, whole = c - b, share = part / whole * par[0], none = part - part;
    UNUSED(d);
    return whole != 0.0 ? share : none;
}
FC_INLINE double money_flow_of(VALUES) {
    double spread = a - b, part = (c - b) - (a - c), flow = part / spread * d, x = spread > 0.0 ? flow : 0.0;
    UNUSED(par);
    return x + ((part - part) + (d - d));
}
FC_INLINE double balance_of(VALUES) {
    double spread = b - c, part = d - a, x = spread > 0.0 ? part / spread : 0.0;
    UNUSED(par);
    return x + ((part - part) + (spread - spread));
}
FC_INLINE double true_move_of(VALUES) {
    double roof = a > d ? a : d, floor = b < d ? b : d, rise = c > d ? c - floor : 0.0, x = c < d ? c - roof : rise;
    double move = d < INFINITY ? x : 0.0, none = (a - a) + (b - b) + (c - c);
    UNUSED(par);
    return d != d ? d : move + none;
}
FC_INLINE double adaptive_rate_of(VALUES) {
    double move = a - b, share = fabs(move) / c, none = move != move ? move : 1.0;
    double within = c != 0.0 ? share : none, efficiency = c <= move ? 1.0 : within;
    double rate = efficiency * par[0] + par[1];
    UNUSED(d);
    return rate * rate;
}

FC_INLINE double share_of(VALUES) {
    double x = b > 0.0 ? a / b : a - a;
    UNUSED(c + d);
    UNUSED(par);
    return b != b ? b : x;
}

JOINED(distance, "", 2, 3, distance_of, NULL);
JOINED(where_greater, "", 4, FC_CHOOSES, where_greater_of, NULL);
LOOP(surplus_of_differences, "", 4, surplus_of_differences_of)
static const fc_taking surplus_taking[] = {{{"sub", "sub"}, surplus_of_differences_block, NULL},
                                           {{NULL, NULL}, NULL, NULL}};
JOINED(surplus, "", 2, FC_CHOOSES, surplus_of, surplus_taking);
JOINED(within, "f", 3, 3, within_of, NULL);
JOINED(share, "", 2, 1, share_of, NULL);
JOINED(money_flow, "", 4, 15, money_flow_of, NULL);
JOINED(balance, "", 4, 15, balance_of, NULL);
JOINED(true_move, "", 4, 7, true_move_of, NULL);
JOINED(adaptive_rate, "ff", 3, 0, adaptive_rate_of, NULL);
