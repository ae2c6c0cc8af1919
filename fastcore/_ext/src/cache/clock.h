/* Whether time.monotonic is still the interpreter's: tests that freeze the time replace it, and caches follow them. */
#ifndef FASTCORE_CACHE_CLOCK_H
#define FASTCORE_CACHE_CLOCK_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "common/clock.h"

/* What stands under time.monotonic. */
typedef struct {
    PyObject *dict;      /* of the module time */
    PyObject *monotonic; /* as it was when the extension was loaded */
    uint64_t version;    /* of the dict when it was looked at; 0: never */
    int replaced;
} fc_time_module;

extern fc_time_module fc_time;

int fc_time_init(void);
int fc_time_look(void);

/* Whether time.monotonic is another function than the interpreter's, which the caches then follow. */
static inline int fc_time_replaced(void) {
#if PY_VERSION_HEX < 0x030C0000
    if (((PyDictObject *)fc_time.dict)->ma_version_tag == fc_time.version) {
        return fc_time.replaced;
    }
#endif
    return fc_time_look();
}

#endif
