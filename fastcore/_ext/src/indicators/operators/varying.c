/* mean_of: the mean of a window whose length differs from bar to bar.
 *
 * Sums of 1, 2, 4, ... neighbours are made for all bars; a window is put together from those that its length is the sum
 * of. A result depends only on the values in its window.
 */
#include "indicators/operators/operator.h"
#include "indicators/operators/ring.h"

#define CHUNK 256 /* bars at a time, at least */

static ptrdiff_t longest_lag(const double *par) { return (ptrdiff_t)par[0] - 1; }
static ptrdiff_t chunk_of(ptrdiff_t longest) { return longest > CHUNK ? longest : CHUNK; }
static int levels_of(ptrdiff_t longest) {
    int levels = 1;
    while (longest >> levels) {
        levels++;
    }
    return levels;
}
static ptrdiff_t varying_scratch(const double *par) {
    ptrdiff_t longest = (ptrdiff_t)par[0];
    return (levels_of(longest) - 1) * (longest + chunk_of(longest));
}

FC_INLINE ptrdiff_t bars_of(double period, ptrdiff_t longest) {
    return period<1.0 ? 1 : period>(double) longest ? longest : (ptrdiff_t)period;
}

static int mean_of_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                         double *scratch) {
    static const double nothing = 0.0;
    ptrdiff_t longest = (ptrdiff_t)par[0], lag = longest - 1, chunk = chunk_of(longest);
    const double *sums[32]; /* sums[k][i] of the 2**k bars up to bar i of the chunk */
    int levels = levels_of(longest);
    (void)carry;
    for (ptrdiff_t b = 0; b < n; b += chunk) {
        ptrdiff_t bars = n - b < chunk ? n - b : chunk;
        sums[0] = in[0] + b;
        for (int k = 1; k < levels; k++) {
            double *to = scratch + (k - 1) * (longest + chunk) + lag;
            ptrdiff_t half = (ptrdiff_t)1 << (k - 1);
            for (ptrdiff_t i = 2 * half - 1 - lag; i < bars; i++) {
                to[i] = sums[k - 1][i] + sums[k - 1][i - half];
            }
            sums[k] = to;
        }
        for (ptrdiff_t i = 0; i < bars; i++) {
            ptrdiff_t count = bars_of(in[1][b + i], longest), at = i;
            double sum = 0.0;
            for (int k = 0; k < levels; k++) {
                ptrdiff_t width = count & ((ptrdiff_t)1 << k);
                const double *from = width ? sums[k] + at : &nothing; /* no branch: lengths differ at random */
                sum += *from;
                at -= width;
            }
            out[b + i] = sum / (double)count;
        }
    }
    return 0;
}

static void varying_gap(void *state) { ((fc_ring_bars *)state)->ring.filled = 0; }

static double mean_of_step(const double *par, void *state, const double *in, int commit) {
    fc_ring_bars *s = state;
    fc_ring *ring = &s->ring;
    double result = NAN, sum = in[0];
    (void)par;
    if (ring->filled >= ring->width - 1) {
        ptrdiff_t count = bars_of(in[1], ring->width);
        int64_t at = ring->at;
        for (ptrdiff_t i = 1; i < count; i++) {
            at = at ? at - 1 : ring->width - 1;
            sum += s->mem[at];
        }
        result = sum / (double)count;
    }
    if (commit) {
        s->mem[ring->at] = in[0];
        fc_ring_next(ring);
    }
    return result;
}

const fc_operator FC(operator_mean_of) = {.name = "mean_of",
                                          .par = "p",
                                          .n_in = 2,
                                          .kind = FC_LOOK_BACK,
                                          .lag = longest_lag,
                                          .scratch = varying_scratch,
                                          .block = mean_of_block,
                                          .step = mean_of_step,
                                          .size = fc_ring_bars_size,
                                          .init = fc_ring_bars_init,
                                          .valid = fc_ring_bars_valid,
                                          .gap = varying_gap};
