/* Tables for cycles: waves of each length in bars, and the length of the one that turns by an angle in a bar. */
#ifndef FASTCORE_INDICATORS_WAVES_H
#define FASTCORE_INDICATORS_WAVES_H

#include <stdint.h>
#include <string.h>

#include "common/macros.h"

#define FC_WAVE_MAX 50

/* Makes the tables; once, before anything asks for them. */
void fc_waves_prepare(void);

/* A wave of `length` bars, 1 to FC_WAVE_MAX: so many pairs of sine and cosine, then zeros up to FC_WAVE_MAX of them. */
const double *fc_wave(int length);

/* For cotangents from 1/2 to 8, 16 polynomials for each power of two, in where their argument's last 48 bits are. */
#define FC_PERIOD_TERMS 8
extern double fc_periods[64][FC_PERIOD_TERMS];

/* The polynomial of a cotangent from 1/2 to 7.99, and where in its part that is, from -1/2 to 1/2. */
FC_INLINE const double *fc_period_terms(double cotangent, double *place) {
    uint64_t bits, rest;
    memcpy(&bits, &cotangent, sizeof(bits));
    rest = (bits << 16 >> 12) | 0x3FF0000000000000u;
    memcpy(place, &rest, sizeof(rest));
    *place -= 1.5;
    return fc_periods[(bits >> 48) - 0x3FE0];
}

/* 2 pi / atan(1 / cotangent), to 15 digits where it is 6 to 50; below and above where it is less or more. */
FC_INLINE double fc_period_of(double cotangent) {
    double x = cotangent < 7.99 ? cotangent : 7.99;
    const double *c = fc_period_terms(x > 0.5 ? x : 0.5, &x);
    double x2 = x * x, x4 = x2 * x2;
    return ((c[0] + c[1] * x) + (c[2] + c[3] * x) * x2) + ((c[4] + c[5] * x) + (c[6] + c[7] * x) * x2) * x4;
}

#endif
