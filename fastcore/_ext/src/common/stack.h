/* How much of the thread's stack is left, asked before code that can come back to us is called.
 *
 * The interpreter's own guards count calls, not bytes: since 3.12 calls from C do not count against
 * sys.setrecursionlimit, and before it the limit may be set higher than the stack is deep. */
#ifndef FASTCORE_COMMON_STACK_H
#define FASTCORE_COMMON_STACK_H

#include <Python.h>
#include <stdint.h>

#include "common/macros.h"

/* Addresses of this thread's stack from `start` on, `reserve` of them, are too low to call anything from. */
typedef struct {
    uintptr_t start;
    uintptr_t reserve; /* 0: not looked up yet */
} fc_stack_bounds;

extern FC_THREAD_LOCAL fc_stack_bounds fc_stack;

int fc_stack_check(uintptr_t here);

static inline uintptr_t fc_stack_here(void) {
#if defined(__GNUC__) || defined(__clang__)
    return (uintptr_t)__builtin_frame_address(0);
#else
    volatile char here = 0;
    return (uintptr_t)&here;
#endif
}

/* 0 where there is stack enough to call Python code; -1 with a RecursionError where there is not. */
static inline int fc_stack_guard(void) {
    const uintptr_t here = fc_stack_here();
    const fc_stack_bounds *bounds = &fc_stack;
    return here - bounds->start > bounds->reserve - 1 ? 0 : fc_stack_check(here);
}

/* A call that may run Python code, and NULL or -1 instead of it where the stack is used up. */
#define FC_GUARDED(call) (fc_stack_guard() < 0 ? NULL : (call))
#define FC_GUARDED_INT(call) (fc_stack_guard() < 0 ? -1 : (call))

#endif
