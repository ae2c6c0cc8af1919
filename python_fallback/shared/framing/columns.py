"""Columns of any kind made into the few that rows are packed from. Used by both twins, once per column."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["Column", "check_lengths", "choose", "column_of", "prepare"]

# The polars dtypes that numpy has too: not Int128, nor Decimal.
NUMPY_DTYPES = frozenset(
    ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "Boolean")
)
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Column(NamedTuple):
    """One of four kinds.

    - ``array``: `data` is an array of bool, int, float32, float64, str or bytes, in native byte order and without gaps
    - ``time``: `data` is such an array of int64, times since 1970, `extra` to a second; the least int is no time
    - ``index``: `data` is such an array of int64, positions in the list `extra`; -1 is None
    - ``list``: `data` is a list of objects that no other code changes
    """

    kind: str
    data: Any
    extra: Any = None


def prepare(columns: Any, names: tuple[str, ...]) -> list[Column]:
    """Return the columns called `names`, all of one length."""
    prepared = [column_of(name, values) for name, values in zip(names, choose(columns, names))]
    check_lengths(names, [len(column.data) for column in prepared])
    return prepared


def choose(columns: Any, names: tuple[str, ...]) -> list[Any]:
    """Return the columns called `names` as they are."""
    if isinstance(columns, (list, tuple)):
        if len(columns) != len(names):
            raise ValueError(f"columns: expected {len(names)} columns, got {len(columns)}")
        return list(columns)
    if isinstance(columns, Mapping) or hasattr(columns, "columns"):
        present = columns if isinstance(columns, Mapping) else list(columns.columns)
        return [pick(columns, present, name) for name in names]
    raise TypeError(f"columns: expected a mapping, a sequence or a data frame, got {type(columns).__name__}")


def check_lengths(names: tuple[str, ...], lengths: list[int]) -> None:
    for name, length in zip(names, lengths):
        if length != lengths[0]:
            raise ValueError(
                f"columns: expected columns of one length, got {lengths[0]} in {names[0]!r} and {length} in {name!r}"
            )


def pick(columns: Any, present: Any, name: str) -> Any:
    if name not in present:
        raise ValueError(f"columns: expected a column {name!r}, got none")
    return columns[name]


def column_of(name: str, values: Any) -> Column:
    numpy, pandas, polars = (sys.modules.get(module) for module in ("numpy", "pandas", "polars"))
    if getattr(values, "ndim", 1) != 1:
        raise ValueError(f"columns: expected one dimension in {name!r}, got {values.ndim}")
    if pandas is not None and isinstance(values, (pandas.Series, pandas.Index)):
        return of_pandas(pandas, values)
    if polars is not None and isinstance(values, polars.Series):
        return of_polars(polars, values)
    if numpy is not None and isinstance(values, numpy.ndarray):
        return of_numpy(numpy, values)
    if isinstance(values, (str, bytes, bytearray, memoryview)) or not hasattr(values, "__iter__"):
        raise TypeError(f"columns: expected a sequence in {name!r}, got {type(values).__name__}")
    return Column("list", list(values))


def of_numpy(numpy: Any, values: Any) -> Column:
    kind, dtype = values.dtype.kind, values.dtype
    if isinstance(values, numpy.ma.MaskedArray):
        mask, values = numpy.ma.getmaskarray(values), numpy.ma.getdata(values)
        if kind == "M":
            values = numpy.where(mask, numpy.array("NaT", dtype), values)
        elif mask.any():  # the numbers under a mask are no data
            objects = of_numpy(numpy, values).data
            return Column("list", [None if hidden else value for hidden, value in zip(mask, listed(objects))])
    if not dtype.isnative and kind in "biufMUS":
        values = values.astype(dtype.newbyteorder("="))
    if kind == "M":
        unit, step = numpy.datetime_data(dtype)
        if unit not in PER_SECOND or step != 1:
            unit = unit if unit in PER_SECOND else "s"
            values = values.astype(f"M8[{unit}]")
        return Column("time", numpy.ascontiguousarray(values).view("i8"), PER_SECOND[unit])
    if kind == "f" and dtype.itemsize not in (4, 8):
        values = values.astype("f8")
    if kind in "biufUS" and dtype.itemsize:
        return Column("array", numpy.ascontiguousarray(values))
    return Column("list", list(values) if kind == "m" else values.tolist())


def listed(objects: Any) -> list[Any]:
    found: list[Any] = objects if isinstance(objects, list) else objects.tolist()
    return found


def of_pandas(pandas: Any, values: Any) -> Column:
    dtype = values.dtype
    numpy = sys.modules["numpy"]
    if isinstance(dtype, numpy.dtype) and dtype.kind in "biufM":
        return of_numpy(numpy, values.to_numpy())
    if isinstance(dtype, pandas.DatetimeTZDtype):
        return of_numpy(numpy, values.to_numpy(dtype=f"M8[{dtype.unit}]"))
    if isinstance(dtype, pandas.CategoricalDtype):
        if dtype.categories.dtype.kind == "M":
            return of_pandas(pandas, pandas.Series(values).astype(dtype.categories.dtype))
        codes = pandas.Categorical(values).codes.astype("i8")
        return Column("index", codes, without_missing(pandas, pandas.Series(dtype.categories)))
    return Column("list", without_missing(pandas, pandas.Series(values)))


def without_missing(pandas: Any, series: Any) -> list[Any]:
    objects: list[Any] = series.astype(object).where(series.notna(), None).tolist()
    return objects


def of_polars(polars: Any, values: Any) -> Column:
    dtype = values.dtype
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(dtype, polars.Datetime):
        return of_numpy(numpy, values.to_numpy() if dtype.time_zone is None else utc(values))
    if numpy is not None and dtype == polars.Date:
        return of_numpy(numpy, values.to_numpy().astype("M8[s]"))
    if numpy is not None and not values.null_count() and str(dtype) in NUMPY_DTYPES:
        return of_numpy(numpy, values.to_numpy())
    return Column("list", values.to_list())


def utc(values: Any) -> Any:
    return values.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy()


def checked_names(names: Any) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"names: expected a sequence of str, got {type(names).__name__}")
    found = tuple(names)
    for name in found:
        if type(name) is not str:
            raise TypeError(f"names: expected a sequence of str, got {type(name).__name__} in it")
    if not found:
        raise ValueError("names: expected at least one name, got none")
    if len(set(found)) < len(found):
        raise ValueError(f"names: expected different names, got {', '.join(found)}")
    return found


def checked_rows(rows: Any) -> str:
    if rows not in ("map", "array"):
        raise ValueError(f"rows: expected 'map' or 'array', got {rows!r}")
    return str(rows)
