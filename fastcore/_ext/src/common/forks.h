#ifndef FASTCORE_COMMON_FORKS_H
#define FASTCORE_COMMON_FORKS_H

#include <Python.h>

/* Has the module's function of that name called in every forked child, where the system has forks. 0, or -1. */
int fc_follow_forks(PyObject *module, const char *function);

#endif
