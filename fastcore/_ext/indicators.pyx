"""The compiled twin of the indicators: kernels in C behind a calling convention of their own.

Arrays are expected as `fastcore.indicators.coerce` makes them; a function hands every other call to its `bind`.
"""

import os

from numpy import empty, frombuffer

cimport cython
cimport numpy as cnp
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.pythread cimport (
    NOWAIT_LOCK,
    WAIT_LOCK,
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_release_lock,
    PyThread_type_lock,
)
from libc.math cimport NAN
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

cnp.import_array()


cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX


cdef extern from "indicators/kernels/kernel.h":
    enum: FC_MAX_IN
    enum: FC_MAX_OUT
    enum: FC_STATE_VERSION


cdef extern from "indicators/cpu.h":
    ctypedef struct fc_isa:
        const char *name

    int fc_isas(const fc_isa **found)
    const fc_isa *fc_isa_named(const char *name)
    const fc_isa *fc_isa_used()
    void fc_isa_use(const fc_isa *isa)


cdef extern from "indicators/program.h":
    ctypedef struct fc_program:
        const char *name
        int n_in
        int n_out
        size_t size

    void fc_program_init(const fc_program *program, void *state) noexcept nogil
    int fc_program_valid(const fc_program *program, const void *state) noexcept nogil
    void fc_program_run(const fc_program *program, void *state, const double *const *inputs, double *const *out,
                        Py_ssize_t n) noexcept nogil
    void fc_program_many(const fc_program *program, char *states, size_t stride, const int64_t *at,
                         const double *const *inputs, double *const *out, Py_ssize_t n) noexcept nogil


cdef extern from "indicators/program_object.h":
    object fc_program_of(const fc_isa *isa, object source, object params)
    const fc_program *fc_program_in(object holder) except NULL
    tuple fc_floats(object params)


cdef extern from "indicators/function.h":
    int fc_function_ready() except -1
    object fc_function_new(object source, object name, object inputs, object params, object result_type, object bind)
    object fc_compute(object holder, object arrays, int threads)
    bint fc_is_plain(object array)


cdef extern from "indicators/live.h":
    object fc_live_ready()


include "src/indicators/board.pxi"

fc_function_ready()
Live = fc_live_ready()


def isas():
    cdef const fc_isa *found
    cdef int n = fc_isas(&found)
    return tuple(found[i].name.decode() for i in range(n))


cdef const fc_isa *isa_called(name) except NULL:
    cdef const fc_isa *found = NULL
    if isinstance(name, str):
        encoded = name.encode("utf-8", "replace")
        found = fc_isa_named(encoded)
    if found == NULL:
        raise ValueError(f"isa: expected one of {', '.join(isas())}, got {name!r}")
    return found


def isa():
    return fc_isa_used().name.decode()


def function(source, inputs, params, result_type, bind):
    name = source if isinstance(source, str) else getattr(source, "__name__", None)
    return fc_function_new(source, name, inputs, params, result_type, bind)


def batch(source, params, arrays, threads=0, isa=None):
    cdef int wanted = threads
    return fc_compute(fc_program_of(fc_isa_used() if isa is None else isa_called(isa), source, params), arrays, wanted)


if _word := os.environ.get("FASTCORE_ISA"):
    try:
        fc_isa_use(isa_called(_word))
    except ValueError as error:
        raise ImportError(f"FASTCORE_ISA: {str(error).removeprefix('isa: ')}") from None
