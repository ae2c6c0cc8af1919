"""The bytes that represent Python objects: by value, never by ``repr``, an address or the order of a hash table."""

from __future__ import annotations

import enum
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from fastcore.cache.keys.content import NoContent, Update, digest_of, encode_with, hasher
from fastcore.cache.libraries import record_state

__all__ = ["encode", "feed_cells", "name_of", "state_of", "write_attributes"]

_CHUNK = 1 << 16  # cells that are encoded at a time


def encode(*items: Any) -> bytes:
    """Return the bytes of `items`.

    Raises
    ------
    NoContent
        If one of them is, or holds, what has no content.
    """
    return encode_with(list(items), _encode_other)


def feed_cells(cells: Any, update: Update, unit: str = "row") -> None:
    """Feed a list, or an array of objects with one dimension; `unit` is what an error calls the place of one."""
    for start in range(0, len(cells), _CHUNK):
        chunk = cells[start : start + _CHUNK]
        if not isinstance(chunk, list):
            chunk = chunk.tolist()
        try:
            update(encode_with(chunk, _encode_other))
        except NoContent as error:
            error.locate((f"{unit} {position}", item) for position, item in enumerate(chunk, start))
            raise


def name_of(kind: type) -> bytes:
    """Return the bytes that identify a class."""
    return encode(kind.__module__, kind.__qualname__)


def state_of(value: Any, besides: Iterable[str] = ()) -> bytes:
    """Return the bytes of an object's own attributes, but for those that are named."""
    state: Any = object.__getstate__(value)
    named, slots = state if isinstance(state, tuple) else (state, None)
    attributes = {**(named or {}), **(slots or {})}
    for name in besides:
        attributes.pop(name, None)
    return write_attributes(type(value), attributes)


def write_attributes(kind: type, attributes: dict[str, Any]) -> bytes:
    """Return the bytes of the attributes that an object of `kind` has."""
    try:
        return encode(len(attributes)) + b"".join(
            _digest(encode(name, item)) for name, item in sorted(attributes.items())
        )
    except NoContent as error:
        error.locate((f"attribute {name!r} of a {kind.__name__}", item) for name, item in attributes.items())
        raise


def _encode_other(value: Any) -> bytes:
    try:
        digest = digest_of(value)
        if digest is not None:
            return b"c" + digest
        kind = type(value)
        writer = _writers.get(kind)
        if writer is None:
            writer = _writers[kind] = _writer_of(kind)
        return writer(value)
    except NoContent as error:
        error.item = value
        raise


Writer = Callable[[Any], bytes]
_writers: weakref.WeakKeyDictionary[type, Writer] = weakref.WeakKeyDictionary()


class _Kind(NamedTuple):
    tag: bytes
    write: Writer
    state: bool = True  # whether an object of a subclass may have attributes that count


def _writer_of(kind: type) -> Writer:
    if issubclass(kind, enum.Enum):
        return lambda value: b"E" + name_of(kind) + encode(value._name_ if value._name_ is not None else value._value_)
    for base in kind.__mro__:
        found = _KINDS.get((base.__module__.partition(".")[0], base.__name__))
        if found is not None:
            tag, write, has_state = found
            if kind is base:
                return lambda value: tag + write(value)
            named = b"k" + name_of(kind)
            if has_state:
                return lambda value: named + state_of(value) + tag + write(value)
            return lambda value: named + tag + write(value)
    return _write_record


def _write_record(value: Any) -> bytes:
    """Write a dataclass or the like by its fields, an object of a plain class by its attributes."""
    kind = type(value)
    state = record_state(value)
    if state is None:
        state = _plain_state(value)
    return b"R" + name_of(kind) + write_attributes(kind, state)


def _plain_state(value: Any) -> dict[str, Any]:
    kind = type(value)
    plain = all(
        getattr(kind, name) is getattr(object, name) for name in ("__reduce__", "__reduce_ex__", "__getstate__")
    )
    if not plain or hasattr(kind, "__getnewargs__") or hasattr(kind, "__getnewargs_ex__"):
        raise NoContent(value)
    try:
        state = object.__reduce_ex__(value, 2)[2]  # a TypeError where there is more than attributes
    except TypeError:
        raise NoContent(value) from None
    named, slots = state if isinstance(state, tuple) else (state, None)
    attributes = {**(named or {}), **(slots or {})}
    if not attributes:  # nothing but its identity
        raise NoContent(value)
    return attributes


# ---- containers ----


def _write_sequence(value: Any) -> bytes:
    items = list(value)
    try:
        return encode(len(items)) + encode_with(items, _encode_other)
    except NoContent as error:
        error.locate((f"item {position} of a {type(value).__name__}", item) for position, item in enumerate(items))
        raise


def _digest(data: bytes) -> bytes:
    digest: bytes = hasher()(data).digest()
    return digest


def _write_mapping(value: Any) -> bytes:
    try:
        return encode(len(value)) + b"".join(sorted(_digest(encode(key, item)) for key, item in value.items()))
    except NoContent as error:
        error.locate((f"item {key!r} of a {type(value).__name__}", item) for key, item in value.items())
        raise


def _write_set(value: Any) -> bytes:
    return encode(len(value)) + b"".join(sorted(_digest(encode(item)) for item in value))


# ---- numbers, times and names ----


def _write_view(value: Any) -> bytes:
    return encode(value.format, value.shape, value.tobytes())


def _write_datetime(value: Any) -> bytes:
    parts = value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond
    return encode(*parts, value.fold, value.tzinfo)


def _write_zone(value: Any) -> bytes:
    if value.key is None:
        raise NoContent(value)
    return encode(value.key)


def _write_global(value: Any) -> bytes:
    """Stand for a class or function by the name under which its module has it."""
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is not value:
        raise NoContent(value)
    return encode(value.__module__, value.__qualname__)


def _write_numpy_scalar(value: Any) -> bytes:
    import numpy as np

    return digest_of(np.asarray(value)) or b""


def _write_timestamp(value: Any) -> bytes:
    return encode(str(value.asm8.dtype), int(value.asm8.astype("i8")), getattr(value, "tzinfo", None))


_KINDS: dict[tuple[str, str], _Kind] = {
    ("builtins", "int"): _Kind(b"I", lambda value: encode(hex(int.__index__(value)))),
    ("builtins", "float"): _Kind(b"D", lambda value: encode(float.__float__(value))),
    ("builtins", "complex"): _Kind(b"j", lambda value: encode(value.real, value.imag)),
    ("builtins", "str"): _Kind(b"S", lambda value: encode(str.__str__(value))),
    ("builtins", "bytes"): _Kind(b"B", lambda value: encode(bytes(memoryview(value)))),
    ("builtins", "bytearray"): _Kind(b"a", lambda value: encode(bytes(value))),
    ("builtins", "memoryview"): _Kind(b"v", _write_view),
    ("builtins", "tuple"): _Kind(b"u", _write_sequence),
    ("builtins", "list"): _Kind(b"l", _write_sequence),
    ("builtins", "dict"): _Kind(b"m", _write_mapping),
    ("builtins", "set"): _Kind(b"h", _write_set),
    ("builtins", "frozenset"): _Kind(b"z", _write_set),
    ("builtins", "range"): _Kind(b"g", lambda value: encode(value.start, value.stop, value.step)),
    ("builtins", "slice"): _Kind(b"y", lambda value: encode(value.start, value.stop, value.step)),
    ("builtins", "ellipsis"): _Kind(b"e", lambda value: b""),
    ("builtins", "mappingproxy"): _Kind(b"m", _write_mapping),
    ("types", "SimpleNamespace"): _Kind(b"J", lambda value: _write_mapping(vars(value))),
    ("re", "Pattern"): _Kind(b"X", lambda value: encode(value.pattern, value.flags)),
    ("builtins", "type"): _Kind(b"T", _write_global, state=False),
    ("builtins", "function"): _Kind(b"F", _write_global),
    ("builtins", "builtin_function_or_method"): _Kind(b"F", _write_global),
    ("collections", "OrderedDict"): _Kind(b"o", lambda value: _write_sequence(value.items())),
    ("collections", "deque"): _Kind(b"q", lambda value: encode(value.maxlen) + _write_sequence(value)),
    ("array", "array"): _Kind(b"A", lambda value: encode(value.typecode, value.tobytes())),
    ("decimal", "Decimal"): _Kind(b"Q", lambda value: encode(str(value))),
    ("fractions", "Fraction"): _Kind(b"r", lambda value: encode(value.numerator, value.denominator)),
    ("datetime", "datetime"): _Kind(b"w", _write_datetime),
    ("datetime", "date"): _Kind(b"x", lambda value: encode(value.year, value.month, value.day)),
    ("datetime", "time"): _Kind(
        b"p",
        lambda value: encode(value.hour, value.minute, value.second, value.microsecond, value.fold, value.tzinfo),
    ),
    ("datetime", "timedelta"): _Kind(b"L", lambda value: encode(value.days, value.seconds, value.microseconds)),
    ("datetime", "timezone"): _Kind(b"Z", lambda value: encode(value.utcoffset(None), value.tzname(None))),
    ("zoneinfo", "ZoneInfo"): _Kind(b"Z", _write_zone),
    ("pytz", "BaseTzInfo"): _Kind(b"Z", lambda value: encode(value.zone), state=False),
    ("pytz", "_FixedOffset"): _Kind(b"Z", lambda value: encode(value.utcoffset(None)), state=False),
    ("dateutil", "_tzinfo"): _Kind(b"Z", lambda value: encode(repr(value)), state=False),
    ("uuid", "UUID"): _Kind(b"U", lambda value: encode(value.bytes)),
    ("pathlib", "PurePath"): _Kind(b"P", lambda value: encode(str(value)), state=False),
    **{
        ("ipaddress", f"IPv{version}{kind}"): _Kind(b"N", lambda value: encode(str(value)))
        for version in (4, 6)
        for kind in ("Address", "Network", "Interface")
    },
    ("numpy", "generic"): _Kind(b"G", _write_numpy_scalar),
    ("numpy", "dtype"): _Kind(b"V", lambda value: encode(str(value)), state=False),
    ("pandas", "Timestamp"): _Kind(b"W", _write_timestamp),
    ("pandas", "Timedelta"): _Kind(b"M", _write_timestamp),
    ("pandas", "Period"): _Kind(b"O", lambda value: encode(value.ordinal, value.freqstr)),
    ("pandas", "Interval"): _Kind(b"Y", lambda value: encode(value.left, value.right, value.closed)),
    ("pandas", "NaTType"): _Kind(b"!", lambda value: b""),
    ("pandas", "NAType"): _Kind(b"?", lambda value: b""),
}
