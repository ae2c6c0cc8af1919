#include "common/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROWTH 32 /* spare bins on either side of a new key: latencies of one function span about 200 bins */

static const double GAMMA = (1 + FC_SKETCH_ALPHA) / (1 - FC_SKETCH_ALPHA);

static double per_log(void) {
    static double cached = 0.0;
    if (cached == 0.0) {
        cached = 1 / log(GAMMA);
    }
    return cached;
}

void fc_sketch_init(fc_sketch *s) {
    memset(s, 0, sizeof *s);
    s->low = INFINITY;
    s->high = -INFINITY;
}

void fc_sketch_clear(fc_sketch *s) {
    free(s->bins);
    fc_sketch_init(s);
}

static int32_t min_key(int32_t a, int32_t b) { return a < b ? a : b; }

static int32_t max_key(int32_t a, int32_t b) { return a > b ? a : b; }

/* Moves the bins to a place that holds the keys `low` to `high`; what lies below `low` is counted there. */
static int rehouse(fc_sketch *s, int32_t low, int32_t high) {
    int32_t first = low - GROWTH;
    int32_t room = high - low + 1 + 2 * GROWTH;
    uint64_t *bins = calloc((size_t)room, sizeof *bins);
    if (bins == NULL) {
        return -1;
    }
    for (int32_t key = s->lowest; s->bins != NULL && key <= s->highest; key++) {
        bins[max_key(key, low) - first] += s->bins[key - s->first];
    }
    free(s->bins);
    s->bins = bins;
    s->first = first;
    s->room = room;
    return 0;
}

int fc_sketch_put(fc_sketch *s, int32_t key, uint64_t number) {
    if (number == 0) {
        return 0;
    }
    if (s->bins == NULL || key < s->lowest || key > s->highest) {
        int32_t high = s->bins == NULL ? key : max_key(key, s->highest);
        int32_t low = s->bins == NULL ? key : min_key(key, s->lowest);
        low = max_key(low, high - FC_SKETCH_MAX_BINS + 1);
        key = max_key(key, low);
        if (s->bins == NULL || low < s->first || high >= s->first + s->room) {
            if (rehouse(s, low, high) < 0) {
                return -1;
            }
        } else {
            for (int32_t below = s->lowest; below < low && below <= s->highest; below++) {
                s->bins[low - s->first] += s->bins[below - s->first];
                s->bins[below - s->first] = 0;
            }
        }
        s->lowest = low;
        s->highest = high;
    }
    s->bins[key - s->first] += number;
    return 0;
}

int fc_sketch_observe(fc_sketch *s, double value) {
    if (value < FC_SKETCH_SMALLEST) {
        s->zeros++;
    } else if (fc_sketch_put(s, (int32_t)ceil(log(value) * per_log()), 1) < 0) {
        return -1;
    }
    s->count++;
    s->total += value;
    s->low = value < s->low ? value : s->low;
    s->high = value > s->high ? value : s->high;
    return 0;
}

int fc_sketch_copy(fc_sketch *to, const fc_sketch *from) {
    *to = *from;
    if (from->bins != NULL) {
        to->bins = malloc((size_t)from->room * sizeof *to->bins);
        if (to->bins == NULL) {
            fc_sketch_init(to);
            return -1;
        }
        memcpy(to->bins, from->bins, (size_t)from->room * sizeof *to->bins);
    }
    return 0;
}

double fc_sketch_quantile(const fc_sketch *s, double q) {
    if (s->count == 0) {
        return NAN;
    }
    double rank = q * (double)(s->count - 1);
    if (rank == 0 || rank == (double)(s->count - 1)) {
        return rank == 0 ? s->low : s->high;
    }
    uint64_t seen = s->zeros;
    double found = 0.0;
    for (int32_t key = s->lowest; s->bins != NULL && key <= s->highest && (double)seen <= rank; key++) {
        uint64_t here = s->bins[key - s->first];
        if (here != 0) {
            seen += here;
            found = 2 * exp(key / per_log()) / (GAMMA + 1);
        }
    }
    found = found > s->low ? found : s->low;
    return found < s->high ? found : s->high;
}
