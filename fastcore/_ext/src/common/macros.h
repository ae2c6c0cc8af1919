/* What compilers spell differently, and the casts that CPython's tables need. */
#ifndef FASTCORE_COMMON_MACROS_H
#define FASTCORE_COMMON_MACROS_H

#if defined(__GNUC__) || defined(__clang__)
#define FC_LIKELY(x) __builtin_expect(!!(x), 1)
#define FC_UNLIKELY(x) __builtin_expect(!!(x), 0)
#if defined(FC_PLAIN) /* small rather than fast */
#define FC_INLINE static inline __attribute__((unused))
#else
#define FC_INLINE static inline __attribute__((always_inline, unused))
#endif
#define FC_NOINLINE __attribute__((noinline))
#define FC_COLD __attribute__((noinline, cold))
#define FC_PREFETCH(address) __builtin_prefetch(address)
#define FC_PREFETCH_TO_WRITE(address) __builtin_prefetch((address), 1)
#else
#define FC_LIKELY(x) (x)
#define FC_UNLIKELY(x) (x)
#if defined(_MSC_VER)
#define FC_INLINE static __forceinline
#define FC_NOINLINE __declspec(noinline)
#else
#define FC_INLINE static inline
#define FC_NOINLINE
#endif
#define FC_COLD FC_NOINLINE
#define FC_PREFETCH(address) ((void)(address))
#define FC_PREFETCH_TO_WRITE(address) ((void)(address))
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define FC_THREAD_LOCAL __declspec(thread)
#else
#define FC_THREAD_LOCAL _Thread_local
#endif

/* Before a loop whose rounds do not touch each other's data, however its pointers look. */
#if defined(__clang__)
#define FC_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define FC_INDEPENDENT _Pragma("GCC ivdep")
#elif defined(_MSC_VER)
#define FC_INDEPENDENT __pragma(loop(ivdep))
#else
#define FC_INDEPENDENT
#endif

/* For a PyMethodDef: a function of any calling convention, and the flags of one that takes keywords. */
#define FC_METHOD(function) ((PyCFunction)(void (*)(void))(function))
#define FC_KEYWORDS (METH_FASTCALL | METH_KEYWORDS)

#endif
