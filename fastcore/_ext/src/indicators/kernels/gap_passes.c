/* Passes over series in which bars are missing. Where bars are moved, eight without a gap, as most are, take vectors, and
 * others go one by one, without branches, so that many gaps cost little more than few.
 */
#include "indicators/kernels/gap_passes.h"

#include "indicators/kernels/bits.h"
#include "indicators/kernels/stages.h"

/* Bit l: whether all inputs at bar i + l are finite. A finite number times 0 is 0. */
FC_INLINE unsigned bits_of_eight(const double *const *in, int n_in, ptrdiff_t i) {
    v4 zero = v4_zero(), low = v4_mul(v4_load(in[0] + i), zero), high = v4_mul(v4_load(in[0] + i + 4), zero);
    for (int j = 1; j < n_in; j++) {
        low = v4_add(low, v4_mul(v4_load(in[j] + i), zero));
        high = v4_add(high, v4_mul(v4_load(in[j] + i + 4), zero));
    }
    return (unsigned)v4_equal_bits(low, zero) | (unsigned)v4_equal_bits(high, zero) << 4;
}

static unsigned bits_of_few(const double *const *in, int n_in, ptrdiff_t i, int bars) {
    unsigned bits = 0;
    for (int l = 0; l < bars; l++) {
        double check = 0.0;
        for (int j = 0; j < n_in; j++) {
            check += in[j][i + l] * 0.0;
        }
        bits |= (unsigned)(check == 0.0) << l;
    }
    return bits;
}

FC_INLINE void move_eight(const double *x, double *out) {
    v4 low = v4_load(x), high = v4_load(x + 4);
    v4_store(out, low);
    v4_store(out + 4, high);
}

/* The bits of up to 64 bars from the i-th on. */
FC_INLINE uint64_t bits_of_word(const double *const *in, int n_in, ptrdiff_t i, ptrdiff_t bars) {
    uint64_t word = 0;
    ptrdiff_t l = 0;
    for (; l + 8 <= bars; l += 8) {
        word |= (uint64_t)bits_of_eight(in, n_in, i + l) << l;
    }
    return l < bars ? word | (uint64_t)bits_of_few(in, n_in, i + l, (int)(bars - l)) << l : word;
}

FC_INLINE ptrdiff_t find_of(const double *const *in, int n_in, ptrdiff_t n, uint64_t *there) {
    ptrdiff_t found = 0;
    for (ptrdiff_t i = 0; i < n; i += 64) {
        there[i >> 6] = bits_of_word(in, n_in, i, n - i < 64 ? n - i : 64);
        found += fc_bit_count(there[i >> 6]);
    }
    return found;
}

static ptrdiff_t find(const double *const *in, int n_in, ptrdiff_t n, uint64_t *there) {
    return n_in == 1 ? find_of(in, 1, n, there) : find_of(in, n_in, n, there);
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

static void blank(double *x, const uint64_t *there, ptrdiff_t n, ptrdiff_t after) {
    v4 missing = v4_all(NAN);
    ptrdiff_t done = 0;
    for (ptrdiff_t at = 0; at < n; at += 64) {
        for (uint64_t gaps = ~there[at >> 6]; gaps; gaps &= gaps - 1) {
            ptrdiff_t i = at + fc_first_bit(gaps), to = i + after + 1;
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

static int any_beyond(const double *x, ptrdiff_t n, double most) {
    v4 found[4], one = v4_all(1.0), largest = v4_all(most);
    ptrdiff_t i = 0;
    int few = 0;
    for (int l = 0; l < 4; l++) {
        found[l] = v4_zero();
    }
    for (; i + 16 <= n; i += 16) {
        for (int l = 0; l < 4; l++) {
            found[l] = v4_add(found[l], v4_if_gt(v4_abs(v4_load(x + i + 4 * l)), largest, one));
        }
    }
    for (; i < n; i++) {
        few |= fabs(x[i]) > most;
    }
    return few || !v4_clean(v4_add(v4_add(found[0], found[1]), v4_add(found[2], found[3])));
}

const fc_gap_passes FC(gap_passes) = {find, fill, pack, unpack, spread, blank, any_beyond};
