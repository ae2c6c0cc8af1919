"""The kinds of pandas: scalars, extension arrays, indexes, Series and DataFrames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fastcore.tasks.codec.errors import CodecError, Unserializable
from fastcore.tasks.codec.serializer import Decoder, Encoder, Kind, register

__all__: list[str] = []

_UNITS = ("s", "ms", "us", "ns")


def _unit(unit: Any) -> str:
    if unit not in _UNITS:
        raise CodecError(f"unit: expected one of {', '.join(_UNITS)}, got {unit!r:.20}")
    return str(unit)


def _is(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise CodecError(f"{what}: expected {kind.__name__}, got {type(value).__name__}")
    return value


# ---- scalars ----


def _to_timestamp(p: list[Any], _: Decoder) -> Any:
    value, unit, tz = p
    naive = pd.Timestamp(_ticks_as(np.array(_is(value, int, "timestamp")), "M", unit)[()])
    return naive if tz is None else naive.tz_localize("UTC").tz_convert(tz)


def _ticks(v: Any) -> int:
    return int(v.asm8.view("i8"))


_SINGLETONS = {"NaT": pd.NaT, "NA": pd.NA}

register(Kind(48, lambda v, _: [_ticks(v), v.unit, v.tzinfo], _to_timestamp), pd.Timestamp)
register(
    Kind(
        49,
        lambda v, _: [_ticks(v), v.unit],
        lambda p, _: pd.Timedelta(_ticks_as(np.array(_is(p[0], int, "timedelta")), "m", p[1])[()]),
    ),
    pd.Timedelta,
)
register(Kind(50, lambda v, _: [v.ordinal, v.freqstr], lambda p, _: pd.Period(ordinal=p[0], freq=p[1])), pd.Period)
register(Kind(51, lambda v, _: [v.left, v.right, v.closed], lambda p, _: pd.Interval(*p)), pd.Interval)
register(Kind(52, lambda v, _: "NaT" if v is pd.NaT else "NA", lambda p, _: _SINGLETONS[p]), type(pd.NaT), type(pd.NA))


# ---- values of a column or an index: numpy's array, or one of pandas' own ----


def _extension(a: Any, encoder: Encoder) -> list[Any]:
    dtype = a.dtype
    if isinstance(dtype, np.dtype):
        return ["numpy", a.to_numpy()]
    if type(a) is pd.arrays.NumpyExtensionArray:  # arrays of strings are derived from it
        return ["plain", a.to_numpy()]
    if isinstance(dtype, pd.CategoricalDtype):
        return ["category", dtype.categories, bool(dtype.ordered), np.asarray(a.codes)]
    if isinstance(dtype, pd.DatetimeTZDtype):
        return ["tz", a.asi8, dtype.unit, dtype.tz]
    if isinstance(dtype, pd.StringDtype):
        known = "NA" if dtype.na_value is pd.NA else "nan"
        values = a.to_numpy(dtype=object, na_value=None).tolist()
        return ["string", dtype.storage, known, encoder.objects(values)]
    if type(a) in _MASKED_NAMES:
        mask = a.isna()
        return [_MASKED_NAMES[type(a)], a.to_numpy(dtype=dtype.numpy_dtype, na_value=0), mask]
    if isinstance(dtype, pd.PeriodDtype):
        return ["period", a.asi8, a.freqstr]
    if isinstance(dtype, pd.IntervalDtype):
        return ["interval", pd.Index(a.left), pd.Index(a.right), a.closed]
    raise Unserializable(f"expected a pandas dtype that can be stored, got {dtype}")


_MASKED = {"int": pd.arrays.IntegerArray, "float": pd.arrays.FloatingArray, "bool": pd.arrays.BooleanArray}
_MASKED_NAMES = {cls: name for name, cls in _MASKED.items()}


def _to_extension(p: list[Any], decoder: Decoder) -> Any:
    match p:
        case ["category", categories, bool(ordered), np.ndarray() as codes]:
            dtype = pd.CategoricalDtype(_is(categories, pd.Index, "categories"), ordered)
            return pd.Categorical.from_codes(codes, dtype=dtype)
        case ["plain", np.ndarray() as data] if data.ndim == 1:
            return pd.arrays.NumpyExtensionArray(data)
        case ["numpy", np.ndarray() as data] if data.dtype.kind in "mM":
            return pd.array(data)
        case ["tz", np.ndarray() as ticks, unit, tz]:
            naive = pd.DatetimeIndex(_ticks_as(ticks, "M", unit))
            return naive.tz_localize("UTC").tz_convert(tz).array
        case ["string", storage, known, reference]:
            values = decoder.objects(reference)
            if not all(value is None or isinstance(value, str) for value in values):
                raise CodecError("strings: expected str or None, got something else")
            na = pd.NA if known == "NA" else np.nan
            return pd.array(values, dtype=pd.StringDtype(storage, na_value=na))
        case ["int" | "float" | "bool" as name, np.ndarray() as data, np.ndarray() as mask]:
            return _MASKED[name](data, mask)
        case ["period", np.ndarray() as ordinals, freq]:
            return pd.PeriodIndex.from_ordinals(ordinals, freq=freq).array
        case ["interval", left, right, closed]:
            both = _is(left, pd.Index, "left"), _is(right, pd.Index, "right")
            return pd.arrays.IntervalArray.from_arrays(*both, closed=closed)
    raise CodecError("message: expected an array of pandas, got something else")


def _ticks_as(ticks: Any, kind: str, unit: Any) -> Any:
    if ticks.dtype != np.int64:
        raise CodecError(f"ticks: expected int64, got {ticks.dtype}")
    return ticks.view(f"{kind}8[{_unit(unit)}]")


def _extension_kinds() -> list[type]:
    arrays = pd.arrays
    return [
        pd.Categorical,
        arrays.DatetimeArray,
        arrays.TimedeltaArray,
        arrays.NumpyExtensionArray,
        arrays.PeriodArray,
        arrays.IntervalArray,
        *_MASKED.values(),
        *{type(pd.array(["a"], dtype=pd.StringDtype("python", na_value=na))) for na in (pd.NA, np.nan)},
    ]


register(Kind(53, _extension, _to_extension), *_extension_kinds())


def _values(a: Any) -> Any:
    """What a Series or an Index holds: an ndarray, or an array of pandas."""
    return a.to_numpy() if isinstance(a.dtype, np.dtype) else a.array


def _series_of(values: Any, index: Any = None, name: Any = None) -> Any:
    dtype = getattr(values, "dtype", None)
    if dtype is None or getattr(values, "ndim", 1) != 1:
        raise CodecError(f"column: expected an array of one dimension, got {type(values).__name__}")
    return pd.Series(values, index=index, name=name, dtype=dtype, copy=False)  # the dtype, or objects become strings


# ---- indexes ----


def _index(i: Any, _: Encoder) -> list[Any]:
    kind = type(i)
    if kind is pd.RangeIndex:
        return ["range", i.start, i.stop, i.step, i.name]
    if kind is pd.MultiIndex:
        return ["multi", list(i.levels), [np.asarray(codes) for codes in i.codes], list(i.names)]
    freq = getattr(i, "freq", None) if kind in (pd.DatetimeIndex, pd.TimedeltaIndex) else None
    if freq is not None and pd.tseries.frequencies.to_offset(freq.freqstr) != freq:
        raise Unserializable(f"expected a frequency that its name tells, got {freq!r}")
    return ["plain", _values(i), i.name, None if freq is None else freq.freqstr]


def _to_index(p: list[Any], _: Decoder) -> Any:
    match p:
        case ["range", int(start), int(stop), int(step), name]:
            return pd.RangeIndex(start, stop, step, name=name)
        case ["multi", list(levels), list(codes), list(names)]:
            found = [_is(level, pd.Index, "level") for level in levels]
            return pd.MultiIndex(levels=found, codes=codes, names=names)
        case ["plain", values, name, freq]:
            made = pd.Index(values, dtype=values.dtype, name=name, copy=False)
            if freq is not None:
                _is(made, (pd.DatetimeIndex, pd.TimedeltaIndex), "index").freq = freq  # type: ignore[arg-type]
            return made
    raise CodecError("message: expected an index, got something else")


_INDEXES = [
    pd.Index,
    pd.RangeIndex,
    pd.MultiIndex,
    pd.DatetimeIndex,
    pd.TimedeltaIndex,
    pd.PeriodIndex,
    pd.IntervalIndex,
    pd.CategoricalIndex,
]
register(Kind(54, _index, _to_index), *_INDEXES)


# ---- Series and DataFrame ----


def _series(s: Any, _: Encoder) -> list[Any]:
    return [_values(s), s.index, s.name, s.attrs, s.flags.allows_duplicate_labels]


def _finished(made: Any, attrs: Any, duplicates: Any) -> Any:
    if attrs:
        made.attrs = _is(attrs, dict, "attrs")
    if duplicates is False:
        made.flags.allows_duplicate_labels = False
    return made


def _to_series(p: list[Any], _: Decoder) -> Any:
    values, index, name, attrs, duplicates = p
    return _finished(_series_of(values, _is(index, pd.Index, "index"), name), attrs, duplicates)


def _frame(df: Any, _: Encoder) -> list[Any]:
    kinds = set(df.dtypes)
    one = next(iter(kinds), None)
    if len(kinds) == 1 and isinstance(one, np.dtype) and one.kind != "O":
        values: Any = df.to_numpy()  # one block: no copy
    else:
        values = [_values(df.iloc[:, i]) for i in range(df.shape[1])]
    return [values, df.index, df.columns, df.attrs, df.flags.allows_duplicate_labels]


def _to_frame(p: list[Any], _: Decoder) -> Any:
    values, index, columns, attrs, duplicates = p
    _is(index, pd.Index, "index")
    _is(columns, pd.Index, "columns")
    if isinstance(values, np.ndarray):
        made = pd.DataFrame(values, index=index, columns=columns, copy=False)
    else:
        series = {i: _series_of(column, index) for i, column in enumerate(_is(values, list, "columns"))}
        if len(series) != len(columns):
            raise CodecError(f"frame: expected {len(columns)} columns, got {len(series)}")
        made = pd.DataFrame(series, index=index, copy=False)
        made.columns = columns
    return _finished(made, attrs, duplicates)


register(Kind(55, _series, _to_series), pd.Series)
register(Kind(56, _frame, _to_frame), pd.DataFrame)
