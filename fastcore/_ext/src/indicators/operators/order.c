/* Order statistics of a window: quantiles and ranks. Missing values in it do not count.
 *
 * A narrow window is put in order again at each bar, from one array into another, by vectors and without a branch: what
 * is at a place depends on it and its two neighbours alone. The rank in it is counted.
 *
 * The values of a wide window are kept in order in blocks: a bar costs two searches and two short moves.
 */
#include "indicators/operators/counting.h"
#include "indicators/operators/sorted_blocks.h"

#define NARROW 256

static double least(double a, double b) { return a < b ? a : b; }

/* Of `there` values in order, the one at that share: its place, and how far it is on the way to the next. */
FC_INLINE int64_t place_of(const double *par, double there, double *apart) {
    if (par[3] != 0.0) { /* the nearest rank */
        double k = least(ceil(par[2] * there), there);
        *apart = 0.0;
        return k > 1.0 ? (int64_t)k - 1 : 0;
    }
    double at = least(par[2] * (there - 1.0), there - 1.0);
    int64_t k = at > 0.0 ? (int64_t)at : 0;
    *apart = at > (double)k ? at - (double)k : 0.0;
    return k;
}
FC_INLINE double between(double value, double next, double apart) {
    return apart != 0.0 ? value + (next - value) * apart : value;
}
FC_INLINE double middle(double below, double not_above) { return 0.5 * (below + 1.0 + not_above); }

#include "indicators/operators/order_series.h"

/* ---- narrow windows ---- */

typedef struct {
    int64_t width, at, turn, there; /* bars in the window; the next bar's place; which array holds; values there */
    double mem[];                   /* bars by place, missing ones as INFINITY; two arrays of the values in order */
} narrow_state;

static int is_narrow(const double *par) { return par[0] <= NARROW; }
static int64_t places_of(int64_t width) { return (width + 3) & ~(int64_t)3; }
static int64_t pitch_of(int64_t width) { return places_of(width) + 8; } /* with a value before, and some behind */
static size_t narrow_size(const double *par) {
    int64_t width = (int64_t)par[0];
    return sizeof(narrow_state) + (size_t)(places_of(width) + 2 * pitch_of(width)) * sizeof(double);
}
FC_INLINE double *array_of(narrow_state *s, int64_t turn) {
    return s->mem + places_of(s->width) + turn * pitch_of(s->width) + 4;
}
static void narrow_init(const double *par, void *state) {
    narrow_state *s = state;
    s->width = (int64_t)par[0];
    s->at = s->turn = s->there = 0;
    for (int64_t i = 0; i < places_of(s->width) + 2 * pitch_of(s->width); i++) {
        s->mem[i] = INFINITY;
    }
    array_of(s, 0)[-1] = array_of(s, 1)[-1] = -INFINITY;
}
static int narrow_valid(const double *par, const void *state) {
    const narrow_state *s = state;
    int64_t found = 0;
    if (s->width != (int64_t)par[0] || s->at < 0 || s->at >= s->width || (s->turn != 0 && s->turn != 1)) {
        return 0;
    }
    for (int64_t i = 0; i < s->width; i++) {
        found += s->mem[i] != INFINITY;
    }
    return found == s->there;
}

/* `from` without `old` and with x, in order; INFINITY is none. */
FC_INLINE void sort_again(const double *restrict from, double *restrict to, int64_t n, double old, double x) {
    for (int64_t i = 0; i < n; i++) {
        double before = from[i - 1] < old ? from[i - 1] : from[i], here = from[i] < old ? from[i] : from[i + 1];
        here = here < x ? here : x;
        to[i] = before > here ? before : here;
    }
}
/* How many of the values are below x, or not above it. */
FC_INLINE double counted(const double *values, int64_t n, double x, int equal) {
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        found += equal ? values[i] <= x : values[i] < x;
    }
    return (double)found;
}

/* ---- wide windows ---- */

typedef struct {
    int64_t width, at, seen; /* bars in the window; the next bar's place; bars so far, up to the width */
    double mem[];            /* bars by place, then, in order, those that are in the next bar's window too */
} wide_state;

FC_INLINE fc_blocks *blocks_of(wide_state *s) { return (fc_blocks *)(void *)(s->mem + s->width); }

static size_t wide_size(const double *par) {
    return sizeof(wide_state) + (size_t)par[0] * sizeof(double) + fc_blocks_size(par[0]);
}

static void wide_init(const double *par, void *state) {
    wide_state *s = state;
    s->width = (int64_t)par[0];
    s->at = s->seen = 0;
    FC(blocks_init)(blocks_of(s), par[0]);
}

static int wide_valid(const double *par, const void *state) {
    wide_state *s = (wide_state *)state;
    if (s->width != (int64_t)par[0] || s->at < 0 || s->at >= s->width || s->seen < 0 || s->seen > s->width ||
        (s->seen < s->width && s->at != s->seen)) {
        return 0;
    }
    int64_t finite = 0;
    for (int64_t i = 0; i < s->seen; i++) {
        finite += fc_there(s->mem[i]) && (s->seen < s->width || i != s->at);
    }
    return FC(blocks_valid)(blocks_of(s), par[0], finite);
}

FC_INLINE void exchange(fc_blocks *s, double old, double x) {
    if (FC_LIKELY(fc_there(old) && fc_there(x))) {
        FC(blocks_replace)(s, old, x);
    } else if (fc_there(old)) {
        FC(blocks_erase)(s, old);
    } else if (fc_there(x)) {
        FC(blocks_insert)(s, x);
    }
}

/* ---- either ---- */

FC_INLINE double quantile_narrow(const double *par, narrow_state *s, double there, double old, double x) {
    double apart, *to = array_of(s, 1 - s->turn);
    sort_again(array_of(s, s->turn), to, places_of(s->width), old, x);
    int64_t k = place_of(par, there, &apart);
    return between(to[k], to[k + 1], apart);
}
/* The bar has taken the place of the oldest. */
FC_INLINE double rank_narrow(const double *par, narrow_state *s, double there, double old, double x) {
    (void)there;
    (void)old;
    if (x == INFINITY) {
        return NAN;
    }
    double below = counted(s->mem, places_of(s->width), x, 0);
    return par[2] != 0.0 ? below : middle(below, counted(s->mem, places_of(s->width), x, 1));
}
/* x is not among the values that are kept in order. */
FC_INLINE double quantile_wide(const double *par, fc_blocks *s, double there, double x) {
    double apart, before, value, next;
    FC(blocks_pick)(s, place_of(par, there, &apart), &before, &value, &next);
    if (fc_there(x)) {
        next = value < x ? least(x, next) : value;
        value = value < x ? value : before < x ? x : before;
    }
    return between(value, next, apart);
}
FC_INLINE double rank_wide(const double *par, fc_blocks *s, double there, double x) {
    double equal, below;
    (void)there;
    if (!fc_there(x)) {
        return NAN;
    }
    below = FC(blocks_rank)(s, x, &equal);
    return par[2] != 0.0 ? below : middle(below, below + equal + 1.0);
}

static size_t order_size(const double *par) { return is_narrow(par) ? narrow_size(par) : wide_size(par); }
static void order_init(const double *par, void *state) {
    if (is_narrow(par)) {
        narrow_init(par, state);
    } else {
        wide_init(par, state);
    }
}
static int order_valid(const double *par, const void *state) {
    return is_narrow(par) ? narrow_valid(par, state) : wide_valid(par, state);
}

/* A peek leaves things as they are. Once it is full, a wide window is rid of its oldest bar before the next one comes. */
#define ORDER(op)                                                                                                      \
    FC_INLINE double op##_of_narrow(const double *par, narrow_state *s, double x, int commit) {                        \
        double old = s->mem[s->at], result = NAN;                                                                      \
        x = fc_there(x) ? x : INFINITY;                                                                                \
        int64_t there = s->there - (old != INFINITY) + (x != INFINITY);                                                \
        s->mem[s->at] = x;                                                                                             \
        double found = op##_narrow(par, s, (double)there, old, x);                                                     \
        result = (double)there >= par[1] && there ? found : NAN;                                                       \
        if (commit) {                                                                                                  \
            s->at = s->at + 1 == s->width ? 0 : s->at + 1;                                                             \
            s->there = there;                                                                                          \
            s->turn = 1 - s->turn;                                                                                     \
        } else {                                                                                                       \
            s->mem[s->at] = old;                                                                                       \
        }                                                                                                              \
        return result;                                                                                                 \
    }                                                                                                                  \
    static FC_NOINLINE double op##_of_wide(const double *par, wide_state *s, double x, int commit) {                   \
        fc_blocks *blocks = blocks_of(s);                                                                              \
        double there = (double)(blocks->there + fc_there(x));                                                          \
        double result = there >= par[1] && there > 0.0 ? op##_wide(par, blocks, there, x) : NAN;                       \
        if (commit) {                                                                                                  \
            s->mem[s->at] = x;                                                                                         \
            s->at = s->at + 1 == s->width ? 0 : s->at + 1;                                                             \
            s->seen += s->seen < s->width;                                                                             \
            exchange(blocks, s->seen == s->width ? s->mem[s->at] : NAN, x);                                            \
        }                                                                                                              \
        return result;                                                                                                 \
    }                                                                                                                  \
    FC_INLINE double op##_push(const double *par, void *state, const double *in, int commit) {                         \
        return is_narrow(par) ? op##_of_narrow(par, state, in[0], commit) : op##_of_wide(par, state, in[0], commit);   \
    }
ORDER(quantile)
ORDER(rank)

static double quantile_step(const double *par, void *state, const double *in, int commit) {
    return quantile_push(par, state, in, commit);
}
static double rank_step(const double *par, void *state, const double *in, int commit) {
    return rank_push(par, state, in, commit);
}

/* ---- many bars ---- */

static int quantile_sorts(const double *par) { return par[0] > 64 && par[0] <= FC_SORTED_WIDEST; }
static int rank_sorts(const double *par) { return par[0] > 200 && par[0] <= FC_SORTED_WIDEST; }

static int quantile_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                          double *scratch) {
    if (quantile_sorts(par)) {
        order_series_block(par, carry, in[0], out, n, scratch, 0);
        return 0;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        out[i] = quantile_push(par, carry, in[0] + i, 1);
    }
    return 0;
}

/* A full window is counted in the input, the first ones of a block in a copy: what was stored just now is slow to read. */
static void rank_narrow_block(const double *par, narrow_state *s, const double *in, double *restrict out, ptrdiff_t n) {
    double first[2 * NARROW];
    ptrdiff_t width = (ptrdiff_t)par[0], copied = 0;
    if (s->there == s->width) {
        copied = n < width ? n : width;
        memcpy(first, s->mem + s->at, (size_t)(width - s->at) * sizeof(double));
        memcpy(first + width - s->at, s->mem, (size_t)s->at * sizeof(double));
        memcpy(first + width, in, (size_t)copied * sizeof(double));
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *x = in + i, *window = i < copied ? first + i + 1 : x - width + 1;
        if ((i >= copied && i < width) || s->there != s->width || !fc_there(x[0])) {
            out[i] = rank_push(par, s, x, 1);
            continue;
        }
        double below = counted(window, width, x[0], 0);
        out[i] = par[2] != 0.0 ? below : middle(below, counted(window, width, x[0], 1));
        s->mem[s->at] = x[0];
        s->at = s->at + 1 == s->width ? 0 : s->at + 1;
    }
}
static int rank_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                      double *scratch) {
    if (rank_sorts(par)) {
        order_series_block(par, carry, in[0], out, n, scratch, 1);
    } else if (is_narrow(par)) {
        rank_narrow_block(par, carry, in[0], out, n);
    } else {
        for (ptrdiff_t i = 0; i < n; i++) {
            out[i] = rank_push(par, carry, in[0] + i, 1);
        }
    }
    return 0;
}

#define ORDERED(op, kinds)                                                                                             \
    static void op##_begin(const double *par, void *carry) {                                                           \
        if (op##_sorts(par)) {                                                                                         \
            fc_past_init(carry, par[0]);                                                                               \
        } else {                                                                                                       \
            order_init(par, carry);                                                                                    \
        }                                                                                                              \
    }                                                                                                                  \
    static ptrdiff_t op##_scratch(const double *par) { return op##_sorts(par) ? series_scratch(par[0]) : 0; }          \
    FC_COUNTED(op, kinds, 1, order_size, order_init, order_valid, op##_begin, op##_scratch)
ORDERED(quantile, "ppff");
ORDERED(rank, "ppf");
