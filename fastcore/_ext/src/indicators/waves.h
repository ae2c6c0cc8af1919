/* Tables for cycles: waves of each length in bars, and the length of the one that turns by an angle in a bar. */
#ifndef FASTCORE_INDICATORS_WAVES_H
#define FASTCORE_INDICATORS_WAVES_H

#include <stdint.h>
#include <string.h>

#include "common/macros.h"

#define FC_WAVE_MAX 50

/* Makes the tables; once, before anything asks for them. */
void fc_waves_prepare(void);

/* `length` pairs of sine and cosine; length in 1..FC_WAVE_MAX. */
const double (*fc_wave(int length))[2];

/* For cotangents from 1/2 to 8, 16 polynomials for each power of two, in where their argument's last 48 bits are. */
#define FC_PERIOD_TERMS 8
extern double fc_periods[64][FC_PERIOD_TERMS];

/* 2 pi / atan(1 / cotangent), to 15 digits where it is 6 to 50; below and above where it is less or more. */
FC_INLINE double fc_period_of(double cotangent) {
    uint64_t bits, rest;
    double x = cotangent < 7.99 ? cotangent : 7.99;
    x = x > 0.5 ? x : 0.5;
    memcpy(&bits, &x, sizeof(x));
    const double *c = fc_periods[(bits >> 48) - 0x3FE0];
    rest = (bits << 16 >> 12) | 0x3FF0000000000000u;
    memcpy(&x, &rest, sizeof(x));
    x -= 1.5;
    double x2 = x * x, x4 = x2 * x2;
    return ((c[0] + c[1] * x) + (c[2] + c[3] * x) * x2) + ((c[4] + c[5] * x) + (c[6] + c[7] * x) * x2) * x4;
}

#endif
