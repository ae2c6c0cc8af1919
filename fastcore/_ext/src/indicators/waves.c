#include "indicators/waves.h"

#include <math.h>

static double table[FC_WAVE_MAX][FC_WAVE_MAX][2];
double fc_periods[64][FC_PERIOD_TERMS];

static void make_waves(double turn) {
    for (int length = 1; length <= FC_WAVE_MAX; length++) {
        for (int i = 0; i < length; i++) {
            double angle = i * turn / length;
            table[length - 1][i][0] = sin(angle);
            table[length - 1][i][1] = cos(angle);
        }
    }
}

/* The polynomial through Chebyshev's points of -1/2..1/2, where y are: Newton's form, multiplied out. */
static void interpolate(const double *x, double *y, double *c) {
    for (int order = 1; order < FC_PERIOD_TERMS; order++) {
        for (int i = FC_PERIOD_TERMS - 1; i >= order; i--) {
            y[i] = (y[i] - y[i - 1]) / (x[i] - x[i - order]);
        }
    }
    memset(c, 0, FC_PERIOD_TERMS * sizeof(*c));
    for (int i = FC_PERIOD_TERMS - 1; i >= 0; i--) {
        for (int j = FC_PERIOD_TERMS - 1; j > 0; j--) {
            c[j] = c[j - 1] - x[i] * c[j];
        }
        c[0] = y[i] - x[i] * c[0];
    }
}

static void make_periods(double turn) {
    double x[FC_PERIOD_TERMS], y[FC_PERIOD_TERMS];
    for (int i = 0; i < 64; i++) {
        double from = ldexp(1.0 + i % 16 / 16.0, i / 16 - 1), width = ldexp(1.0 / 16.0, i / 16 - 1);
        for (int j = 0; j < FC_PERIOD_TERMS; j++) {
            x[j] = 0.5 * cos(turn / 4.0 * (2 * j + 1) / FC_PERIOD_TERMS);
            y[j] = turn / atan(1.0 / (from + width * (x[j] + 0.5)));
        }
        interpolate(x, y, fc_periods[i]);
    }
}

void fc_waves_prepare(void) {
    double turn = 8.0 * atan(1.0);
    make_waves(turn);
    make_periods(turn);
}

const double *fc_wave(int length) { return table[length - 1][0]; }
