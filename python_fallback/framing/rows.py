"""Rows packed from columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgpack import Timestamp

from python_fallback.framing.encode import Encoder
from python_fallback.framing.options import named, pack_options
from python_fallback.shared.framing.columns import Column, checked_names, checked_rows, prepare
from python_fallback.shared.framing.websocket_frame import frame_packed

__all__ = ["RowPacker"]

NO_TIME = -(2**63)


class RowPacker:
    """Packs columns as an array of rows; the public package documents it."""

    __slots__ = ("__weakref__", "_encoder", "_names", "_nan_as_none", "_rows")

    def __init__(
        self,
        names: Any,
        *,
        rows: Any = "map",
        nan_as_none: Any = False,
        datetime: Any = True,
        numpy: Any = True,
        **options: Any,
    ) -> None:
        self._names = checked_names(names)
        self._rows = checked_rows(rows)
        self._nan_as_none = bool(nan_as_none)
        self._encoder = Encoder(named("RowPacker", {"datetime": datetime, "numpy": numpy, **options}, pack_options))

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    @property
    def rows(self) -> str:
        return self._rows

    def pack(self, columns: Any) -> bytes:
        rows = zip(*(self._values(column) for column in prepare(columns, self._names)))
        if self._rows == "map":
            return self._encoder.encode([dict(zip(self._names, row)) for row in rows])
        return self._encoder.encode([list(row) for row in rows])

    def frame(self, columns: Any, compress: Any = False, **deflate: Any) -> bytes:
        return frame_packed(self.pack(columns), compress, **deflate)

    def _values(self, column: Column) -> Iterable[Any]:
        if column.kind == "list":
            return [None if is_nan(x) else x for x in column.data] if self._nan_as_none else iter(column.data)
        if column.kind == "index":
            return [None if i < 0 else column.extra[i] for i in column.data.tolist()]
        if column.kind == "time":
            return [None if t == NO_TIME else moment(t, column.extra) for t in column.data.tolist()]
        if self._nan_as_none and column.data.dtype.kind == "f":
            return [None if x != x else x for x in column.data.tolist()]
        values: list[Any] = column.data.tolist()
        return values


def is_nan(value: Any) -> bool:
    return issubclass(type(value), float) and float.__ne__(value, value)


def moment(count: int, per_second: int) -> Timestamp:
    seconds, rest = divmod(count, per_second)
    return Timestamp(seconds, rest * (10**9 // per_second))
