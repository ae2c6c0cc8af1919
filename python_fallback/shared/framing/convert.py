"""Conversion of types that msgpack lacks: datetime, Decimal, numpy. Cold paths of both twins."""

from __future__ import annotations

import datetime as dt
import decimal
import sys
from typing import Any

import msgpack

__all__ = ["convert", "convert_rest"]

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_INSTEAD = {"DataFrame": "; RowPacker packs its rows", "Series": "; give its to_list()"}
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def convert(obj: Any, datetimes: bool, decimals: str | None, numpy_too: bool) -> Any:
    """Return what is packed in place of `obj`, or NotImplemented where the options have nothing to say."""
    kind = type(obj)
    if datetimes and issubclass(kind, dt.datetime) and obj.tzinfo is not None:
        return aware_datetime(obj)
    if decimals and issubclass(kind, decimal.Decimal):
        return decimal.Decimal.__str__(obj) if decimals == "str" else decimal.Decimal.__float__(obj)
    numpy = sys.modules.get("numpy") if numpy_too else None  # an array cannot be there before numpy is
    if numpy is not None:
        if issubclass(kind, numpy.ndarray):
            return array(obj)
        if issubclass(kind, numpy.generic):
            return scalar(numpy, obj)
    return NotImplemented


def convert_rest(obj: Any, datetimes: bool, numpy_too: bool) -> Any:
    """Return what is packed in place of `obj` where the caller's `default` does not take it; raise for all else."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and ((datetimes and obj is pandas.NaT) or (numpy_too and obj is pandas.NA)):
        return None
    if datetimes and issubclass(type(obj), dt.date) and not issubclass(type(obj), dt.datetime):
        return msgpack.Timestamp((dt.date.toordinal(obj) - EPOCH.toordinal()) * 86400)
    raise refusal(obj, datetimes)


def refusal(obj: Any, datetimes: bool) -> Exception:
    """The error that says why `obj` cannot be packed."""
    kind = type(obj)
    if datetimes and issubclass(kind, dt.datetime):
        return ValueError(f"obj: expected a datetime with tzinfo, got {dt.datetime.isoformat(obj)}")
    if issubclass(kind, int) and not -(2**63) <= int.__index__(obj) < 2**64:
        return OverflowError("obj: expected an int in -2**63..2**64-1, got one beyond")
    hint = _INSTEAD.get(kind.__name__, "") if kind.__module__.partition(".")[0] in ("pandas", "polars") else ""
    return TypeError(f"obj: expected a type that msgpack has, got {kind.__name__}{hint}")


def aware_datetime(obj: dt.datetime) -> msgpack.Timestamp:
    """A datetime with a time zone; the nanoseconds of a pandas Timestamp are kept."""
    delta = obj - EPOCH
    extra = getattr(obj, "nanosecond", 0)
    return msgpack.Timestamp(delta.days * 86400 + delta.seconds, delta.microseconds * 1000 + extra)


def array(obj: Any) -> Any:
    """A numpy array as nested lists of what `convert` and msgpack know."""
    if obj.ndim == 0:
        return scalar_of(sys.modules["numpy"], obj)
    if obj.dtype.kind in "Mm" or obj.dtype.char in "gG":  # tolist() would make datetimes, or leave long doubles
        return list(obj)
    return obj.tolist()


def scalar_of(numpy: Any, obj: Any) -> Any:
    """What an array without dimensions holds, which a masked constant would give as itself."""
    masked = isinstance(obj, numpy.ma.MaskedArray)
    return None if masked and numpy.ma.getmaskarray(obj) else numpy.asarray(obj)[()]


def scalar(numpy: Any, obj: Any) -> Any:
    """The builtin value of a numpy scalar; NotImplemented where msgpack has no type for it."""
    kind = obj.dtype.kind
    if kind == "M":
        return datetime64(numpy, obj)
    if kind == "f":
        return float(obj)
    if kind == "m" and numpy.isnat(obj):
        return None
    return obj.item() if kind in "biuSU" else NotImplemented


def datetime64(numpy: Any, obj: Any) -> Any:
    """A datetime64 as a msgpack Timestamp; NaT is None."""
    if numpy.isnat(obj):
        return None
    unit, step = numpy.datetime_data(obj.dtype)
    if unit not in PER_SECOND:
        obj, unit, step = obj.astype("M8[s]"), "s", 1
    seconds, rest = divmod(int(obj.astype("i8")) * step, PER_SECOND[unit])
    return msgpack.Timestamp(seconds, rest * (10**9 // PER_SECOND[unit]))
