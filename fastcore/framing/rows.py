"""RowPacker: from columns to rows of msgpack without an object for each value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from fastcore.dispatch.twins import Twin

__all__ = ["RowPacker"]


class RowPacker(metaclass=Twin, path="framing"):
    """Packs columns as an array of rows, each a map by `names` or an array.

    The bytes are those of ``packb([dict(zip(names, row)) for row in zip(*columns)])``, with builtin values.

    Parameters
    ----------
    names : sequence of str
        The columns, in the order they have in a row.
    rows : {"map", "array"}, default "map"
        What a row is.
    nan_as_none : bool, default False
        Pack NaN as None, which JSON clients expect: in float columns, and floats in columns of objects.
    datetime, numpy : bool, default True
        As for :func:`packb`, for columns of objects.
    **options
        As for :func:`packb`.

    Examples
    --------
    >>> from fastcore.framing import unpackb
    >>> unpackb(RowPacker(("symbol", "price")).pack({"symbol": ["A", "B"], "price": [1.5, 2.5]}))
    [{'symbol': 'A', 'price': 1.5}, {'symbol': 'B', 'price': 2.5}]
    """

    def __init__(
        self,
        names: Iterable[str],
        *,
        rows: Literal["map", "array"] = "map",
        nan_as_none: bool = False,
        datetime: bool = True,
        numpy: bool = True,
        default: Callable[[Any], Any] | None = None,
        use_single_float: bool = False,
        use_bin_type: bool = True,
        strict_types: bool = False,
        unicode_errors: str | None = None,
        decimal: Literal["str", "float"] | None = None,
        max_depth: int = 128,
    ) -> None: ...

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[empty-body]
        """The columns."""

    @property
    def rows(self) -> str:  # type: ignore[empty-body]
        """``"map"`` or ``"array"``."""

    def pack(self, columns: Any) -> bytes:  # type: ignore[empty-body]
        """Pack columns.

        Parameters
        ----------
        columns : mapping, data frame or sequence
            A dict or a pandas or polars DataFrame with (at least) the named columns, or the columns in order. A column
            is a numpy array, a pandas or polars Series, or a sequence of objects. datetime64 and dates become
            Timestamp, in UTC where they have a zone; what is missing (NaT, NA, null, what a mask hides) becomes None.

        Returns
        -------
        bytes

        Raises
        ------
        ValueError
            If a column is missing, has more than one dimension, or another length than the first.
        TypeError
            If `columns` or a column is none of the above, or holds what cannot be packed.
        """

    def frame(
        self, columns: Any, compress: bool = False, *, level: int = 6, wbits: int = 12, threshold: int = 256
    ) -> bytes:
        """Pack columns into one whole WebSocket frame, see :func:`frame`."""
        raise NotImplementedError
