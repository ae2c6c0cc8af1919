#include "indicators/cpu.h"

#include <string.h>

#if defined(_MSC_VER) && defined(_M_X64)
#include <immintrin.h>
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

#define COMPILED_FOR(isa)                                                                                              \
    extern const fc_kernel *const fc_kernels_##isa[];                                                                  \
    extern const char fc_vectors_##isa[]; /* what the kernels hold, whatever the build was asked for */                \
    extern int fc_all_finite_##isa(const double *x, ptrdiff_t n);                                                      \
    extern const fc_gap_passes fc_gap_passes_##isa;

#if defined(FC_HAVE_AVX2)
COMPILED_FOR(avx2)

static void cpuid(int leaf, unsigned r[4]) {
#if defined(_MSC_VER)
    __cpuidex((int *)r, leaf, 0);
#else
    __cpuid_count(leaf, 0, r[0], r[1], r[2], r[3]);
#endif
}

static unsigned saved_registers(void) {
#if defined(_MSC_VER)
    return (unsigned)_xgetbv(0);
#else
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

/* Both the processor and the operating system, which must save the wide registers, have a say. Asked here, since
 * __builtin_cpu_supports says no to everything where Zig's library stands in for the compiler's. */
static int has_avx2(void) {
    unsigned r[4];
    cpuid(0, r);
    if (r[0] < 7) {
        return 0;
    }
    cpuid(1, r);
    if (!(r[2] & (1u << 27)) || !(r[2] & (1u << 28)) || !(r[2] & (1u << 12))) { /* OSXSAVE, AVX, FMA */
        return 0;
    }
    if ((saved_registers() & 6) != 6) {
        return 0;
    }
    cpuid(7, r);
    return (r[1] & (1u << 5)) && (r[1] & (1u << 8)); /* AVX2, BMI2 */
}
#endif

#if defined(FC_HAVE_SSE2)
COMPILED_FOR(sse2)
#endif
#if defined(FC_HAVE_NEON)
COMPILED_FOR(neon)
#endif
#if defined(FC_HAVE_GENERIC)
COMPILED_FOR(generic)
#endif

int fc_isas(const fc_isa **found) {
    static fc_isa isas[FC_MAX_ISAS];
    int n = 0;
    const fc_isa known[FC_MAX_ISAS + 1] = {
#if defined(FC_HAVE_AVX2)
        {has_avx2() ? fc_vectors_avx2 : NULL, fc_kernels_avx2, fc_all_finite_avx2, &fc_gap_passes_avx2},
#endif
#if defined(FC_HAVE_SSE2)
        {fc_vectors_sse2, fc_kernels_sse2, fc_all_finite_sse2, &fc_gap_passes_sse2},
#endif
#if defined(FC_HAVE_NEON)
        {fc_vectors_neon, fc_kernels_neon, fc_all_finite_neon, &fc_gap_passes_neon},
#endif
#if defined(FC_HAVE_GENERIC)
        {fc_vectors_generic, fc_kernels_generic, fc_all_finite_generic, &fc_gap_passes_generic},
#endif
        {NULL, NULL, NULL, NULL}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].name) {
            isas[n++] = known[i];
        }
    }
    *found = isas;
    return n;
}

const fc_isa *fc_isa_named(const char *name) {
    const fc_isa *isas;
    int n = fc_isas(&isas);
    for (int i = 0; i < n; i++) {
        if (!name || !strcmp(isas[i].name, name)) {
            return isas + i;
        }
    }
    return NULL;
}

static const fc_isa *used;

const fc_isa *fc_isa_used(void) {
    if (!used) {
        used = fc_isa_named(NULL);
    }
    return used;
}

void fc_isa_use(const fc_isa *isa) { used = isa; }

const fc_kernel *fc_kernel_named(const fc_isa *isa, const char *name) {
    for (const fc_kernel *const *k = isa->kernels; *k; k++) {
        if (!strcmp((*k)->name, name)) {
            return *k;
        }
    }
    return NULL;
}

int fc_all_finite(const double *x, ptrdiff_t n) { return fc_isa_used()->all_finite(x, n); }

int fc_par_count(const fc_kernel *kernel) { return (int)strlen(kernel->par); }

int fc_par_bad(const fc_kernel *kernel, const double *par) {
    for (int j = 0; kernel->par[j]; j++) {
        double v = par[j];
        int good = kernel->par[j] == 'p'   ? v >= 1.0 && v <= FC_MAX_PERIOD && v == (double)(int64_t)v
                   : kernel->par[j] == 'm' ? v == 0.0 || v == 1.0
                                           : v - v == 0.0;
        if (!good) {
            return j;
        }
    }
    return -1;
}
