/* How many values a window has, and the places of its extremes; missing values do not count. */
#include "indicators/operators/arg_extremes.h"
#include "indicators/operators/counting.h"
#include "indicators/operators/past.h"

/* ---- count: how many values are there ---- */

typedef struct {
    fc_ring ring;
    int64_t count;
    double mem[];
} count_state;

static size_t count_size(const double *par) { return sizeof(count_state) + (size_t)par[0] * sizeof(double); }
static void count_init(const double *par, void *state) {
    count_state *s = state;
    s->count = 0;
    fc_ring_init(&s->ring, par[0]);
}
static int count_valid(const double *par, const void *state) {
    const count_state *s = state;
    return fc_counts_valid(&s->ring, par, s->mem, s->count);
}
FC_INLINE double count_push(const double *par, count_state *s, const double *in, int commit) {
    int leaves = s->ring.filled == s->ring.width && fc_there(s->mem[s->ring.at]);
    int64_t count = s->count - leaves + fc_there(in[0]);
    if (commit) {
        s->mem[s->ring.at] = in[0];
        s->count = count;
        fc_ring_next(&s->ring);
    }
    return (double)count >= par[1] ? (double)count : NAN;
}
FC_COUNTING(count, "pp", 1, count_state, count_push, count_size, count_init, count_valid);

/* ---- age_of_highest, age_of_lowest: how many bars ago; of equal values the newest ----
 *
 * Values that a later one has beaten are forgotten: those that are left fall from the oldest on. */

typedef struct {
    fc_ring ring;
    int64_t count, bars, first, kept; /* values there; bars so far; the oldest candidate, and how many there are */
    double mem[];                     /* the bars, the candidates' values, and their bars */
} extreme_state;

static size_t extreme_size(const double *par) { return sizeof(extreme_state) + 3 * (size_t)par[0] * sizeof(double); }
static void extreme_init(const double *par, void *state) {
    extreme_state *s = state;
    memset(s, 0, sizeof(*s));
    fc_ring_init(&s->ring, par[0]);
}
static int extreme_valid(const double *par, const void *state) {
    const extreme_state *s = state;
    return fc_counts_valid(&s->ring, par, s->mem, s->count) && s->bars >= 0 && s->first >= 0 &&
           s->first < s->ring.width && s->kept >= 0 && s->kept <= s->ring.filled;
}
FC_INLINE int64_t wrapped(int64_t i, int64_t width) { return i >= width ? i - width : i; }

static FC_NOINLINE double extreme_push(const double *par, extreme_state *s, const double *in, int commit, double sign) {
    int64_t width = s->ring.width, count = s->count, first = s->first, kept = s->kept, now = s->bars;
    double *values = s->mem + width, *bars = values + width, x = sign * fc_or_missing(in[0]), age = 0.0;
    count += fc_there(in[0]) - (s->ring.filled == width && fc_there(s->mem[s->ring.at]));
    if (kept && (double)now - bars[first] >= (double)width) {
        first = wrapped(first + 1, width);
        kept--;
    }
    if (kept && !(x >= values[first])) {
        age = (double)now - bars[first];
    }
    if (commit) {
        if (fc_there(x)) {
            while (kept && x >= values[wrapped(first + kept - 1, width)]) {
                kept--;
            }
            int64_t last = wrapped(first + kept, width);
            kept += kept < width;
            values[last] = x;
            bars[last] = (double)now;
        }
        s->mem[s->ring.at] = in[0];
        s->count = count;
        s->bars = now + 1;
        s->first = first;
        s->kept = kept;
        fc_ring_next(&s->ring);
    }
    return (double)count >= par[1] && count ? age : NAN;
}

/* Many bars: what is missing is below, or above, all that is there. */

#define MANY 4096

static ptrdiff_t bars_of(ptrdiff_t w) { return w > MANY ? w : MANY; }
static ptrdiff_t extreme_scratch(const double *par) {
    ptrdiff_t w = (ptrdiff_t)par[0];
    return w + bars_of(w) + FC(ages_scratch)(w);
}
static void extreme_begin(const double *par, void *carry) { fc_past_init(carry, par[0]); }

static int extreme_block(const double *par, fc_past *past, const double *x, double *restrict out, ptrdiff_t n,
                         double *scratch, double none) {
    ptrdiff_t w = (ptrdiff_t)par[0];
    for (ptrdiff_t bars; n > 0; n -= bars, x += bars, out += bars) {
        bars = n < bars_of(w) ? n : bars_of(w);
        double *values = scratch, count = 0.0, least = par[1] > 1.0 ? par[1] : 1.0;
        ptrdiff_t absent = w - (ptrdiff_t)past->seen;
        for (ptrdiff_t i = 0; i < absent; i++) {
            values[i] = none;
        }
        fc_past_copy(past, values + absent);
        memcpy(values + w, x, (size_t)bars * sizeof(double));
        for (ptrdiff_t i = absent; i < w + bars; i++) {
            values[i] = fc_there(values[i]) ? values[i] : none;
        }
        for (ptrdiff_t i = 0; i < w; i++) {
            count += values[i] != none ? 1.0 : 0.0;
        }
        (none < 0.0 ? FC(ages_of_highest) : FC(ages_of_lowest))(values + w, bars, w, out, scratch + w + bars);
        for (ptrdiff_t i = 0; i < bars; i++) {
            count += (values[w + i] != none ? 1.0 : 0.0) - (values[i] != none ? 1.0 : 0.0);
            out[i] = count >= least ? out[i] : NAN;
        }
        fc_past_add(past, x, bars);
    }
    return 0;
}

#define EXTREME(op, sign)                                                                                              \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        return extreme_push(par, state, in, commit, sign);                                                             \
    }                                                                                                                  \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        return extreme_block(par, carry, in[0], out, n, scratch, -(sign) * INFINITY);                                  \
    }                                                                                                                  \
    FC_COUNTED(op, "pp", 1, extreme_size, extreme_init, extreme_valid, extreme_begin, extreme_scratch)
EXTREME(age_of_highest, 1.0);
EXTREME(age_of_lowest, -1.0);
