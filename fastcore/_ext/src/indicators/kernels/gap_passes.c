/* Passes over series in which bars are missing. Where bars are moved, eight without a gap, as most are, take vectors, and
 * others go one by one, without branches, so that many gaps cost little more than few.
 */
#include "indicators/kernels/gap_passes.h"

#include "indicators/kernels/bits.h"
#include "indicators/kernels/stages.h"

int FC(all_finite)(const double *x, ptrdiff_t n) {
    v4 a = v4_zero(), b = a, c = a, d = a, e = a, f = a, g = a, h = a; /* not an array, which would be in memory */
    double rest = 0.0;
    ptrdiff_t i = 0;
    for (; i + 32 <= n; i += 32) {
        a = v4_note(a, v4_load(x + i));
        b = v4_note(b, v4_load(x + i + 4));
        c = v4_note(c, v4_load(x + i + 8));
        d = v4_note(d, v4_load(x + i + 12));
        e = v4_note(e, v4_load(x + i + 16));
        f = v4_note(f, v4_load(x + i + 20));
        g = v4_note(g, v4_load(x + i + 24));
        h = v4_note(h, v4_load(x + i + 28));
    }
    for (; i + 4 <= n; i += 4) {
        a = v4_note(a, v4_load(x + i));
    }
    for (; i < n; i++) {
        rest += x[i] - x[i];
    }
    a = v4_add(v4_add(v4_add(a, b), v4_add(c, d)), v4_add(v4_add(e, f), v4_add(g, h)));
    return v4_clean(a) && rest == 0.0;
}

FC_INLINE void move_eight(const double *x, double *out) {
    v4 low = v4_load(x), high = v4_load(x + 4);
    v4_store(out, low);
    v4_store(out + 4, high);
}

/* What is 0 where all inputs at bars from the i-th on are finite, else NaN. A finite number times 0 is 0. */
FC_INLINE v4 lacks_of(const double *const *in, int n_in, ptrdiff_t i) {
    v4 lacks = v4_note(v4_zero(), v4_load(in[0] + i));
    for (int j = 1; j < n_in; j++) {
        lacks = v4_note(lacks, v4_load(in[j] + i));
    }
    return lacks;
}

/* The bits of up to 64 bars from the i-th on. */
FC_INLINE uint64_t bits_of_word(const double *const *in, int n_in, ptrdiff_t i, ptrdiff_t bars) {
    const v4 zero = v4_zero();
    uint64_t word = 0;
    ptrdiff_t l = 0;
    for (; l + 8 <= bars; l += 8) {
        int low = v4_equal_bits(lacks_of(in, n_in, i + l), zero),
            high = v4_equal_bits(lacks_of(in, n_in, i + l + 4), zero);
        word |= (uint64_t)(unsigned)(low | high << 4) << l;
    }
    for (; l < bars; l++) {
        double lacks = 0.0;
        for (int j = 0; j < n_in; j++) {
            lacks += in[j][i + l] * 0.0;
        }
        word |= (uint64_t)(lacks == 0.0) << l;
    }
    return word;
}

FC_INLINE ptrdiff_t find_of(const double *const *in, int n_in, ptrdiff_t n, uint64_t *there) {
    ptrdiff_t found = 0, i = 0;
    for (; i + 64 <= n; i += 64) {
        there[i >> 6] = bits_of_word(in, n_in, i, 64);
        found += fc_bit_count(there[i >> 6]);
    }
    if (i < n) {
        there[i >> 6] = bits_of_word(in, n_in, i, n - i);
        found += fc_bit_count(there[i >> 6]);
    }
    return found;
}

static ptrdiff_t find(const double *const *in, int n_in, ptrdiff_t n, uint64_t *there) {
    const double *three[3] = {in[0], in[n_in > 1], in[n_in > 2 ? 2 : 0]}; /* the first one again: as it is */
    return n_in == 1 ? find_of(in, 1, n, there) : n_in <= 3 ? find_of(three, 3, n, there) : find_of(in, n_in, n, there);
}

FC_INLINE unsigned eight_of(const uint64_t *there, ptrdiff_t i) { return (unsigned)(there[i >> 6] >> (i & 63)) & 0xff; }
FC_INLINE int bars_of_eight(ptrdiff_t i, ptrdiff_t n) { return n - i < 8 ? (int)(n - i) : 8; }

static void fill(const double *x, const uint64_t *there, ptrdiff_t n, double last, double *out) {
    if (out != x) {
        memcpy(out, x, (size_t)n * sizeof(double));
    }
    for (ptrdiff_t at = 0; at < n; at += 64) {
        for (uint64_t gaps = ~there[at >> 6]; gaps; gaps &= gaps - 1) {
            ptrdiff_t i = at + fc_first_bit(gaps);
            if (i >= n) {
                return;
            }
            out[i] = i ? out[i - 1] : last;
        }
    }
}

static void pack(const double *x, const uint64_t *there, ptrdiff_t n, double *out) {
    for (ptrdiff_t i = 0; i < n; i += 8) {
        unsigned bits = eight_of(there, i);
        if (FC_LIKELY(bits == 0xff)) {
            move_eight(x + i, out);
            out += 8;
            continue;
        }
        for (int l = 0; l < bars_of_eight(i, n); l++) {
            *out = x[i + l];
            out += bits >> l & 1;
        }
    }
}

static void unpack(const double *packed, const uint64_t *there, ptrdiff_t n, int fills, double last, double *out) {
    for (ptrdiff_t i = 0; i < n; i += 8) {
        unsigned bits = eight_of(there, i);
        if (FC_LIKELY(bits == 0xff)) {
            move_eight(packed, out + i);
            packed += 8;
            last = packed[-1];
            continue;
        }
        for (int l = 0; l < bars_of_eight(i, n); l++) {
            last = bits >> l & 1 ? *packed : fills ? last : NAN;
            packed += bits >> l & 1;
            out[i + l] = last;
        }
    }
}

static void spread(double *x, ptrdiff_t m, const uint64_t *there, ptrdiff_t n) {
    for (ptrdiff_t i = (n - 1) & ~(ptrdiff_t)7; n > m; n = i, i -= 8) { /* once m is n, all are in place */
        unsigned bits = eight_of(there, i);
        if (FC_LIKELY(bits == 0xff)) {
            m -= 8;
            move_eight(x + m, x + i);
            continue;
        }
        for (int l = (int)(n - i); l--;) {
            unsigned bit = bits >> l & 1;
            double value = x[m ? m - 1 : 0];
            m -= bit;
            x[i + l] = bit ? value : NAN;
        }
    }
}

#define FEW_BLANKED 64 /* bars: so few are written for each gap, whatever the one before has blanked: always as many */

static void blank(double *x, const uint64_t *there, ptrdiff_t n, ptrdiff_t after) {
    v4 missing = v4_all(NAN);
    ptrdiff_t done = 0, last = after < FEW_BLANKED ? after - 3 : -1; /* where the last four of them begin */
    for (ptrdiff_t at = 0; at < n; at += 64) {
        for (uint64_t gaps = ~there[at >> 6]; gaps; gaps &= gaps - 1) {
            ptrdiff_t i = at + fc_first_bit(gaps), to = i + after + 1;
            if (FC_LIKELY(last >= 0 && to <= n)) {
                for (ptrdiff_t k = 0; k < last; k += 4) {
                    v4_store(x + i + k, missing);
                }
                v4_store(x + i + last, missing);
                done = to;
                continue;
            }
            to = to < n ? to : n;
            i = i > done ? i : done;
            for (; i + 4 <= to; i += 4) {
                v4_store(x + i, missing);
            }
            for (; i < to; i++) {
                x[i] = NAN;
            }
            done = to;
        }
    }
}

/* The further one, or `found` where x is NaN. */
FC_INLINE v4 further(const double *x, v4 found) { return v4_max(v4_abs(v4_load(x)), found); }

static int any_beyond(const double *x, ptrdiff_t n, double most) {
    v4 a = v4_zero(), b = a, c = a, d = a, e = a, f = a, g = a, h = a; /* not an array, which would be in memory */
    ptrdiff_t i = 0;
    int few = 0;
    for (; i + 32 <= n; i += 32) {
        a = further(x + i, a);
        b = further(x + i + 4, b);
        c = further(x + i + 8, c);
        d = further(x + i + 12, d);
        e = further(x + i + 16, e);
        f = further(x + i + 20, f);
        g = further(x + i + 24, g);
        h = further(x + i + 28, h);
    }
    for (; i < n; i++) {
        few |= fabs(x[i]) > most;
    }
    a = v4_max(v4_max(v4_max(a, b), v4_max(c, d)), v4_max(v4_max(e, f), v4_max(g, h)));
    return few || !v4_clean(v4_if_gt(a, v4_all(most), v4_all(INFINITY)));
}

const fc_gap_passes FC(gap_passes) = {find, fill, pack, unpack, spread, blank, any_beyond};
