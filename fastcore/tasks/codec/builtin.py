"""The kinds of the standard library."""

from __future__ import annotations

import datetime as dt
import pathlib
import uuid
import zoneinfo
from decimal import Decimal
from typing import Any

from fastcore.tasks.codec.errors import Unserializable
from fastcore.tasks.codec.serializer import FINDERS, Decoder, Encoder, Kind, register

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


def _offset(v: dt.tzinfo, _: Encoder) -> list[Any]:
    return [v.utcoffset(None)]


def _zone(v: zoneinfo.ZoneInfo, _: Encoder) -> str:
    if v.key is None:
        raise Unserializable("expected a time zone with a key, got one from a file")
    return v.key


register(Kind(9, _datetime, _to_datetime), dt.datetime)
register(Kind(10, lambda v, _: [v.year, v.month, v.day], lambda p, _: dt.date(*p)), dt.date)
register(Kind(11, _time, _to_time), dt.time)
register(Kind(12, lambda v, _: [v.days, v.seconds, v.microseconds], lambda p, _: dt.timedelta(*p)), dt.timedelta)
TIMEZONE = Kind(13, _timezone, lambda p, _: dt.timezone(*p) if p != [dt.timedelta()] else dt.UTC)
register(TIMEZONE, dt.timezone)
register(Kind(14, _zone, lambda p, _: zoneinfo.ZoneInfo(p)), zoneinfo.ZoneInfo)


# ---- paths ----

register(Kind(15, lambda v, _: str(v), lambda p, _: pathlib.Path(p)), type(pathlib.Path()))


def _find(cls: type) -> Kind | None:
    # What pydantic makes of "+02:00" has an offset and nothing else: it comes back as the library's own.
    return OFFSET if cls.__name__ == "TzInfo" and cls.__module__ == "pydantic_core._pydantic_core" else None


OFFSET = TIMEZONE._replace(encode=_offset)
FINDERS.append(_find)
