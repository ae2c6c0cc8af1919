/* Needed for clock_gettime under -std=c11; before any header. */
#if !defined(_WIN32) && !defined(__APPLE__) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include "common/clock.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

static uint64_t ticks(uint64_t *per_second) {
    static LARGE_INTEGER frequency;
    LARGE_INTEGER now;
    if (frequency.QuadPart == 0) {
        QueryPerformanceFrequency(&frequency);
    }
    QueryPerformanceCounter(&now);
    *per_second = (uint64_t)frequency.QuadPart;
    return (uint64_t)now.QuadPart;
}

uint64_t fc_clock_ns(void) {
    uint64_t per_second;
    const uint64_t now = ticks(&per_second);
    const uint64_t rest = now % per_second;
    return now / per_second * UINT64_C(1000000000) + rest * UINT64_C(1000000000) / per_second;
}

double fc_clock(int fine) {
    uint64_t per_second;
    const uint64_t now = ticks(&per_second);
    (void)fine; /* its coarse clock has another origin */
    return (double)now / (double)per_second;
}

#else
#include <time.h>

#if defined(__linux__) && !defined(CLOCK_MONOTONIC_COARSE)
#define CLOCK_MONOTONIC_COARSE 6
#endif

uint64_t fc_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

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
