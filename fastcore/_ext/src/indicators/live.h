/* An indicator that takes one bar at a time. */
#ifndef FASTCORE_INDICATORS_LIVE_H
#define FASTCORE_INDICATORS_LIVE_H

#include <Python.h>

/* Imports numpy and readies the type; a borrowed reference to it, or NULL with an exception set. */
PyObject *fc_live_ready(void);

#endif
