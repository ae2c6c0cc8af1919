/* Functions of one number by arithmetic alone: the compiler makes vectors of loops over them, and every instruction set
 * gives the same digits, in a loop and one by one.
 *
 * exp, ln, log10, sin, cos and acos are within 1.5 units in the last place of the true value, the others within 2.5, for
 * arguments that FC_IN_... takes; tests/indicators/test_elementary.py measures that. Others are left to the library. Of
 * NaN they are NaN. Polynomials interpolate at Chebyshev's nodes. Nothing here branches.
 */
#ifndef FASTCORE_INDICATORS_OPERATORS_ELEMENTARY_H
#define FASTCORE_INDICATORS_OPERATORS_ELEMENTARY_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "common/macros.h"

FC_INLINE uint64_t fc_bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}
FC_INLINE double fc_of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

#define FC_ROUNDER 0x1.8p52 /* added to a small number, it leaves the nearest whole one in the last bits */
#define FC_SIGN UINT64_C(0x8000000000000000)

FC_INLINE double fc_with_sign_of(double size, double x) {
    return fc_of_bits(fc_bits_of(size) | (fc_bits_of(x) & FC_SIGN));
}

#define FC_LN2_HI 0.6931471803691238 /* of 32 bits: its product with an exponent is exact */
#define FC_LN2_LO 1.9082149292705877e-10

/* ---- powers of e ---- */

/* e**x = scale + scale * the result, where that is within -0.3..0.42. */
FC_INLINE double fc_power_of_e(double x, double *scale) {
    double shifted = x * 1.4426950408889634 + FC_ROUNDER, n = shifted - FC_ROUNDER;
    double r = (x - n * FC_LN2_HI) - n * FC_LN2_LO, rr = r * r, rrrr = rr * rr;
    double low = (0.5000000000000001 + 0.16666666666666669 * r) + (0.04166666666662413 + 0.008333333333330062 * r) * rr;
    double high = (0.0013888888917213717 + 0.00019841269863053618 * r) +
                  (2.4801521295954376e-05 + 2.7557268459997064e-06 * r) * rr;
    double top = 2.7620088445409746e-07 + 2.510038549551032e-08 * r;
    *scale = fc_of_bits((fc_bits_of(shifted) + 1023) << 52);
    return r + rr * (low + rrrr * (high + rrrr * top));
}

#define FC_IN_EXP(x) (!(fabs(x) > 708.0))
FC_INLINE double fc_exp(double x) {
    double scale, part = fc_power_of_e(x, &scale);
    return scale + scale * part;
}

/* e**x - 1 for x >= 0. */
FC_INLINE double fc_exp_less_one(double x) {
    double scale, part = fc_power_of_e(x, &scale);
    return scale * part + (scale - 1.0);
}

#define FC_IN_COSH FC_IN_EXP
FC_INLINE double fc_cosh(double x) {
    double power = fc_exp(fabs(x));
    return 0.5 * (power + 1.0 / power);
}

#define FC_IN_SINH FC_IN_EXP
FC_INLINE double fc_sinh(double x) {
    double less = fc_exp_less_one(fabs(x));
    return fc_with_sign_of(0.5 * (less + less / (less + 1.0)), x);
}

#define FC_IN_TANH(x) 1
FC_INLINE double fc_tanh(double x) {
    double size = fabs(x), less = fc_exp_less_one(2.0 * (size > 20.0 ? 20.0 : size));
    return fc_with_sign_of(less / (less + 2.0), x);
}
#define FC_FLAT_TANH(x) (!(fabs(x) <= 20.0))
FC_INLINE double fc_flat_tanh(double x) { return x != x ? x : fc_with_sign_of(1.0, x); }

/* ---- logarithms ---- */

#define FC_ROOT_OF_HALF UINT64_C(0x3FE6A09E00000000)

/* x = 2**exponent * (1 + f); the logarithm of 1 + f is f - correction. */
FC_INLINE double fc_logarithm(double x, double *exponent, double *correction) {
    uint64_t bits = fc_bits_of(x) + (UINT64_C(0x3FF0000000000000) - FC_ROOT_OF_HALF);
    double f = fc_of_bits((bits & UINT64_C(0x000FFFFFFFFFFFFF)) + FC_ROOT_OF_HALF) - 1.0;
    double s = f / (2.0 + f), z = s * s, zz = z * z;
    double low = 0.666666666666667 + 0.3999999999989889 * z, high = 0.28571428626253836 + 0.22222211089379496 * z;
    double top = (0.1818289243253687 + 0.15331611722055008 * z) + 0.14617807153417325 * zz;
    double q = low + zz * (high + zz * top);
    *exponent = fc_of_bits(bits >> 52 | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023.0);
    *correction = s * (f - z * q);
    return f;
}

#define FC_IN_LN(x) (!(((x) < DBL_MIN) | ((x) > DBL_MAX)))
FC_INLINE double fc_ln(double x) {
    double exponent, correction, f = fc_logarithm(x, &exponent, &correction);
    double result = exponent * FC_LN2_HI + (f - (correction - exponent * FC_LN2_LO));
    return x != x ? x : result;
}

#define FC_IN_LOG10 FC_IN_LN
FC_INLINE double fc_log10(double x) {
    const double by = 0.43429448176175356, by_lo = 1.414982685385801e-10; /* of 30 bits, and the rest */
    double exponent, correction, f = fc_logarithm(x, &exponent, &correction);
    double high = fc_of_bits(fc_bits_of(f - correction) & UINT64_C(0xFFFFFFFF00000000)), low = (f - high) - correction;
    double most = exponent * 0.30102999566361177, more = high * by, sum = most + more; /* both products are exact */
    double rest = exponent * 3.694239077158931e-13 + ((high + low) * by_lo + low * by);
    double result = sum + (((most - sum) + more) + rest);
    return x != x ? x : result;
}

/* ---- of angles ---- */

typedef struct {
    double close, rest; /* the angle from the nearest multiple of a right one, to twice the digits */
    uint64_t turns; /* that multiple; its last two bits count */
} fc_angle;

FC_INLINE fc_angle fc_angle_of(double x) {
    fc_angle a;
    double shifted = x * 0.6366197723675814 + FC_ROUNDER, n = shifted - FC_ROUNDER;
    /* A right angle in three parts, of which the first two have 33 bits. */
    double first = x - n * 1.5707963267341256, second = n * 6.077100506303966e-11, third = n * 2.0222662487959506e-21;
    double r = first - second;
    a.close = r - third;
    a.rest = ((r - a.close) - third) + ((first - r) - second);
    a.turns = fc_bits_of(shifted);
    return a;
}

FC_INLINE double fc_near_sine(const fc_angle *a) {
    double z = a->close * a->close, zz = z * z;
    double low = -0.16666666666666666 + 0.008333333333330946 * z,
           high = -0.0001984126983675497 + 2.755731610068303e-06 * z;
    double top = -2.5051131455427946e-08 + 1.591810123027412e-10 * z, p = low + zz * (high + zz * top);
    return a->close + (a->rest * (1.0 - 0.5 * z) + a->close * z * p);
}

FC_INLINE double fc_near_cosine(const fc_angle *a) {
    double z = a->close * a->close, half = 0.5 * z, most = 1.0 - half, zz = z * z;
    double even = 2.0876146024689747e-09, odd = -1.1382614868556325e-11;
    even = even * zz + 2.4801587298763433e-05;
    odd = odd * zz + -2.7557317270560326e-07;
    even = even * zz + 0.041666666666666664;
    odd = odd * zz + -0.0013888888888887395;
    return most + (((1.0 - most) - half) + (zz * (even + odd * z) - a->close * a->rest));
}

/* `odd` after an odd number of right angles, else `even`. */
FC_INLINE double fc_by_turns(uint64_t turns, double even, double odd) {
    uint64_t mask = UINT64_C(0) - (turns & 1);
    return fc_of_bits((fc_bits_of(odd) & mask) | (fc_bits_of(even) & ~mask));
}
FC_INLINE double fc_negated_by(uint64_t turns, double x) { return fc_of_bits(fc_bits_of(x) ^ (turns & 2) << 62); }

#define FC_IN_SIN(x) (!(fabs(x) > 0x1p19))
FC_INLINE double fc_sin(double x) {
    fc_angle a = fc_angle_of(x);
    return fc_negated_by(a.turns, fc_by_turns(a.turns, fc_near_sine(&a), fc_near_cosine(&a)));
}

#define FC_IN_COS FC_IN_SIN
FC_INLINE double fc_cos(double x) {
    fc_angle a = fc_angle_of(x);
    return fc_negated_by(a.turns + 1, fc_by_turns(a.turns, fc_near_cosine(&a), fc_near_sine(&a)));
}

#define FC_IN_TAN FC_IN_SIN
FC_INLINE double fc_tan(double x) {
    fc_angle a = fc_angle_of(x);
    double sine = fc_near_sine(&a), cosine = fc_near_cosine(&a);
    return fc_by_turns(a.turns, sine, -cosine) / fc_by_turns(a.turns, cosine, sine);
}

/* ---- angles of ---- */

#define FC_RIGHT 1.5707963267948966 /* a right angle, and what is left of it */
#define FC_RIGHT_LO 6.123233995736766e-17

#define FC_IN_ATAN(x) 1
FC_INLINE double fc_atan(double x) {
    double size = fabs(x);
    int steep = size > 2.414213562373095,
        middle = size > 0.41421356237309503; /* tangents of 3/8 and 1/8 of two right */
    double low = middle ? size - 1.0 : size, under = middle ? size + 1.0 : 1.0;
    double t = (steep ? -1.0 : low) / (steep ? size : under), z = t * t, zz = z * z, even = -0.019175404711104935,
           odd = 0.03923044778479309;
    double shift = steep ? FC_RIGHT : middle ? 0.5 * FC_RIGHT : 0.0;
    double shift_lo = steep ? FC_RIGHT_LO : middle ? 0.5 * FC_RIGHT_LO : 0.0;
    even = even * zz + -0.050854078345894844;
    odd = odd * zz + 0.05858140904866328;
    even = even * zz + -0.06664510525508936;
    odd = odd * zz + 0.07692183125376892;
    even = even * zz + -0.0909090457530649;
    odd = odd * zz + 0.11111111015187018;
    even = even * zz + -0.14285714284665682;
    odd = odd * zz + 0.19999999999995516;
    even = even * zz + -0.3333333333333333;
    return fc_with_sign_of(shift + (t + (t * z * (even + odd * z) + shift_lo)), x);
}

/* asin(s) = s + s * the result, for z = s * s up to 1/4. */
FC_INLINE double fc_arc(double z) {
    double zz = z * z, even = 0.028757851367421566, odd = -0.014851887071247204;
    even = even * zz + 0.01740087944269402;
    odd = odd * zz + 0.005457506718640358;
    even = even * zz + 0.01032281435018578;
    odd = odd * zz + 0.011479177415184906;
    even = even * zz + 0.013971212973552933;
    odd = odd * zz + 0.017352392720869973;
    even = even * zz + 0.02237217294214989;
    odd = odd * zz + 0.030381944138531247;
    even = even * zz + 0.04464285714635543;
    odd = odd * zz + 0.07499999999998433;
    even = even * zz + 0.16666666666666669;
    return z * (even + odd * z);
}

#define FC_IN_ASIN(x) 1 /* there is no root of less than 0 */
FC_INLINE double fc_asin(double x) {
    double size = fabs(x), square = size * size, less = (1.0 - size) * 0.5, root = sqrt(less);
    int large = size > 0.5; /* then by the half of the angle that is left to a right one */
    double z = large ? less : square, s = large ? root : size, arc = s + s * fc_arc(z);
    double rest = FC_RIGHT - (2.0 * arc - FC_RIGHT_LO);
    return fc_with_sign_of(large ? rest : arc, x);
}

#define FC_IN_ACOS FC_IN_ASIN
FC_INLINE double fc_acos(double x) {
    double size = fabs(x), square = size * size, less = (1.0 - size) * 0.5, root = sqrt(less);
    int large = size > 0.5;
    double z = large ? less : square, s = large ? root : x, part = s * fc_arc(z), twice = 2.0 * (s + part);
    double obtuse = 2.0 * FC_RIGHT - (twice - 2.0 * FC_RIGHT_LO), wide = x < 0.0 ? obtuse : twice;
    double close = FC_RIGHT - (s - (FC_RIGHT_LO - part));
    return large ? wide : close;
}

#endif
