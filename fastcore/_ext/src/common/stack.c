#define _GNU_SOURCE
#include "common/stack.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <pthread.h>
#if defined(__linux__)
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

/* What is kept for the code that is called last and for raising the error; a quarter of a small stack. */
#define RESERVE ((uintptr_t)192 * 1024)

/* A stack that may grow without limit is used as deep as this. */
#define DEEPEST ((uintptr_t)256 << 20)

FC_THREAD_LOCAL fc_stack_bounds fc_stack;

/* The lowest address of this thread's stack and its size; 0 where the system does not tell. */
static int find_stack(uintptr_t *low, uintptr_t *size) {
#if defined(_WIN32)
    ULONG_PTR bottom, top;
    GetCurrentThreadStackLimits(&bottom, &top);
    *low = (uintptr_t)bottom;
    *size = (uintptr_t)(top - bottom);
    return 1;
#elif defined(__APPLE__)
    const pthread_t self = pthread_self();
    *size = (uintptr_t)pthread_get_stacksize_np(self);
    *low = (uintptr_t)pthread_get_stackaddr_np(self) - *size; /* it gives the other end */
    return 1;
#elif defined(__linux__)
    pthread_attr_t attributes;
    void *address;
    size_t length, guard = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return 0;
    }
    const int found = pthread_attr_getstack(&attributes, &address, &length) == 0;
    (void)pthread_attr_getguardsize(&attributes, &guard); /* before glibc 2.27 it is part of the stack */
    pthread_attr_destroy(&attributes);
    if (!found || length <= guard) {
        return 0;
    }
    *low = (uintptr_t)address + guard;
    *size = length - guard;
#if !defined(__GLIBC__)
    struct rlimit limit; /* musl says how much of the main thread's stack is in use already, not how much may be */
    if (getpid() == (pid_t)syscall(SYS_gettid) && getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur > *size) {
        const uintptr_t most = limit.rlim_cur > DEEPEST ? DEEPEST : (uintptr_t)limit.rlim_cur;
        *low = *low + *size - most;
        *size = most;
    }
#endif
    return 1;
#else
    (void)low, (void)size;
    return 0;
#endif
}

int fc_stack_check(uintptr_t here) {
    uintptr_t low, size;
    if (fc_stack.reserve == 0) {
        if (find_stack(&low, &size) && here - low < size) {
            fc_stack.start = size > DEEPEST ? low + (size - DEEPEST) : low;
            fc_stack.reserve = size / 4 < RESERVE ? size / 4 : RESERVE;
        } else { /* a stack that the system does not know of */
            fc_stack.start = UINTPTR_MAX;
            fc_stack.reserve = 1;
        }
        if (here - fc_stack.start > fc_stack.reserve - 1) {
            return 0;
        }
    }
    PyErr_SetString(PyExc_RecursionError, "maximum recursion depth exceeded: the stack of this thread is used up");
    return -1;
}
