"""The compiled twin of message framing; the codec is C (`src/framing/`)."""

import sys

cimport cython

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint8_t, uint64_t

from msgpack import BufferFull, ExtType, OutOfData
from python_fallback.shared.framing.columns import checked_names, checked_rows, choose
from python_fallback.shared.framing.checks import PACKING as _PACKING
from python_fallback.shared.framing.fanout import DATA as _data_kind, JOIN as _JOIN, Sent, FanoutRules
from python_fallback.shared.framing.websocket_frame import frame_packed


cdef extern from "common/stack.h":
    int fc_stack_guard() except -1

cdef extern from "framing/codec.h":
    ctypedef struct fc_pack_options:
        int max_depth
    ctypedef struct fc_unpack_options:
        int64_t max_array_len
        int64_t max_map_len
    ctypedef struct fc_walk:
        Py_ssize_t position
    const fc_pack_options fc_pack_defaults
    const fc_unpack_options fc_unpack_defaults
    int64_t FC_NO_LIMIT
    ctypedef struct fc_sending:
        int fd
        Py_ssize_t size
        Py_ssize_t sent
        const char *data
        void *client
        void *lines
    int FC_WALK_DONE
    object fc_function(int which, object module_name)
    int fc_int_option(const char *name, object value, int64_t low, int64_t high, int64_t *out) except -1
    int fc_pack_option(fc_pack_options *, object name, object value) except -1
    int fc_unpack_option(fc_unpack_options *, object name, object value) except -1
    int fc_unpack_options_done(fc_unpack_options *) except -1
    object fc_pack(object obj, const fc_pack_options *)
    object fc_pack_pairs(object pairs, const fc_pack_options *)
    object fc_header(int is_map, int64_t n)
    char *fc_head_array(char *, uint64_t n) noexcept
    char *fc_put_uint(char *, uint64_t) noexcept
    object fc_build_whole(const uint8_t *data, const uint8_t *end, const fc_unpack_options *)
    object fc_rows(
        object names, object values, object prefixes, object array_type, const fc_pack_options *, int nan_as_none,
        int framed
    )
    void fc_walk_init(fc_walk *, int64_t limit)
    void fc_send_all(fc_sending *, Py_ssize_t n) noexcept nogil
    int fc_walk_on(fc_walk *, const fc_unpack_options *, const uint8_t *data, Py_ssize_t size) except -1


packb = fc_function(0, __name__)
unpackb = fc_function(1, __name__)
frame = fc_function(2, __name__)


def message_size(data, **options):
    cdef fc_unpack_options made = fc_unpack_defaults
    cdef fc_walk walk
    for name, value in options.items():
        if not fc_unpack_option(&made, name, value):
            raise TypeError(f"message_size() got an unexpected keyword argument '{name}'")
    fc_unpack_options_done(&made)
    message = as_bytes("data", data)
    fc_walk_init(&walk, -1)
    fc_walk_on(&walk, &made, <const uint8_t *>PyBytes_AS_STRING(message), len(message))
    return walk.position


cdef int _DATA = _data_kind

include "src/framing/fanout.pxi"
include "src/framing/rows.pxi"
include "src/framing/streams.pxi"
