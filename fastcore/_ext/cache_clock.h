/* The clock of a cache: monotonic seconds, never wall time. */
#ifndef FASTCORE_CACHE_CLOCK_H
#define FASTCORE_CACHE_CLOCK_H

/* `fine` is 0 where a few milliseconds do not matter: a coarse reading costs a quarter of a fine one. */
double fc_clock(int fine);

#endif
