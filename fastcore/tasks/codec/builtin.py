"""The kinds of the standard library. A class is looked up among the modules that are loaded, and nowhere else."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import functools
import keyword
import pathlib
import sys
import types
import uuid
import zoneinfo
from decimal import Decimal
from typing import Any

from fastcore.tasks.codec.errors import CodecError, Unserializable
from fastcore.tasks.codec.walk import FINDERS, Decoder, Encoder, Kind, register

__all__: list[str] = []


def _self(value: Any, _: Any) -> Any:
    return value


def _in_order(values: set[Any] | frozenset[Any]) -> list[Any]:
    """A set's members in an order that is the same in every process: keys are made of such messages."""
    return sorted(values, key=lambda one: Encoder().body(one))


# ---- containers ----

register(Kind(1, lambda v, _: list(v), lambda p, _: tuple(p)), tuple)
register(Kind(2, lambda v, _: _in_order(v), lambda p, _: set(p)), set)
register(Kind(3, lambda v, _: _in_order(v), lambda p, _: frozenset(p)), frozenset)
register(Kind(4, lambda v, _: [v.start, v.stop, v.step], lambda p, _: range(*p)), range)


# ---- numbers ----


def _int_bytes(value: int, _: Encoder) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


register(Kind(5, _int_bytes, lambda p, _: int.from_bytes(p, "big", signed=True)), int)
register(Kind(6, lambda v, _: [v.real, v.imag], lambda p, _: complex(*p)), complex)
register(Kind(7, lambda v, _: str(v), lambda p, _: Decimal(p)), Decimal)
register(Kind(8, lambda v, _: v.bytes, lambda p, _: uuid.UUID(bytes=p)), uuid.UUID)


# ---- time ----


def _datetime(v: dt.datetime, _: Encoder) -> list[Any]:
    return [v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond, v.fold, v.tzinfo]


def _to_datetime(p: list[Any], _: Decoder) -> dt.datetime:
    year, month, day, hour, minute, second, us, fold, tz = p
    return dt.datetime(year, month, day, hour, minute, second, us, tz, fold=fold)


def _time(v: dt.time, _: Encoder) -> list[Any]:
    return [v.hour, v.minute, v.second, v.microsecond, v.fold, v.tzinfo]


def _to_time(p: list[Any], _: Decoder) -> dt.time:
    hour, minute, second, us, fold, tz = p
    return dt.time(hour, minute, second, us, tz, fold=fold)


def _timezone(v: dt.timezone, _: Encoder) -> list[Any]:
    given: tuple[Any, ...] = v.__getinitargs__()  # type: ignore[attr-defined]  # tells a given name from a made one
    return list(given)


def _zone(v: zoneinfo.ZoneInfo, _: Encoder) -> str:
    if v.key is None:
        raise Unserializable("expected a time zone with a key, got one from a file")
    return v.key


register(Kind(9, _datetime, _to_datetime), dt.datetime)
register(Kind(10, lambda v, _: [v.year, v.month, v.day], lambda p, _: dt.date(*p)), dt.date)
register(Kind(11, _time, _to_time), dt.time)
register(Kind(12, lambda v, _: [v.days, v.seconds, v.microseconds], lambda p, _: dt.timedelta(*p)), dt.timedelta)
register(Kind(13, _timezone, lambda p, _: dt.timezone(*p) if p != [dt.timedelta()] else dt.UTC), dt.timezone)
register(Kind(14, _zone, lambda p, _: zoneinfo.ZoneInfo(p)), zoneinfo.ZoneInfo)


# ---- paths ----

register(Kind(15, lambda v, _: str(v), lambda p, _: pathlib.Path(p)), type(pathlib.Path()))


# ---- classes of the user's own: found among the modules that are loaded, never imported ----


def _loaded(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        if not isinstance(found, (type, types.ModuleType)):
            return None
        found = vars(found).get(part)  # getattr might run code, such as a module's own __getattr__
    return found


def _enum(v: enum.Enum, _: Encoder) -> list[Any]:
    cls = type(v)
    if _loaded(cls.__module__, cls.__qualname__) is not cls:
        raise Unserializable(f"expected an enum that its module has, got {cls.__module__}.{cls.__qualname__}")
    named = cls._member_map_.get(v._name_ or "") is v
    return [cls.__module__, cls.__qualname__, v._name_ if named else None, None if named else v._value_]


def _to_enum(p: list[Any], _: Decoder) -> enum.Enum:
    module, qualname, name, value = p
    cls = _loaded(module, qualname)
    if not (isinstance(cls, type) and issubclass(cls, enum.Enum)):
        raise CodecError(f"message: expected the enum {module}.{qualname} to be imported, got no such class")
    if name is None:  # flags that are combined have no name
        if not issubclass(cls, enum.Flag):
            raise CodecError(f"message: expected a member of {module}.{qualname}, got no name")
        return cls(value)
    member = cls._member_map_.get(name)
    if member is None:
        raise CodecError(f"message: expected a member of {module}.{qualname}, got {name!r:.60}")
    return member


def _named_tuple(v: Any, _: Encoder) -> list[Any]:
    cls = type(v)
    return [cls.__module__, cls.__qualname__, list(cls._fields), list(v)]


def _to_named_tuple(p: list[Any], _: Decoder) -> Any:
    module, qualname, fields, values = p
    if len(fields) != len(values):
        raise CodecError(f"message: expected {len(fields)} fields, got {len(values)}")
    cls = _loaded(module, qualname)
    if not (isinstance(cls, type) and _is_named_tuple(cls) and list(cls._fields) == fields):  # type: ignore[attr-defined]
        cls = _made(qualname.rpartition(".")[2], tuple(fields))
    return tuple.__new__(cls, values)


@functools.lru_cache(64)
def _made(name: str, fields: tuple[str, ...]) -> Any:
    """A named tuple in place of one whose module is not loaded here."""
    words = (name, *fields)
    if len(words) > 256 or not all(word.isidentifier() and not keyword.iskeyword(word) for word in words):
        raise CodecError("message: expected the names of a named tuple, got others")
    return collections.namedtuple(name, fields)  # the fields are known only now


def _is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


ENUM = Kind(16, _enum, _to_enum)
NAMED_TUPLE = Kind(17, _named_tuple, _to_named_tuple)
register(ENUM)
register(NAMED_TUPLE)


def _find(cls: type) -> Kind | None:
    if issubclass(cls, enum.Enum):
        return ENUM
    return NAMED_TUPLE if _is_named_tuple(cls) else None


FINDERS.append(_find)
