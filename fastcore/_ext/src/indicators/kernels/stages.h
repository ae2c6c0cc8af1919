/* The stages that kernels are made of: rolling windows and recurrences, each as a batch and as a stream.
 *
 * Windows are cut into blocks of their own length (van Herk, Gil-Werman): a window is the tail of one block and the head
 * of the next, so its value is combined from values inside it alone. Nothing is ever subtracted again: no drift, no
 * trace of a spike once it has left, and constant work per bar whatever the data.
 */
#ifndef FASTCORE_INDICATORS_KERNELS_STAGES_H
#define FASTCORE_INDICATORS_KERNELS_STAGES_H

#include <math.h>
#include <string.h>

#include "indicators/kernels/kernel.h"
#include "indicators/kernels/vec.h"

#define FC_TILE 256 /* bars that composites take at a time, so that intermediates stay in L1 */

/* Bars taken side by side lie apart, so that a processor does not prefetch the next ones. This does, eight bars at a time:
 * what is read and written so many bars later comes from further caches during the work on others. */
#define FC_AHEAD 512
FC_INLINE void fc_ask_ahead(const double *x, const double *out) {
    FC_PREFETCH(x + FC_AHEAD);
    FC_PREFETCH_TO_WRITE(out + FC_AHEAD);
}

/* ---- the policy and the size that several kernels have ---- */

static inline fc_policy recurrence(const double *par) {
    (void)par;
    return FC_RECURRENCE;
}
static inline ptrdiff_t none(const double *par) {
    (void)par;
    return 0;
}

/* The sum of n differences from `base`. */
FC_INLINE double fc_sum_from(const double *x, double base, ptrdiff_t n) {
    v4 from = v4_all(base), a = v4_zero(), b = a, c = a, d = a;
    double rest = 0.0;
    ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16) {
        a = v4_add(a, v4_sub(v4_load(x + i), from));
        b = v4_add(b, v4_sub(v4_load(x + i + 4), from));
        c = v4_add(c, v4_sub(v4_load(x + i + 8), from));
        d = v4_add(d, v4_sub(v4_load(x + i + 12), from));
    }
    for (; i < n; i++) {
        rest += x[i] - base;
    }
    return i < 16 ? rest : v4_one(v4_last(v4_scan(v4_add(v4_add(a, b), v4_add(c, d))))) + rest;
}

/* ---- batch stages (window.c, recurrence.c); each returns 0, or 1 if it met a value that is not finite ---- */

/* Whether n values are all finite. */
int FC(all_finite)(const double *x, ptrdiff_t n);

/* out[i] = f(x[i-w+1..i]) for i >= w - 1, 1 <= w <= n; scratch: fc_window_scratch(w) doubles. x and out do not
 * overlap. */
int FC(roll_mean)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch);
int FC(roll_sum)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch);
int FC(roll_max)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch);
int FC(roll_min)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch);
int FC(roll_variance)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch);
/* out[i] = standard deviation * by */
int FC(roll_std)(const double *x, ptrdiff_t n, ptrdiff_t w, double by, double *out, double *scratch);
/* mean and mean + up * deviation, mean - down * deviation */
int FC(roll_bands)(const double *x, ptrdiff_t n, ptrdiff_t w, double up, double down, double *upper, double *middle,
                   double *lower, double *scratch);

#define FC_TAILS 512 /* doubles of tails that are made at a time, unless one block has more */

#define FC_LANES_WIDEST                                                                                                \
    4096 /* windows of so many bars at most are cut into blocks side by side, whose tails fit the cache */
FC_INLINE ptrdiff_t fc_window_scratch(double w) {
    double most = w <= FC_LANES_WIDEST ? 8.0 * w : w + 8.0;
    return 2 * (most > FC_TAILS ? (ptrdiff_t)most : FC_TAILS);
}

/* A recurrence takes so many segments of equal length side by side, of a multiple of four bars each, FC_SEGMENT at most. */
#define FC_SEGMENTS 16
#define FC_SEGMENT 32

/* Their length where n bars are left; 0 where those are too few. */
FC_INLINE ptrdiff_t fc_segment_of(ptrdiff_t n) {
    ptrdiff_t length = n / FC_SEGMENTS & ~(ptrdiff_t)3;
    return length < 8 ? 0 : length > FC_SEGMENT ? FC_SEGMENT : length;
}

/* y[i] = q * y[i-1] + k * x[i], several bars at a time: powers of q fold the chain (look-ahead). */
typedef struct {
    v4 from[4]; /* what bar j of four adds to each of the four */
    v4 first, second; /* q**1..4 and q**5..8 */
    v4 all; /* q**8 */
    double k, q;
} fc_decay;

void FC(decay_init)(fc_decay *plan, double k, double q);
/* Goes on from y[-1] = last and returns the new last; out may be x itself. */
double FC(decay_run)(const fc_decay *plan, const double *x, double *out, ptrdiff_t n, double last);

/* An exponential average y is kept as its distance from the latest value: apart = y - x obeys
 * apart[i] = q * (apart[i-1] + x[i-1] - x[i]), so the average of equal values is exactly that value. */
typedef struct {
    fc_decay decay;
    double before, apart; /* the latest value, and how far from it the average is */
} fc_average;

/* Begins with the mean of the n values at x; the average there is before + apart. */
void FC(average_begin)(fc_average *a, double q, const double *x, ptrdiff_t n);
/* The averages of the next n values; out may be x itself. Returns 1 early if one is not finite. */
int FC(average_run)(fc_average *a, const double *x, double *out, ptrdiff_t n);
/* The same of the distances. */
int FC(apart_run)(fc_average *a, const double *x, double *out, ptrdiff_t n);

/* A distance that no longer shows is dropped before it decays into numbers so small that they take the processor many
 * times as long. It is less than any change of x that can follow; next to 0, which says nothing of the size of prices,
 * less than any change of prices above 1e-160. */
FC_INLINE double fc_negligible(double x) { return x != 0.0 ? fabs(x) * 0x1p-160 : 0x1p-700; }
FC_INLINE double fc_settled(double apart, double x) { return fabs(apart) < fc_negligible(x) ? 0.0 : apart; }

FC_INLINE void fc_missing(double *out, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        out[i] = NAN;
    }
}

FC_INLINE int fc_finite(double x) { return x - x == 0.0; }

#define FC_GREATER(a, b) ((a) > (b) ? (a) : (b))
#define FC_SMALLER(a, b) ((a) < (b) ? (a) : (b))

/* ---- streaming stages ----
 * A window of w bars is the tail of one block of w / 2 bars, the next block, and the head of the block being filled. The
 * two halves of its memory take turns: while a block is filled the one before it is folded into tails from its end, one
 * bar a push, and its bars take the places of tails that no later window reaches. Every push costs the same. The halves
 * lie interleaved, the second from its end: what a push reads and writes of both is in one cache line.
 */
typedef struct { /* small: a board passes over one for each symbol at each tick */
    int32_t width, block;
    int32_t at, second; /* bars in the block being filled, and whether that is the second half */
    int32_t filled; /* bars since the last gap, up to width; bars from before it are never in a full window */
} fc_window;

FC_INLINE void fc_window_init(fc_window *s, double w) {
    s->width = (int32_t)w;
    s->block = s->width > 1 ? s->width / 2 : 1;
    s->at = s->second = s->filled = 0;
}

FC_INLINE int fc_window_valid(const fc_window *s, double w) {
    return s->width == (int32_t)w && s->block == (s->width > 1 ? s->width / 2 : 1) && s->at >= 0 && s->at <= s->block &&
           (s->second == 0 || s->second == 1) && s->filled >= 0 && s->filled <= s->width;
}

/* Doubles of its memory. */
FC_INLINE size_t fc_window_room(double w) { return w > 1.0 ? (size_t)w / 2 * 2 : 2; }

/* Begins the series again. The place within the block stays: windows that move on together stay apart. */
FC_INLINE void fc_window_gap(fc_window *s) { s->filled = 0; }

/* Where the next bar goes; returns whether it begins a block. */
FC_INLINE int fc_window_turn(const fc_window *s, int32_t *at, int32_t *second) {
    int full = s->at == s->block;
    *at = full ? 0 : s->at;
    *second = s->second ^ full;
    return full;
}

/* Bar i of the half being filled is now[i * step], of the other one before[-i * step]. */
FC_INLINE double *fc_window_half(double *mem, int32_t m, int32_t second) { return second ? mem + 2 * m - 1 : mem; }

/* Prefetches what the next push reads of the window `ahead` bytes further on: on a board windows move on together. */
FC_INLINE void fc_window_ahead(const fc_window *s, const double *mem, ptrdiff_t ahead) {
    FC_PREFETCH_TO_WRITE((const char *)(mem + (s->second ? 2 * s->block - 1 - 2 * s->at : 2 * s->at)) + ahead);
}

FC_INLINE void fc_window_commit(fc_window *s, int32_t at, int32_t second) {
    s->at = at + 1;
    s->second = second;
    s->filled += s->filled < s->width;
}

typedef struct {
    fc_window window;
    double head, whole; /* of the block being filled, and of the one before it */
} fc_extremum;

FC_INLINE void fc_extremum_init(fc_extremum *s, double w) {
    fc_window_init(&s->window, w);
    s->head = s->whole = 0.0;
}

/* Each push returns NaN until w bars have come; with commit 0 it leaves the state as it was. */
#define FC_EXTREMUM_PUSH(name, JOIN)                                                                                   \
    FC_INLINE double name(fc_extremum *s, double *mem, double x, int commit) {                                         \
        int32_t w = s->window.width, m = s->window.block, at, second;                                                  \
        double whole = fc_window_turn(&s->window, &at, &second) ? s->head : s->whole;                                  \
        double *now = fc_window_half(mem, m, second), *before = fc_window_half(mem, m, !second);                       \
        int32_t step = second ? -2 : 2;                                                                                \
        double head = at == 0 ? x : JOIN(s->head, x), result = w > 1 ? JOIN(whole, head) : head;                       \
        int32_t tail = 2 * m - w + at + 1;                                                                             \
        if (tail < m)                                                                                                  \
            result = JOIN(now[tail * step], result);                                                                   \
        if (s->window.filled < w - 1)                                                                                  \
            result = NAN;                                                                                              \
        if (commit) {                                                                                                  \
            if (at > 0)                                                                                                \
                before[(at + 1 - m) * step] = JOIN(before[(at - m) * step], before[(at + 1 - m) * step]);              \
            now[at * step] = x;                                                                                        \
            s->head = head;                                                                                            \
            s->whole = whole;                                                                                          \
            fc_window_commit(&s->window, at, second);                                                                  \
        }                                                                                                              \
        return result;                                                                                                 \
    }

FC_EXTREMUM_PUSH(fc_push_max, FC_GREATER)
FC_EXTREMUM_PUSH(fc_push_min, FC_SMALLER)

/* Sums of differences from a bar of the block: its first for heads and whole blocks, its last for tails. Each of these
 * lies in every window that counts from it, so the shift costs at most a factor of w in rounding, and a flat window has
 * exactly its price as its mean and a deviation of exactly 0. */
typedef struct {
    double base, sum, squares;
} fc_sums;

typedef struct {
    fc_window window;
    fc_sums head, whole;
    double tail_base, fold_base; /* of the tails, and of those being made */
} fc_moments;

/* The same for sums of squares too. */
FC_INLINE void fc_moments_ahead(const fc_moments *s, const double *mem, ptrdiff_t ahead) {
    fc_window_ahead(&s->window, mem, ahead);
    fc_window_ahead(&s->window, mem + 2 * s->window.block, ahead);
}

FC_INLINE void fc_moments_init(fc_moments *s, double w) {
    memset(s, 0, sizeof(*s));
    fc_window_init(&s->window, w);
}

/* Adds to `to` the sums of n bars about another base. */
FC_INLINE void fc_sums_join(fc_sums *to, double base, double sum, double squares, double n, int squared) {
    double shift = base - to->base, shifted = n * shift;
    to->sum += sum + shifted;
    if (squared) {
        to->squares += squares + shift * (2.0 * sum + shifted);
    }
}

/* The sums over the window about a bar of it; 0 until w bars have come. mem: the window's room, twice that if
 * squared. */
FC_INLINE int fc_push_sums(fc_moments *s, double *mem, double x, fc_sums *all, int squared, int commit) {
    int32_t w = s->window.width, m = s->window.block, at, second;
    int turned = fc_window_turn(&s->window, &at, &second), ready = s->window.filled >= w - 1;
    double *now = fc_window_half(mem, m, second), *before = fc_window_half(mem, m, !second);
    double *now2 = now + 2 * m, *before2 = before + 2 * m;
    int32_t step = second ? -2 : 2;
    fc_sums head = s->head, whole = turned ? s->head : s->whole;
    double tail_base = turned ? s->fold_base : s->tail_base, fold_base = turned ? before[(1 - m) * step] : s->fold_base;
    if (at == 0) {
        head.base = x;
        head.sum = head.squares = 0.0;
    } else {
        double d = x - head.base;
        head.sum += d;
        if (squared) {
            head.squares += d * d;
        }
    }
    *all = head;
    if (w > 1) {
        fc_sums_join(all, whole.base, whole.sum, whole.squares, (double)m, squared);
    }
    int32_t tail = 2 * m - w + at + 1;
    if (tail < m) {
        fc_sums_join(all, tail_base, now[tail * step], squared ? now2[tail * step] : 0.0, (double)(m - tail), squared);
    }
    if (commit) {
        int32_t fold = (at + 1 - m) * step; /* of bar m - 1 - at; of the bar after it, fold - step */
        double d = at == 0 ? 0.0 : before[fold] - fold_base;
        before[fold] = at == 0 ? 0.0 : before[fold - step] + d;
        if (squared) {
            before2[fold] = at == 0 ? 0.0 : before2[fold - step] + d * d;
        }
        now[at * step] = x;
        s->head = head;
        s->whole = whole;
        s->tail_base = tail_base;
        s->fold_base = fold_base;
        fc_window_commit(&s->window, at, second);
    }
    return ready;
}

FC_INLINE double fc_push_mean(fc_moments *s, double *mem, double x, int commit) {
    fc_sums all;
    return fc_push_sums(s, mem, x, &all, 0, commit) ? all.base + all.sum / (double)s->window.width : NAN;
}

/* Returns the variance, NaN until w bars have come. */
FC_INLINE double fc_push_moments(fc_moments *s, double *mem, double x, double *mean, int commit) {
    fc_sums all;
    double width = (double)s->window.width;
    if (!fc_push_sums(s, mem, x, &all, 1, commit)) {
        return NAN;
    }
    double offset = all.sum / width, variance = all.squares / width - offset * offset;
    *mean = all.base + offset;
    /* The prices are finite: NaN comes of squares that overflow. */
    return variance > 0.0 ? variance : variance <= 0.0 ? 0.0 : INFINITY;
}

/* The first average is the mean of `period` bars, after `skip` bars that are left out. */
typedef struct {
    int64_t seen, skip, period;
    double keep; /* what a bar leaves of the distance */
    double before, apart; /* as in fc_average; until seeded the first bar, and the sum of differences from it */
} fc_ema;

FC_INLINE void fc_ema_init(fc_ema *s, double period, double keep, double skip) {
    s->seen = 0;
    s->skip = (int64_t)skip;
    s->period = (int64_t)period;
    s->keep = keep;
    s->before = s->apart = 0.0;
}

FC_INLINE int fc_ema_valid(const fc_ema *s, double period, double keep, double skip) {
    return s->seen >= 0 && s->skip == (int64_t)skip && s->period == (int64_t)period && s->keep == keep;
}

/* How far the average is from x; NaN where that overflows, and the bar is left out. */
FC_INLINE double fc_push_apart(fc_ema *s, double x, int commit) {
    int64_t have = s->seen - s->skip;
    double apart = 0.0, before = x, result = NAN;
    if (FC_LIKELY(have >= s->period)) {
        result = apart = fc_settled(s->keep * (s->apart + (s->before - x)), x);
    } else if (have >= 0) {
        before = have == 0 ? x : s->before;
        apart = s->apart + (x - before);
        if (have == s->period - 1) {
            result = apart = (before - x) + apart / (double)s->period;
            before = x;
        }
    }
    if (FC_UNLIKELY(!fc_finite(apart))) {
        return NAN;
    }
    if (commit) {
        s->apart = apart;
        s->before = before;
        s->seen += have < s->period;
    }
    return result;
}

FC_INLINE double fc_push_ema(fc_ema *s, double x, int commit) { return x + fc_push_apart(s, x, commit); }

/* ---- from one step to the streaming functions ----
 * STEP(state, in, out, commit) takes one complete bar; ON_GAP(state) is what a missing one does; AHEAD(state, bytes)
 * prefetches what lies beyond the first two cache lines of the state so many bytes further on.
 */
#define FC_SKIP(state) ((void)(state))
#define FC_NO_MORE(state, bytes) ((void)(state))
#define FC_STATES_AHEAD 8 /* states on a board from the one that is prefetched */
#define FC_FAR 192 /* bytes of a state; smaller ones the processor itself fetches ahead */

#define FC_STREAM(name, STATE, N_IN, N_OUT, STEP, ON_GAP, AHEAD)                                                       \
    FC_INLINE void name##_bar(STATE *state, const double *in, double *out, int commit) {                               \
        double check = 0.0;                                                                                            \
        for (int j = 0; j < (N_IN); j++)                                                                               \
            check += in[j] - in[j];                                                                                    \
        if (FC_LIKELY(check == 0.0)) {                                                                                 \
            STEP(state, in, out, commit);                                                                              \
            return;                                                                                                    \
        }                                                                                                              \
        if (commit)                                                                                                    \
            ON_GAP(state);                                                                                             \
        for (int j = 0; j < (N_OUT); j++)                                                                              \
            out[j] = NAN;                                                                                              \
    }                                                                                                                  \
    FC_STREAM_WITH(name, STATE, N_IN, N_OUT, name##_bar, AHEAD)

/* The same for a step that treats missing bars itself. */
#define FC_STREAM_WITH(name, STATE, N_IN, N_OUT, BAR, AHEAD)                                                           \
    static void name##_run(void *state, const double *const *in, double *const *out, ptrdiff_t n) {                    \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            double bar[N_IN], result[N_OUT];                                                                           \
            for (int j = 0; j < (N_IN); j++)                                                                           \
                bar[j] = in[j][i];                                                                                     \
            BAR((STATE *)state, bar, result, 1);                                                                       \
            for (int j = 0; j < (N_OUT); j++)                                                                          \
                out[j][i] = result[j];                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    static void name##_one(void *state, const double *in, double *out, int commit) {                                   \
        BAR((STATE *)state, in, out, commit);                                                                          \
    }                                                                                                                  \
    static void name##_many(char *states, size_t stride, const int64_t *at, const double *const *in,                   \
                            double *const *out, ptrdiff_t n) {                                                         \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            double bar[N_IN], result[N_OUT];                                                                           \
            int64_t symbol = at ? at[i] : (int64_t)i;                                                                  \
            char *state = states + stride * (size_t)symbol;                                                            \
            if (stride >= FC_FAR) {                                                                                    \
                ptrdiff_t next = i + FC_STATES_AHEAD < n ? i + FC_STATES_AHEAD : n - 1;                                \
                ptrdiff_t ahead = (ptrdiff_t)stride * (ptrdiff_t)((at ? at[next] : (int64_t)next) - symbol);           \
                FC_PREFETCH_TO_WRITE(state + ahead);                                                                   \
                FC_PREFETCH_TO_WRITE(state + ahead + 64);                                                              \
                AHEAD((STATE *)state, ahead);                                                                          \
            }                                                                                                          \
            for (int j = 0; j < (N_IN); j++)                                                                           \
                bar[j] = in[j][i];                                                                                     \
            BAR((STATE *)state, bar, result, 1);                                                                       \
            for (int j = 0; j < (N_OUT); j++)                                                                          \
                out[j][symbol] = result[j];                                                                            \
        }                                                                                                              \
    }

#define FC_KERNEL(name, par, n_in, n_out, nan)                                                                         \
    const fc_kernel FC(kernel_##name) = {                                                                              \
        #name,          par,          n_in,        n_out,       nan,          name##_policy, name##_lookback,          \
        name##_scratch, name##_batch, name##_size, name##_init, name##_valid, name##_run,    name##_one,               \
        name##_many}

FC_INLINE fc_policy fc_by_window(const double *par) {
    (void)par;
    return FC_WINDOW;
}

#endif
