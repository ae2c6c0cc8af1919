#include "cache_clock.h"

#if defined(_WIN32)
#include <windows.h>

double fc_clock(int fine) {
    static double period;
    LARGE_INTEGER value;
    (void)fine; /* its coarse clock has another origin */
    if (period == 0.0) {
        QueryPerformanceFrequency(&value);
        period = 1.0 / (double)value.QuadPart;
    }
    QueryPerformanceCounter(&value);
    return (double)value.QuadPart * period;
}

#else
#if !defined(_POSIX_C_SOURCE) && !defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L
#endif
#include <time.h>

#if defined(__linux__) && !defined(CLOCK_MONOTONIC_COARSE)
#define CLOCK_MONOTONIC_COARSE 6
#endif

double fc_clock(int fine) {
    struct timespec now;
#if defined(__linux__)
    clock_gettime(fine ? CLOCK_MONOTONIC : CLOCK_MONOTONIC_COARSE, &now);
#else
    (void)fine;
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
#endif
