"""The compiled twin of message framing; the codec is C (framing_*.c)."""

from python_fallback.framing.decode import ExtraData, Incomplete
from python_fallback.framing.wsframe import frame_packed

cdef extern from "framing_codec.h":
    object fc_function(int which, object module_name)

packb = fc_function(0, __name__)
unpackb = fc_function(1, __name__)
frame = fc_function(2, __name__)
