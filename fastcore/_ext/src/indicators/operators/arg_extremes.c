/* How many bars ago the extreme of a window was; and the number of a bar, which makes a place in the series of it.
 *
 * Windows are cut into blocks as in kernels/window.c. Beside each tail and each head stands the place of its extreme: it
 * is the last record of a scan, and records are a maximum of places, so that both are vector scans and the work on a bar
 * does not depend on the data. -INFINITY (for the lowest, INFINITY) is never an extreme where any other value is there.
 *
 * Ties, by the second parameter. NEWEST and OLDEST depend on nothing but the window. HELD is the rule of TA-Lib's
 * MAXINDEX: a bar that equals the extreme takes its place, unless the one before it leaves the window at that bar: then
 * the oldest in the window does.
 */
#include "indicators/operators/arg_extremes.h"

typedef enum { NEWEST, OLDEST, HELD } ties;

#define FEW 4        /* up to this width each window is looked through */
#define NEUTRAL(low) ((low) ? INFINITY : -INFINITY)

static ptrdiff_t window_lag(const double *par) { return (ptrdiff_t)par[0] - 1; }

FC_INLINE int beyond(double a, double b, int low) { return low ? a < b : a > b; }
/* x where a is beyond b, else 0 */
FC_INLINE v4 if_beyond(v4 a, v4 b, v4 x, int low) { return low ? v4_if_gt(b, a, x) : v4_if_gt(a, b, x); }
FC_INLINE v4 farther(v4 a, v4 b, int low) { return low ? v4_min(a, b) : v4_max(a, b); }

/* ---- whole series ---- */

/* An age, and with HELD that of the oldest: below zero, less 1, where the newest bar is an extreme too. */
FC_INLINE void few(const double *x, ptrdiff_t n, ptrdiff_t w, double *restrict out, int low, ties tie) {
    for (ptrdiff_t i = 0; i < n; i++) {
        double best = x[i];
        ptrdiff_t age = 0, equal = 1;
        for (ptrdiff_t j = 1; j < w; j++) {
            double candidate = x[i - j];
            int more = beyond(candidate, best, low), same = candidate == best;
            age = more || (same && tie != NEWEST) ? j : age;
            equal &= !more;
            best = more ? candidate : best;
        }
        out[i] = (double)(tie == HELD && equal ? -1 - age : age);
    }
}

static ptrdiff_t pitch_of(ptrdiff_t w) { return (w + 7) & ~(ptrdiff_t)3; }
static ptrdiff_t blocks_of(ptrdiff_t w) {
    ptrdiff_t blocks = FC_TAILS / pitch_of(w);
    return blocks > 1 ? blocks : 1;
}
ptrdiff_t FC(ages_scratch)(ptrdiff_t w) { return (2 * blocks_of(w) + 1) * pitch_of(w) + 8; }
static ptrdiff_t since_scratch(const double *par) { return FC(ages_scratch)((ptrdiff_t)par[0]); }

/* Of the w - 1 bars before a block: tail[t] the extreme of the last w - 1 - t of them, from[t] how far it is from the
 * block's first bar. */
FC_INLINE void tails(const double *before, ptrdiff_t w, double *tail, double *from, int low, ties tie) {
    ptrdiff_t t = w - 1;
    double fold = NEUTRAL(low), last = 0.0;
    v4_store(tail + t, v4_all(fold));
    v4_store(from + t, v4_zero());
    for (; t & 3; t--) {
        int record = tie == NEWEST ? beyond(before[t - 1], fold, low) : !beyond(fold, before[t - 1], low);
        from[t - 1] = last = record ? (double)(w - t) : last;
        tail[t - 1] = fold = record ? before[t - 1] : fold;
    }
    v4 carry = v4_all(fold), places = v4_all(last);
    for (ptrdiff_t k = t; k > 0; k -= 4) {
        v4 all = farther(
            carry, low ? v4_min_scan_back(v4_load(before + k - 4)) : v4_max_scan_back(v4_load(before + k - 4)), low);
        v4_store(tail + k - 4, all);
        carry = v4_first(all);
    }
    double first = (double)(w - t);
    v4 own = v4_of(first + 3.0, first + 2.0, first + 1.0, first), four = v4_all(4.0);
    for (; t > 0; t -= 4) {
        v4 x = v4_load(before + t - 4), records;
        if (tie == NEWEST) {
            records = if_beyond(x, v4_load(tail + t - 3), own, low);
        } else {
            records = v4_sub(own, if_beyond(v4_load(tail + t - 4), x, own, low));
        }
        places = v4_max(places, v4_max_scan_back(records));
        v4_store(from + t - 4, places);
        places = v4_first(places);
        own = v4_add(own, four);
    }
}

/* The heads of a block of m bars, end - m more than which may be there, joined with its tails. */
FC_INLINE void heads(const double *x, ptrdiff_t m, ptrdiff_t end, const double *tail, const double *from, double *fold,
                     double *restrict out, int low, ties tie) {
    ptrdiff_t t = 0;
    v4 carry = v4_all(NEUTRAL(low)), places = v4_zero(), own = v4_of(1.0, 2.0, 3.0, 4.0), four = v4_all(4.0);
    v4 bars = v4_of(0.0, 1.0, 2.0, 3.0), one = v4_all(1.0);
    if (tie != NEWEST) { /* an oldest record is beyond the bars before it, whose extremes are made first */
        v4_store(fold, carry);
        for (; t + 4 <= end; t += 4) {
            v4 all = farther(carry, low ? v4_min_scan(v4_load(x + t)) : v4_max_scan(v4_load(x + t)), low);
            v4_store(fold + 4 + t, all);
            carry = v4_last(all);
        }
        t = 0;
    }
    for (; t + 4 <= end; t += 4) {
        v4 here = v4_load(x + t), suffix = v4_load(tail + t), back = v4_load(from + t), head, records, age;
        if (tie == NEWEST) {
            head = farther(carry, low ? v4_min_scan(here) : v4_max_scan(here), low);
            carry = v4_last(head);
            records = v4_sub(own, if_beyond(head, here, own, low));
        } else {
            head = v4_load(fold + 4 + t);
            records = if_beyond(here, v4_load(fold + 3 + t), own, low);
        }
        places = v4_max(places, v4_max_scan(records));
        v4 in_head = v4_sub(one, places), apart = v4_sub(back, in_head);
        if (tie == NEWEST) {
            age = v4_add(bars, v4_add(in_head, if_beyond(suffix, head, apart, low)));
        } else {
            age = v4_add(bars, v4_sub(back, if_beyond(head, suffix, apart, low)));
        }
        if (tie == HELD) {
            v4 all = farther(head, suffix, low), mark = v4_add(v4_add(age, age), one);
            age = v4_sub(v4_add(age, if_beyond(all, here, mark, low)), mark);
        }
        v4_store(out + t, age);
        places = v4_last(places);
        own = v4_add(own, four);
        bars = v4_add(bars, four);
    }
    double head = t ? (tie == NEWEST ? v4_one(carry) : fold[3 + t]) : NEUTRAL(low), place = v4_one(places);
    for (; t < m; t++) {
        int record = tie == NEWEST ? !beyond(head, x[t], low) : beyond(x[t], head, low);
        head = record ? x[t] : head;
        place = record ? (double)(t + 1) : place;
        int older = tie == NEWEST ? beyond(tail[t], head, low) : !beyond(head, tail[t], low);
        double age = (double)t + (older ? from[t] : 1.0 - place);
        out[t] = tie == HELD && !beyond(head, x[t], low) && !beyond(tail[t], x[t], low) ? -1.0 - age : age;
    }
}

/* Ages at n bars from x on, which has w - 1 bars before it. */
FC_INLINE void ages(const double *x, ptrdiff_t n, ptrdiff_t w, double *restrict out, double *scratch, int low,
                    ties tie) {
    if (w <= FEW) {
        few(x, n, w, out, low, tie);
        return;
    }
    ptrdiff_t pitch = pitch_of(w), blocks = blocks_of(w);
    double *tail = scratch, *from = tail + blocks * pitch, *fold = from + blocks * pitch;
    for (ptrdiff_t b = 0; b < n;) {
        ptrdiff_t stop = n - b < blocks * w ? n : b + blocks * w;
        for (ptrdiff_t c = b, k = 0; c < stop; c += w, k += pitch) {
            tails(x + c - (w - 1), w, tail + k, from + k, low, tie);
        }
        for (ptrdiff_t k = 0; b < stop; b += w, k += pitch) {
            ptrdiff_t m = n - b < w ? n - b : w, end = n - b - m >= 3 ? m + 3 : m;
            heads(x + b, m, end, tail + k, from + k, fold, out + b, low, tie);
        }
    }
}

void FC(ages_of_highest)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch) {
    ages(x, n, w, out, scratch, 0, NEWEST);
}
void FC(ages_of_lowest)(const double *x, ptrdiff_t n, ptrdiff_t w, double *out, double *scratch) {
    ages(x, n, w, out, scratch, 1, NEWEST);
}

typedef struct {
    int64_t age; /* of the bar that is held */
} held_carry;

static void since_begin(const double *par, void *carry) { ((held_carry *)carry)->age = (int64_t)par[0]; }

/* Makes ages of what `ages` gives for HELD. */
static void hold_places(held_carry *s, int64_t w, double *out, ptrdiff_t n) {
    int64_t age = s->age;
    for (ptrdiff_t i = 0; i < n; i++) {
        int64_t oldest = (int64_t)out[i], takes = oldest >> 63, next = age + 1;
        oldest = (oldest ^ takes);
        age = next >= w ? oldest : next & ~takes;
        out[i] = (double)age;
    }
    s->age = age;
}

FC_INLINE int since(const double *par, held_carry *carry, const double *x, double *restrict out, ptrdiff_t n,
                    double *scratch, int low) {
    ptrdiff_t w = (ptrdiff_t)par[0];
    switch ((ties)(int)par[1]) {
    case NEWEST:
        (low ? FC(ages_of_lowest) : FC(ages_of_highest))(x, n, w, out, scratch);
        break;
    case OLDEST:
        ages(x, n, w, out, scratch, low, OLDEST);
        break;
    default:
        ages(x, n, w, out, scratch, low, HELD);
        hold_places(carry, w, out, n);
    }
    return 0;
}

/* ---- one bar: the blocks of stages.h, with the place of each bar ---- */

typedef struct {
    double value, place;
} bar_at;

typedef struct {
    fc_window window;
    double bars, held; /* bars so far; the place of the one that is held */
    bar_at head, whole; /* of the block being filled, and of the one before it */
    double mem[];       /* values, then places */
} since_state;

static size_t since_size(const double *par) {
    return sizeof(since_state) + 2 * fc_window_room(par[0]) * sizeof(double);
}
static void since_init(const double *par, void *state) {
    since_state *s = state;
    memset(s, 0, since_size(par));
    fc_window_init(&s->window, par[0]);
    s->held = -INFINITY;
}
static int since_valid(const double *par, const void *state) {
    return fc_window_valid(&((const since_state *)state)->window, par[0]);
}
static void since_gap(void *state) {
    since_state *s = state;
    fc_window_gap(&s->window);
    s->held = -INFINITY;
}

/* Of an older and a newer one. */
FC_INLINE bar_at better(bar_at older, bar_at newer, int low, ties tie) {
    int keep = tie == NEWEST ? beyond(older.value, newer.value, low) : !beyond(newer.value, older.value, low);
    return keep ? older : newer;
}

FC_INLINE double since_push(const double *par, since_state *s, double x, int commit, int low) {
    int32_t w = s->window.width, m = s->window.block, at, second;
    ties tie = (ties)(int)par[1];
    bar_at whole = fc_window_turn(&s->window, &at, &second) ? s->head : s->whole, now = {x, s->bars}, found;
    double *mine = fc_window_half(s->mem, m, second), *other = fc_window_half(s->mem, m, !second), held;
    int32_t step = second ? -2 : 2, tail = 2 * m - w + at + 1;
    int ready = s->window.filled >= w - 1;
    bar_at head = at == 0 ? now : better(s->head, now, low, tie);
    found = w > 1 ? better(whole, head, low, tie) : head;
    if (tail < m) {
        bar_at oldest = {mine[tail * step], mine[tail * step + 2 * m]};
        found = better(oldest, found, low, tie);
    }
    held = found.place;
    if (tie == HELD && s->held > s->bars - (double)w) {
        held = beyond(found.value, x, low) ? s->held : s->bars;
    }
    if (commit) {
        if (at > 0) {
            double *to = other + (at + 1 - m) * step, *newer = other + (at - m) * step;
            bar_at older = {to[0], to[2 * m]}, folded = {newer[0], newer[2 * m]};
            folded = better(older, folded, low, tie);
            to[0] = folded.value;
            to[2 * m] = folded.place;
        }
        mine[at * step] = x;
        mine[at * step + 2 * m] = s->bars;
        s->head = head;
        s->whole = whole;
        s->held = ready ? held : -INFINITY;
        fc_window_commit(&s->window, at, second);
        s->bars += 1.0;
    }
    return ready ? (commit ? s->bars - 1.0 : s->bars) - held : NAN;
}

#define SINCE(op, low)                                                                                                 \
    static int op##_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,  \
                          double *scratch) {                                                                           \
        return since(par, carry, in[0], out, n, scratch, low);                                                         \
    }                                                                                                                  \
    static double op##_step(const double *par, void *state, const double *in, int commit) {                            \
        return since_push(par, state, in[0], commit, low);                                                             \
    }                                                                                                                  \
    const fc_operator FC(operator_##op) = {.name = #op,                                                                \
                                           .par = "pt",                                                                \
                                           .n_in = 1,                                                                  \
                                           .kind = FC_LOOK_BACK,                                                       \
                                           .lag = window_lag,                                                          \
                                           .scratch = since_scratch,                                                   \
                                           .block = op##_block,                                                        \
                                           .carry = sizeof(held_carry),                                                \
                                           .begin = since_begin,                                                       \
                                           .step = op##_step,                                                          \
                                           .size = since_size,                                                         \
                                           .init = since_init,                                                         \
                                           .valid = since_valid,                                                       \
                                           .gap = since_gap}
SINCE(since_highest, 0);
SINCE(since_lowest, 1);

/* ---- bar_number: bars before this one in the series, missing ones too ---- */

typedef struct {
    double bars;
} number_state;

static size_t number_size(const double *par) {
    (void)par;
    return sizeof(number_state);
}
static void number_init(const double *par, void *state) {
    (void)par;
    ((number_state *)state)->bars = 0.0;
}
static int number_valid(const double *par, const void *state) {
    (void)par;
    (void)state;
    return 1;
}
static void number_skip(void *state, ptrdiff_t bars) { ((number_state *)state)->bars += (double)bars; }
static void number_gap(void *state) { ((number_state *)state)->bars += 1.0; }
static double number_step(const double *par, void *state, const double *in, int commit) {
    number_state *s = state;
    double bars = s->bars;
    (void)par;
    (void)in;
    s->bars += commit ? 1.0 : 0.0;
    return bars;
}
static int number_block(const double *par, void *carry, const double *const *in, double *restrict out, ptrdiff_t n,
                        double *scratch) {
    number_state *s = carry;
    (void)par;
    (void)in;
    (void)scratch;
    for (ptrdiff_t i = 0; i < n; i++) {
        out[i] = s->bars + (double)i;
    }
    s->bars += (double)n;
    return 0;
}

const fc_operator FC(operator_bar_number) = {.name = "bar_number",
                                             .par = "",
                                             .n_in = 1,
                                             .kind = FC_LOOK_BACK,
                                             .block = number_block,
                                             .carry = sizeof(number_state),
                                             .begin = number_init,
                                             .skip = number_skip,
                                             .step = number_step,
                                             .size = number_size,
                                             .init = number_init,
                                             .valid = number_valid,
                                             .gap = number_gap};
