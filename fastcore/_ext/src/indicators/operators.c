/* Operators by name, in each instruction set. */
#include "indicators/program.h"

/* An instruction set is told by its kernels: its name is that of the vectors that the compiler made. */
#define TABLES(isa)                                                                                                    \
    extern const fc_operator *const fc_operators_##isa[];                                                              \
    extern const fc_kernel *const fc_kernels_##isa[];

#if defined(FC_HAVE_AVX2)
TABLES(avx2)
#endif
#if defined(FC_HAVE_SSE2)
TABLES(sse2)
#endif
#if defined(FC_HAVE_NEON)
TABLES(neon)
#endif
#if defined(FC_HAVE_GENERIC)
TABLES(generic)
#endif

static const fc_operator *const *operators_of(const fc_isa *isa) {
#if defined(FC_HAVE_AVX2)
    if (isa->kernels == fc_kernels_avx2) {
        return fc_operators_avx2;
    }
#endif
#if defined(FC_HAVE_SSE2)
    if (isa->kernels == fc_kernels_sse2) {
        return fc_operators_sse2;
    }
#endif
#if defined(FC_HAVE_NEON)
    if (isa->kernels == fc_kernels_neon) {
        return fc_operators_neon;
    }
#endif
#if defined(FC_HAVE_GENERIC)
    if (isa->kernels == fc_kernels_generic) {
        return fc_operators_generic;
    }
#endif
    return NULL;
}

const fc_operator *fc_operator_named(const fc_isa *isa, const char *name) {
    for (const fc_operator *const *op = operators_of(isa); op && *op; op++) {
        if (!strcmp((*op)->name, name)) {
            return *op;
        }
    }
    return NULL;
}

int fc_operator_takes(char kind, double value) {
    double least = kind == 'd' ? 2.0 : kind == 'p' ? 1.0 : 0.0, most = kind == 't' ? 2.0 : FC_MAX_PERIOD;
    return kind == 'f' || (value >= least && value <= most && value == (double)(int64_t)value);
}
