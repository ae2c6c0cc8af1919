"""The compiled twin of the indicators: kernels in C behind a calling convention of their own.

Arrays are expected as `fastcore.indicators.coerce` makes them; a function hands every other call to its `bind`.
"""

import os

from numpy import array, empty, frombuffer

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


cdef extern from "indicators/across.h":
    enum: FC_SYMBOLS

    ctypedef struct fc_across:
        pass

    ctypedef struct fc_tile:
        Py_ssize_t n
        size_t size
        char *arena

    int fc_tile_valid(const fc_across *across, const fc_tile *tile)


cdef extern from "indicators/merge.h":
    ctypedef struct fc_part:
        const fc_program *program
        const int *columns
        int group

    ctypedef struct fc_merged:
        int *output


cdef extern from "indicators/plan.h":
    ctypedef struct fc_indicator:
        const fc_program *alone
        const fc_program *operators
        const int *columns

    ctypedef struct fc_plan:
        int n
        int n_out
        int *output

    fc_plan *fc_plan_new(const fc_indicator *indicators, int n) noexcept
    void fc_plan_free(fc_plan *plan) noexcept


cdef extern from "indicators/batch.h":
    int fc_plan_panel(const fc_plan *plan, const double **columns, int n_columns, double **out, Py_ssize_t rows,
                      Py_ssize_t bars, int threads) noexcept nogil


cdef extern from "indicators/board.h":
    ctypedef struct fc_board:
        int n_parts
        int n_out
        fc_part *parts
        fc_merged *merged
        fc_across *across
        Py_ssize_t n_tiles
        fc_tile *tiles
        double **out

    fc_board *fc_board_new(const fc_part *parts, int n_parts, int n_columns) noexcept
    void fc_board_free(fc_board *board) noexcept
    int fc_board_add(fc_board *board, Py_ssize_t n) noexcept
    fc_board *fc_board_copy(const fc_board *board) noexcept
    void fc_board_tick(fc_board *board, const int64_t *at, Py_ssize_t n, const double **columns) noexcept nogil
    int fc_board_history(fc_board *board, const int64_t *at, Py_ssize_t first, Py_ssize_t n, Py_ssize_t bars,
                         const double *const *columns) noexcept nogil
    int fc_board_reset(fc_board *board, const int64_t *at, Py_ssize_t n, const unsigned char *chosen) noexcept


cdef extern from "indicators/program_object.h":
    object fc_program_of(const fc_isa *isa, object source, object params)
    object fc_operators_of(object source, object params)
    const fc_program *fc_program_in(object holder) except NULL
    tuple fc_floats(object params)


cdef extern from "indicators/function.h":
    int fc_function_ready() except -1
    object fc_function_new(object source, object name, object inputs, object params, object result_type, object bind)
    object fc_compute(object holder, object arrays, int threads)
    bint fc_is_plain(object array)
    bint fc_is_own(object array, object like)
    object fc_new_array(int nd, Py_ssize_t *dims)


cdef extern from "indicators/live.h":
    object fc_live_ready()


include "src/indicators/board.pxi"
include "src/indicators/plan.pxi"

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
