/* How many bars ago the extreme of a window was; and the number of a bar, which makes a place in the series of it.
 *
 * Windows are cut into blocks as in kernels/window.c, of which four are taken side by side, a lane each. Each tail
 * and each head also has the place of its extreme: the work on a bar does not depend on the data. -INFINITY (for the
 * lowest, INFINITY) is an extreme only where no other value is there.
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

/* Four blocks of so many bars lie in a scratch at once: of each bar the extreme of its tail, and its place. */
static ptrdiff_t block_of(ptrdiff_t n, ptrdiff_t w) { return n / (4 * ((n + 4 * w - 1) / (4 * w))); }
ptrdiff_t FC(ages_scratch)(ptrdiff_t w) { return 8 * w; }
static ptrdiff_t since_scratch(const double *par) { return FC(ages_scratch)((ptrdiff_t)par[0]); }

typedef struct {
    v4 value, place;
} four_at;

/* Of an older and a newer one of each block. */
FC_INLINE four_at better_four(four_at older, four_at newer, int low, ties tie) {
    v4 one = low ? newer.value : older.value, other = low ? older.value : newer.value;
    four_at r;
    r.value = low ? v4_min(older.value, newer.value) : v4_max(older.value, newer.value);
    r.place = tie == NEWEST ? v4_pick_gt(one, other, older.place, newer.place)
                            : v4_pick_gt(other, one, newer.place, older.place);
    return r;
}

/* One more bar before four blocks: its tail is the one of bar t. */
FC_INLINE four_at one_more(four_at fold, v4 value, v4 *place, double *tails, ptrdiff_t t, int low, ties tie) {
    *place = v4_sub(*place, v4_all(1.0));
    four_at bar = {value, *place};
    fold = better_four(bar, fold, low, tie);
    v4_store(tails + 8 * t, fold.value);
    v4_store(tails + 8 * t + 4, fold.place);
    return fold;
}

/* The age at one more bar of four blocks. */
FC_INLINE v4 one_age(four_at *head, v4 value, v4 *place, const double *tail, int low, ties tie) {
    four_at bar = {value, *place}, older = {v4_load(tail), v4_load(tail + 4)};
    *head = better_four(*head, bar, low, tie);
    four_at found = better_four(older, *head, low, tie);
    v4 age = v4_sub(*place, found.place);
    *place = v4_add(*place, v4_all(1.0));
    if (tie == HELD) {
        v4 mark = v4_sub(v4_all(-1.0), age), one = low ? value : found.value, other = low ? found.value : value;
        age = v4_pick_gt(one, other, age, mark);
    }
    return age;
}

/* Ages at four blocks of `length` bars from x on, w at most. Places are counted from a block's first bar. */
FC_INLINE void ages_of_four(const double *x, ptrdiff_t length, ptrdiff_t w, double *restrict out, double *tails,
                            int low, ties tie) {
    const four_at none = {v4_all(NEUTRAL(low)), v4_zero()};
    four_at fold = none;
    v4 place = v4_zero(), older, newer;
    ptrdiff_t back = 1, t = 0;
    v4_store(tails + 8 * (w - 1), none.value);
    v4_store(tails + 8 * (w - 1) + 4, none.place);
    for (; back + 1 < w; back += 2) {
        v4_load_bars(x - back - 1, length, &older, &newer);
        fold = one_more(fold, newer, &place, tails, w - 1 - back, low, tie);
        fold = one_more(fold, older, &place, tails, w - 2 - back, low, tie);
    }
    if (back < w) {
        one_more(fold, v4_load_apart(x - back, length), &place, tails, w - 1 - back, low, tie);
    }
    fold = none;
    place = v4_zero();
    for (; t + 1 < length; t += 2) {
        v4_load_bars(x + t, length, &older, &newer);
        older = one_age(&fold, older, &place, tails + 8 * t, low, tie);
        newer = one_age(&fold, newer, &place, tails + 8 * t + 8, low, tie);
        v4_store_bars(out + t, length, older, newer);
    }
    if (t < length) {
        v4_store_apart(out + t, length, one_age(&fold, v4_load_apart(x + t, length), &place, tails + 8 * t, low, tie));
    }
}

/* Ages at n bars from x on, which has w - 1 bars before it. */
FC_INLINE void ages(const double *x, ptrdiff_t n, ptrdiff_t w, double *restrict out, double *scratch, int low,
                    ties tie) {
    if (w <= FEW || n < 4) {
        few(x, n, w, out, low, tie);
        return;
    }
    for (ptrdiff_t length = block_of(n, w), b = 0; b < n; b += 4 * length) {
        if (n - b < 4 * length) { /* the last ones, and some before them again */
            length = (n - b + 3) / 4;
            b = n - 4 * length;
        }
        ages_of_four(x + b, length, w, out + b, scratch, low, tie);
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

/* Makes an age of what `ages` gives for HELD; before: that of the bar before. */
FC_INLINE int64_t held_age(int64_t before, int64_t w, double found) {
    int64_t oldest = (int64_t)found, takes = oldest >> 63, next = before + 1;
    return next >= w ? oldest ^ takes : next & ~takes;
}

/* The same of four bars. Where no value stands twice in a window, the one that is held is the oldest: then its age is 0,
 * or one more than before, or the bar before has lost it. Returns 0, and leaves things as they are, where that is not so. */
FC_INLINE int hold_four(v4 *before, v4 most, double *out) {
    const v4 zero = v4_zero(), one = v4_all(1.0);
    v4 found = v4_load(out), age = v4_max(found, zero);
    v4 next = v4_add(v4_zip_lowers(v4_low_low(v4_last(*before), v4_uppers(age)), age), one);
    v4 other = v4_if_gt(v4_abs(v4_sub(age, next)), zero, one);
    other = v4_pick_gt(zero, found, zero, other);
    other = v4_pick_gt(next, most, zero, other);
    other = v4_pick_gt(v4_all(-1.0), found, one, other);
    if (FC_UNLIKELY(v4_any_equal(other, one))) {
        return 0;
    }
    v4_store(out, age);
    *before = age;
    return 1;
}

/* Bars in which the newest may be an extreme again and again, as of a price that stands still; until the one that is held
 * leaves its window. Counts bars from so many that the place that is held is above 0, which stands for none. Returns how many
 * are done, by fours. */
static ptrdiff_t hold_newest(int64_t *age, int64_t w, double *out, ptrdiff_t n) {
    const v4 zero = v4_zero(), most = v4_all((double)(w - 1)), four = v4_all(4.0);
    double first = (double)(w + 2);
    v4 place = v4_add(v4_all(first), v4_of(0.0, 1.0, 2.0, 3.0)), held = v4_all(first - 1.0 - (double)*age);
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        v4 taken = v4_pick_gt(zero, v4_load(out + i), place, zero);
        taken = v4_max(taken, v4_raised(taken));
        taken = v4_max(taken, v4_zero_low(v4_uppers(taken)));
        v4 before = v4_max(held, v4_zip_lowers(v4_low_low(zero, v4_uppers(taken)), taken));
        if (FC_UNLIKELY(v4_any_equal(v4_if_gt(v4_sub(place, before), most, place), place))) {
            break;
        }
        v4_store(out + i, v4_sub(place, v4_max(held, taken)));
        held = v4_max(held, v4_last(taken));
        place = v4_add(place, four);
    }
    *age = i > 0 ? (int64_t)out[i - 1] : *age;
    return i;
}

/* Bars at each of which the one that is held leaves its window, and the oldest takes its place: as where all are equal. */
static ptrdiff_t hold_oldest(int64_t *age, int64_t w, double *out, ptrdiff_t n) {
    const v4 one = v4_all(1.0), most = v4_all((double)(w - 1));
    v4 last = v4_all((double)*age);
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        v4 found = v4_load(out + i), oldest = v4_max(found, v4_sub(v4_all(-1.0), found));
        v4 before = v4_zip_lowers(v4_low_low(v4_last(last), v4_uppers(oldest)), oldest);
        if (FC_UNLIKELY(v4_any_equal(v4_if_gt(most, before, one), one))) {
            break;
        }
        v4_store(out + i, last = oldest);
    }
    *age = (int64_t)v4_one(v4_last(last));
    return i;
}

static void hold_places(held_carry *s, int64_t w, double *out, ptrdiff_t n) {
    const v4 most = v4_all((double)(w - 1));
    v4 before = v4_all((double)s->age);
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        if (!hold_four(&before, most, out + i)) {
            int64_t age = (int64_t)v4_one(v4_last(before));
            i += hold_newest(&age, w, out + i, n - i);
            i += hold_oldest(&age, w, out + i, n - i);
            for (int j = 0; j < 4 && i + 4 <= n; j++) {
                out[i + j] = (double)(age = held_age(age, w, out[i + j]));
            }
            before = v4_all((double)age);
        }
    }
    s->age = (int64_t)v4_one(v4_last(before));
    for (i = n & ~(ptrdiff_t)3; i < n; i++) {
        out[i] = (double)(s->age = held_age(s->age, w, out[i]));
    }
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
                                           .nan = FC_NAN_CONFINED,                                                     \
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
    ptrdiff_t i = 0;
    v4 numbers = v4_add(v4_all(s->bars), v4_of(0.0, 1.0, 2.0, 3.0));
    for (; i + 4 <= n; i += 4) {
        v4_store(out + i, numbers);
        numbers = v4_add(numbers, v4_all(4.0));
    }
    for (; i < n; i++) {
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
