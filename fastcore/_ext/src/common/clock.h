/* The clock of a cache: monotonic seconds, never wall time. */
#ifndef FASTCORE_COMMON_CLOCK_H
#define FASTCORE_COMMON_CLOCK_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

/* `fine` is 0 where a few milliseconds do not matter: a coarse reading costs a quarter of a fine one. */
double fc_clock(int fine);

/* What stands under time.monotonic: tests that freeze the time put something else there. */
typedef struct {
    PyObject *dict; /* of the module time */
    PyObject *monotonic; /* as it was when the extension was loaded */
    uint64_t version; /* of the dict when it was looked at; 0: never */
    int replaced;
} fc_time_module;

extern fc_time_module fc_time;

int fc_clock_init(void);
int fc_clock_look(void);

/* Whether time.monotonic is another function than the interpreter's, which the caches then follow. */
static inline int fc_clock_replaced(void) {
#if PY_VERSION_HEX < 0x030C0000
    if (((PyDictObject *)fc_time.dict)->ma_version_tag == fc_time.version) {
        return fc_time.replaced;
    }
#endif
    return fc_clock_look();
}

#endif
