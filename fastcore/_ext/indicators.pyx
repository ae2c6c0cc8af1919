"""The compiled twin of the indicators: kernels in C behind a calling convention of their own.

Arrays are expected as `fastcore.indicators.coerce` makes them; a function hands every other call to its `bind`.
"""

import os

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy


cdef extern from "kernels/kernel.h":
    enum: FC_MAX_IN
    enum: FC_MAX_OUT
    enum: FC_MAX_PAR

    ctypedef struct fc_kernel:
        const char *name
        int n_in
        int n_out


cdef extern from "cpu.h":
    ctypedef struct fc_isa:
        const char *name

    int fc_isas(const fc_isa **found) nogil
    const fc_isa *fc_isa_named(const char *name) nogil
    const fc_kernel *fc_kernel_named(const fc_isa *isa, const char *name) nogil
    int fc_par_count(const fc_kernel *kernel) nogil
    int fc_par_bad(const fc_kernel *kernel, const double *par) nogil


cdef extern from "function.h":
    int fc_function_ready() except -1
    object fc_function_new(const fc_kernel *kernel, object name, object inputs, object params, object result_type,
                           object bind)
    object fc_compute(const fc_kernel *kernel, const double *par, object arrays, int threads)


fc_function_ready()


def isas():
    cdef const fc_isa *found
    cdef int n = fc_isas(&found)
    return tuple(found[i].name.decode() for i in range(n))


cdef const fc_isa *choose(name) except NULL:
    cdef const fc_isa *found = NULL
    if name is None:
        return _isa
    if isinstance(name, str):
        encoded = name.encode("utf-8", "replace")
        found = fc_isa_named(encoded)
    if found == NULL:
        raise ValueError(f"isa: expected one of {', '.join(isas())}, got {name!r}")
    return found


cdef const fc_isa *from_environment() except NULL:
    cdef const fc_isa *found
    word = os.environ.get("FASTCORE_ISA", "")
    name = word.encode("utf-8", "replace")
    found = fc_isa_named(name) if name else fc_isa_named(NULL)
    if found == NULL:
        raise ImportError(f"FASTCORE_ISA: expected one of {', '.join(isas())}, got {word!r}")
    return found


cdef const fc_isa *_isa = from_environment()


def isa():
    return _isa.name.decode()


cdef const fc_kernel *kernel_of(name, const fc_isa *among) except NULL:
    cdef const fc_kernel *found = NULL
    if isinstance(name, str):
        encoded = name.encode("utf-8", "replace")
        found = fc_kernel_named(among, encoded)
    if found == NULL:
        raise ValueError(f"name: expected the name of an indicator, got {name!r}")
    return found


cdef int take_params(const fc_kernel *kernel, params, double *into) except -1:
    cdef int count = fc_par_count(kernel), bad
    values = tuple(params)
    if len(values) != count:
        raise ValueError(f"params: expected {count} numbers for {kernel.name.decode()}, got {params!r}")
    for j in range(count):
        into[j] = values[j]
    bad = fc_par_bad(kernel, into)
    if bad >= 0:
        raise ValueError(f"params: {kernel.name.decode()} cannot run with {values[bad]!r} at {bad}")
    return 0


def function(name, inputs, params, result_type, bind):
    return fc_function_new(kernel_of(name, _isa), name, inputs, params, result_type, bind)


def batch(name, params, arrays, threads=0, isa=None):
    cdef double par[FC_MAX_PAR]
    cdef const fc_kernel *kernel = kernel_of(name, choose(isa))
    cdef int wanted = threads
    take_params(kernel, params, par)
    return fc_compute(kernel, par, arrays, wanted)
