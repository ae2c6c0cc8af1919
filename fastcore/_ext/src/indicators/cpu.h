/* Which instruction sets there are kernels for, which of them this machine can run, and which one is in use. */
#ifndef FASTCORE_INDICATORS_CPU_H
#define FASTCORE_INDICATORS_CPU_H

#include "indicators/kernels/gap_passes.h"
#include "indicators/kernels/kernel.h"

typedef struct {
    const char *name;
    const fc_kernel *const *kernels; /* ends with NULL */
    int (*all_finite)(const double *x, ptrdiff_t n);
    const fc_gap_passes *gaps;
} fc_isa;

#define FC_MAX_ISAS 4

/* The runnable ones, best first; returns how many. */
int fc_isas(const fc_isa **found);
/* The runnable one of that name; the best one for NULL; NULL if there is none. */
const fc_isa *fc_isa_named(const char *name);
/* The one in use: the best, until another is chosen. */
const fc_isa *fc_isa_used(void);
void fc_isa_use(const fc_isa *isa);
const fc_kernel *fc_kernel_named(const fc_isa *isa, const char *name);
/* Whether n values are all finite. */
int fc_all_finite(const double *x, ptrdiff_t n);
int fc_par_count(const fc_kernel *kernel);
/* -1 if every parameter is one the kernel can run with, else the index of the first that is not. */
int fc_par_bad(const fc_kernel *kernel, const double *par);

#endif
