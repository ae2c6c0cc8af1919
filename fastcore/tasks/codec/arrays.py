"""The kinds of numpy: arrays, scalars, dtypes, which are read by a grammar; data must be as long as the shape says."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import numpy as np

from fastcore.tasks.codec.errors import CodecError, Unserializable
from fastcore.tasks.codec.serializer import FINDERS, Decoder, Encoder, Kind, register

__all__ = ["dtype_from", "dtype_of"]

_SIMPLE = re.compile(r"[<>|=]?[biufcSUVmM]\d{1,9}(\[\d{0,9}[a-zA-Z]{1,8}\])?|[<>|=]?[mM]8|O")


# ---- dtypes ----


def dtype_of(dtype: np.dtype[Any]) -> Any:
    """Return what stands for a dtype."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return ["sub", dtype_of(base), list(shape)]
    if dtype.fields is not None and dtype.names is not None:
        fields = [dtype.fields[name] for name in dtype.names]
        titles = [field[2] if len(field) > 2 else None for field in fields]
        formats = [dtype_of(field[0]) for field in fields]
        offsets = [int(field[1]) for field in fields]
        return ["fields", list(dtype.names), formats, offsets, dtype.itemsize, dtype.isalignedstruct, titles]
    if dtype.kind not in "biufcSUVmMO":
        raise Unserializable(f"expected a dtype that can be stored, got {dtype}")
    return dtype.str if dtype.kind != "O" else "O"


def dtype_from(said: Any, *, objects: bool = False) -> np.dtype[Any]:
    """Return the dtype that was meant; one that holds pointers only if `objects`."""
    if isinstance(said, str):
        if not _SIMPLE.fullmatch(said) or (said == "O" and not objects):
            raise CodecError(f"dtype: expected one of plain data, got {said!r:.60}")
        return np.dtype(said)
    match said:
        case ["sub", base, list(shape)]:
            return np.dtype((dtype_from(base), tuple(shape)))
        case ["fields", list(names), list(formats), list(offsets), int(itemsize), bool(align), list(titles)]:
            kinds = [dtype_from(one) for one in formats]
            fields: Any = {"names": names, "formats": kinds, "offsets": offsets, "itemsize": itemsize, "titles": titles}
            made: np.dtype[Any] = np.dtype(fields, align=align)
            return made
    raise CodecError(f"dtype: expected one of plain data, got {type(said).__name__}")


# ---- arrays ----


def _array(a: np.ndarray[Any, Any], encoder: Encoder) -> list[Any]:
    shape = list(a.shape)
    if a.dtype.kind == "O":
        return ["O", shape, "C", encoder.objects(a.ravel().tolist())]
    if a.dtype.hasobject or (a.dtype.itemsize == 0 and a.size > 1):
        raise Unserializable(f"expected an array of plain data, got dtype {a.dtype}")
    order: Literal["F", "C"] = "F" if a.flags.f_contiguous and not a.flags.c_contiguous else "C"
    flat = a.reshape((-1,), order=order)  # a view unless it has gaps
    even = flat.strides == (a.dtype.itemsize,)  # a single element may have any stride
    data = flat.view(np.uint8).data if flat.nbytes and even else flat.tobytes()
    return [dtype_of(a.dtype), shape, order, encoder.data(data)]


def _to_array(p: list[Any], decoder: Decoder) -> np.ndarray[Any, Any]:
    said, shape, order, reference = p
    dtype = dtype_from(said, objects=True)
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise CodecError("shape: expected lengths, got something else")
    if order not in ("C", "F"):
        raise CodecError(f"order: expected C or F, got {order!r:.20}")
    size = math.prod(shape)
    if dtype.kind == "O":
        values = decoder.objects(reference)
        if len(values) != size:
            raise CodecError(f"array: expected {size} objects, got {len(values)}")
        flat = np.fromiter(values, object, size)
        return flat.reshape(shape, order=order)
    data = decoder.data(reference)
    if len(data) != size * dtype.itemsize or (dtype.itemsize == 0 and size > 1):
        raise CodecError(f"array: expected {size} of {dtype.itemsize} bytes, got {len(data)} bytes")
    # A copy, so that it is aligned and may be written to, as the array was that was given.
    return np.ndarray(shape, dtype, bytearray(data), order=order)


# ---- scalars ----


def _scalar(v: np.generic, encoder: Encoder) -> list[Any]:
    if isinstance(v, np.str_):
        return [None, str(v)]
    if isinstance(v, np.bytes_):
        return [None, bytes(v)]  # an array would lose zeros at its end
    if v.dtype.hasobject:
        raise Unserializable(f"expected a scalar of plain data, got dtype {v.dtype}")
    return [dtype_of(v.dtype), np.asarray(v).tobytes()]


def _to_scalar(p: list[Any], _: Decoder) -> Any:
    said, data = p
    if said is None:
        return np.str_(data) if isinstance(data, str) else np.bytes_(data)
    dtype = dtype_from(said)
    if len(data) != dtype.itemsize:
        raise CodecError(f"scalar: expected {dtype.itemsize} bytes, got {len(data)}")
    return np.ndarray((), dtype, bytearray(data))[()]


SCALAR = Kind(33, _scalar, _to_scalar)
register(Kind(32, _array, _to_array), np.ndarray, np.memmap)
register(SCALAR)
_dtype = Kind(34, lambda v, _: dtype_of(v), lambda p, _: dtype_from(p, objects=True))
register(_dtype)


def _find(cls: type) -> Kind | None:
    if issubclass(cls, np.generic):
        return SCALAR
    return _dtype if issubclass(cls, np.dtype) else None


FINDERS.append(_find)
