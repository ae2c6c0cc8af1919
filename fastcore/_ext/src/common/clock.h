/* The monotonic clock: its readings never go back, and adjustments of wall time do not move it. */
#ifndef FASTCORE_COMMON_CLOCK_H
#define FASTCORE_COMMON_CLOCK_H

#include <stdint.h>

uint64_t fc_clock_ns(void); /* nanoseconds */

/* Seconds. `fine` is 0 where a few milliseconds do not matter: a coarse reading costs a quarter of a fine one. */
double fc_clock(int fine);

#endif
