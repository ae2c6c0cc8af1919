"""Contents of which no two are alike: what the tests of keys tell apart, here and in another process."""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import fractions
import ipaddress
import pathlib
import re
import types
import uuid
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd

from tests.cache.cell_objects import Curve, Frozen, Level, Money, Order, Point, Right, Side, Slots, Tagged, long_array
from tests.cache.contents_columnar import arrow_contents, polars_contents


def frames() -> dict[str, Any]:
    """Frames, series and arrays of which no two have the same content."""
    days = pd.date_range("2024-01-01", periods=3)
    base = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})
    return {
        "base": base,
        "a value": base.assign(b=[4.0, 5.0, 7.0]),
        "a sign of zero": base.assign(a=[0.0, 2.0, 3.0]),
        "minus zero": base.assign(a=[-0.0, 2.0, 3.0]),
        "a gap": base.assign(a=[np.nan, 2.0, 3.0]),
        "an infinity": base.assign(a=[np.inf, 2.0, 3.0]),
        "a dtype": base.astype("float32"),
        "ints": base.astype("int64"),
        "unsigned": base.astype("uint64"),
        "names": base.rename(columns={"a": "c"}),
        "order of columns": base[["b", "a"]],
        "values in other columns": base.rename(columns={"a": "b", "b": "a"}),
        "index": base.set_index(days),
        "index name": base.rename_axis("n"),
        "index dtype": base.set_index(pd.Index([0.0, 1.0, 2.0])),
        "time zone": base.set_index(days.tz_localize("UTC")),
        "other zone": base.set_index(days.tz_localize("Asia/Tokyo")),
        "resolution": base.set_index(days.as_unit("s")) if days.unit != "s" else base.set_index(days.as_unit("ns")),
        "rows": base.iloc[:2],
        "no rows": base.iloc[:0],
        "no columns": base[[]],
        "levels": base.set_index(pd.MultiIndex.from_tuples([("x", 1), ("x", 2), ("y", 1)])),
        "column levels": base.set_axis(pd.MultiIndex.from_tuples([("x", 1), ("x", 2)]), axis=1),
        "text": base.assign(a=["x", "y", "z"]),
        "text cut elsewhere": base.assign(a=["xy", "", "z"]),
        "text with a gap": base.assign(a=["x", None, "z"]),
        "objects": base.assign(a=pd.Series(["x", 1, None], dtype=object)),
        "other objects": base.assign(a=pd.Series(["x", "1", None], dtype=object)),
        "categories": base.assign(a=pd.Categorical(["x", "y", "x"])),
        "ordered categories": base.assign(a=pd.Categorical(["x", "y", "x"], ordered=True)),
        "more categories": base.assign(a=pd.Categorical(["x", "y", "x"], categories=["x", "y", "w"])),
        "nullable": base.astype("Int64"),
        "nullable with a gap": base.astype("Int64").assign(a=pd.array([1, None, 3], dtype="Int64")),
        "nullable floats": base.astype("Float64"),
        "booleans": base > 2,
        "durations": base.assign(a=pd.to_timedelta([1, 2, 3], unit="s")),
        "series": base["a"],
        "series name": base["a"].rename("b"),
        "unnamed series": base["a"].rename(None),
        "pandas index": pd.Index([1.0, 2.0, 3.0]),
        "range": pd.RangeIndex(3),
        "array": base.to_numpy(),
        "transposed array": base.to_numpy().T,
        "one dimension": base.to_numpy().ravel(),
        "big-endian": base.to_numpy().astype(">f8"),
        "records": np.array([(1, 2.0)], dtype=[("a", "i8"), ("b", "f8")]),
        "other records": np.array([(1, 2.0)], dtype=[("a", "i8"), ("c", "f8")]),
        "empty": np.zeros(0),
        "empty of two": np.zeros((0, 2)),
        "scalar array": np.array(1.0),
        "bytes": np.array([b"ab", b"c"]),
        "object array": np.array(["ab", "c"], dtype=object),
        "nested": np.array([base.to_numpy(), None], dtype=object),
    }


class Quantity(np.ndarray):
    """An array with a unit, as astropy's."""

    unit: Any = None

    def __array_finalize__(self, other: Any) -> None:
        self.unit = getattr(other, "unit", None)


class Length(Quantity):
    pass


class Slotted(np.ndarray):
    __slots__ = ("unit",)

    def __array_finalize__(self, other: Any) -> None:
        self.unit = getattr(other, "unit", None)


class Prices(pd.DataFrame):
    """A frame with a currency, as geopandas' has a projection."""

    _metadata = ("currency",)

    @property
    def _constructor(self) -> Any:
        return Prices


class Column(pd.Series):
    _metadata = ("_name", "currency")

    @property
    def _constructor(self) -> Any:
        return Column


def with_attribute(value: Any, name: str, attribute: Any) -> Any:
    setattr(value, name, attribute)
    return value


def quantity(values: list[float], unit: Any, kind: Any = Quantity) -> Any:
    return with_attribute(np.array(values).view(kind), "unit", unit)


def masked(mask: list[int], values: Any = (1.0, 2.0), **options: Any) -> Any:
    return np.ma.array(values, mask=mask, **options)


def subclasses() -> dict[str, Any]:
    plain = np.array([[1.0, 2.0]])
    return {
        "plain": plain,
        "matrix": plain.view(np.matrix),
        "unit": quantity([[1.0, 2.0]], "m"),
        "other unit": quantity([[1.0, 2.0]], "km"),
        "no unit": quantity([[1.0, 2.0]], None),
        "unit that is an array": quantity([[1.0, 2.0]], np.array([1.0])),
        "other class": quantity([[1.0, 2.0]], "m", Length),
        "attribute in a slot": quantity([[1.0, 2.0]], "m", Slotted),
        "other attribute in a slot": quantity([[1.0, 2.0]], "km", Slotted),
        "records": np.array([(1, 2.0)], dtype=[("a", "i8"), ("b", "f8")]).view(np.recarray),
        "mask": masked([0, 1]),
        "other mask": masked([1, 0]),
        "no mask": masked([0, 0]),
        "value under a mask": masked([0, 1], (1.0, 3.0)),
        "fill value": masked([0, 1], fill_value=-1.0),
        "hard mask": masked([0, 1], hard_mask=True),
        "masked quantity": np.ma.array(quantity([1.0, 2.0], "m"), mask=[0, 1]),
        "masked other quantity": np.ma.array(quantity([1.0, 2.0], "km"), mask=[0, 1]),
        "masked constant": np.ma.masked,
        "frame": pd.DataFrame({"a": [1.0]}),
        "frame with a currency": with_attribute(Prices({"a": [1.0]}), "currency", "EUR"),
        "frame with another": with_attribute(Prices({"a": [1.0]}), "currency", "USD"),
        "series": pd.Series([1.0], name="a"),
        "series with a currency": with_attribute(Column([1.0], name="a"), "currency", "EUR"),
        "series with another": with_attribute(Column([1.0], name="a"), "currency", "USD"),
    }


def dtypes() -> dict[str, Any]:
    """Columns of pandas and numpy whose dtype, or what is particular to it, differs."""
    zone = pd.date_range("2024-01-01", periods=2, tz="UTC")
    instants = pd.to_datetime(["2024-01-01", "2024-01-02"])
    numbers = {
        name: pd.Series(np.array([1, 2], dtype=name))
        for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "g", "c8", "c16", "G", "?")
    }
    strings = [np.dtypes.StringDType(), np.dtypes.StringDType(na_object=None)]
    return {
        **{f"number {name}": series for name, series in numbers.items()},
        **{f"instants in {unit}": pd.Series(instants.as_unit(unit)) for unit in ("s", "ms", "us", "ns")},
        **{f"nullable {name}": pd.Series([1, None], dtype=name) for name in ("Int64", "UInt8", "Float32", "boolean")},
        "nullable without a gap": pd.Series([1, 2], dtype="Int64"),
        "nullable with a nought": pd.Series([1, 0], dtype="Int64"),
        "zone": pd.Series(zone),
        "other zone": pd.Series(zone.tz_convert("Europe/Paris")),
        "fixed offset": pd.Series(zone.tz_convert("+01:00")),
        "same wall clock": pd.Series(instants.tz_localize("Europe/Paris")),
        "months": pd.Series(pd.period_range("2024", periods=2, freq="M")),
        "days": pd.Series(pd.period_range("2024", periods=2, freq="D")),
        "closed left": pd.Series(pd.arrays.IntervalArray.from_breaks([0, 1, 2], closed="left")),
        "closed right": pd.Series(pd.arrays.IntervalArray.from_breaks([0, 1, 2], closed="right")),
        "other ends": pd.Series(pd.arrays.IntervalArray.from_breaks([0, 1, 3], closed="right")),
        "sparse": pd.Series(pd.arrays.SparseArray([0.0, 1.0], fill_value=0.0)),
        "other filling": pd.Series(pd.arrays.SparseArray([0.0, 1.0], fill_value=1.0)),
        "sparse elsewhere": pd.Series(pd.arrays.SparseArray([1.0, 0.0], fill_value=0.0)),
        "text": pd.Series(["a", None], dtype="str"),
        "nullable text": pd.Series(["a", None], dtype=pd.StringDtype("python")),
        "text in objects": pd.Series(["a", None], dtype=object),
        "text in objects, NaN": pd.Series(["a", np.nan], dtype=object),
        "text in objects, NA": pd.Series(["a", pd.NA], dtype=object),
        "text in objects, NaT": pd.Series(["a", pd.NaT], dtype=object),
        "categories of numbers": pd.Series(pd.Categorical([1, 2])),
        "categories of floats": pd.Series(pd.Categorical([1.0, 2.0])),
        "categories of text": pd.Series(pd.Categorical(["1", "2"])),
        "no category": pd.Series(pd.Categorical([1, None], categories=[1, 2])),
        "extension array": pd.array([1, 2], dtype="Int64"),
        "times": np.array([1, 2], dtype="m8[s]"),
        "times in ms": np.array([1, 2], dtype="m8[ms]"),
        "fixed text": np.array(["a", "b"]),
        "fixed text of 4": np.array(["a", "b"], dtype="U4"),
        "varying text": np.array(["a", "b"], dtype=strings[0]),
        "varying text, other": np.array(["a", "c" * 40], dtype=strings[0]),
        "varying text with a gap": np.array(["a", None], dtype=strings[1]),
        "varying text that may have one": np.array(["a", "b"], dtype=strings[1]),
        "raw bytes": np.array([b"ab"], dtype="V2"),
        "nested records": np.array([((1, 2), 3)], dtype=[("a", [("x", "i4"), ("y", "i4")]), ("b", "i4")]),
        "records of arrays": np.array([([1, 2], 3)], dtype=[("a", "i4", 2), ("b", "i4")]),
        "records of objects": np.array([("x", 1)], dtype=[("a", object), ("b", "i4")]),
        "records of other objects": np.array([("y", 1)], dtype=[("a", object), ("b", "i4")]),
        "two levels": pd.MultiIndex.from_tuples([("x", 1), ("y", 2)]),
        "named levels": pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["a", "b"]),
        "levels of floats": pd.MultiIndex.from_tuples([("x", 1.0), ("y", 2.0)]),
        "name of an index": pd.Index([1, 2], name="a"),
        "name that is a tuple": pd.Index([1, 2], name=("a",)),
        "name that is a number": pd.Index([1, 2], name=1),
        "name that is a text": pd.Index([1, 2], name="1"),
    }


def cells() -> dict[str, Any]:
    """Python objects of which no two have the same content."""
    numbers: dict[str, Any] = {
        **{f"int {n:x}": n for n in (0, 1, -1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**100, 2**20_000)},
        **{f"float {n}": n for n in (0.0, -0.0, 1.0, 1e308, 5e-324, float("inf"), float("-inf"), float("nan"))},
        **{f"close float {n}": n for n in (0.1234567890123456, 0.1234567890123457)},
        **{f"bool {n}": n for n in (True, False)},
        **{f"complex {n}": n for n in (1j, 1 + 0j)},
        **{f"numpy {n!r}": n for n in (np.float64(1), np.float32(1), np.int64(1), np.bool_(True), np.str_("a"))},
        **{f"decimal {n}": decimal.Decimal(n) for n in ("1.0", "1.00", "1", "NaN", "sNaN", "-0", "1e5")},
        "fraction": fractions.Fraction(1, 3),
        "long double": np.longdouble(1),
        "money": with_attribute(Money(1.0), "currency", "EUR"),
        "other money": with_attribute(Money(1.0), "currency", "USD"),
    }
    times: dict[str, Any] = {
        "date": dt.date(2024, 1, 1),
        "datetime": dt.datetime(2024, 1, 1),
        "second fold": dt.datetime(2024, 1, 1, fold=1),
        "datetime in UTC": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        "datetime at an offset": dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(0), "GMT")),
        "datetime in a zone": dt.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
        "datetime in another": dt.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo")),
        "time": dt.time(1),
        "time in UTC": dt.time(1, tzinfo=dt.UTC),
        "timedelta": dt.timedelta(1),
        "Timestamp": pd.Timestamp("2024-01-01"),
        "Timestamp of ns": pd.Timestamp("2024-01-01T00:00:00.000000001"),
        "Timestamp in s": pd.Timestamp("2024-01-01").as_unit("s"),
        "Timestamp in UTC": pd.Timestamp("2024-01-01", tz="UTC"),
        "Timestamp in a zone": pd.Timestamp("2024-01-01", tz="UTC").tz_convert("Asia/Tokyo"),
        "Timedelta": pd.Timedelta(1, unit="s"),
        "Period": pd.Period("2024-01", freq="M"),
        "other Period": pd.Period("2024-01-01", freq="D"),
        "Interval": pd.Interval(0, 1),
        "other Interval": pd.Interval(0, 1, closed="left"),
        "datetime64": np.datetime64("2024-01-01"),
        "datetime64 in s": np.datetime64("2024-01-01", "s"),
        "zone": zoneinfo.ZoneInfo("UTC"),
        "NaT": pd.NaT,
        "NA": pd.NA,
        "None": None,
    }
    texts: dict[str, Any] = {
        **{
            f"text {n!r}": n
            for n in ("", "a", "ab", "\x00", "é", "e\u0301", "\ud800", "\U0001f4c8", "1", "None", "nan")
        },
        **{f"bytes {n!r}": n for n in (b"", b"a", b"\x00", b"1")},
        "bytearray": bytearray(b"a"),
        "view": memoryview(b"a"),
        "view of writable bytes": memoryview(bytearray(b"b")),
        "array": array.array("i", [1]),
        "array of longs": array.array("q", [1]),
        "path": pathlib.PurePosixPath("a"),
        "Windows path": pathlib.PureWindowsPath("a"),
        "UUID": uuid.UUID(int=1),
        "address": ipaddress.ip_address("10.0.0.1"),
        "network": ipaddress.ip_network("10.0.0.1"),
        "pattern": re.compile("a"),
        "pattern with flags": re.compile("a", re.IGNORECASE),
        "enum": Side.BUY,
        "other enum": Side.SELL,
        "IntEnum": Level.ONE,
        "flag": Right.READ,
        "flags": Right.READ | Right.WRITE,
        "class": Order,
        "function": long_array,
        "builtin": len,
        "ellipsis": ...,
        "dtype": np.dtype("f8"),
    }
    containers: dict[str, Any] = {
        "list": [1, 2],
        "list in another order": [2, 1],
        "tuple": (1, 2),
        "list in a list": [[1], 2],
        "list in a list, cut elsewhere": [[1, 2]],
        "list of text": ["1", "2"],
        "list of one text": ["12"],
        "set": {1, 2},
        "frozenset": frozenset({1, 2}),
        "set of text": {"a", "b", "c"},
        "dict": {"a": 1, "b": 2},
        "dict with values changed about": {"a": 2, "b": 1},
        "dict of numbers": {1: "a", 2: "b"},
        "OrderedDict": collections.OrderedDict(a=1, b=2),
        "OrderedDict in another order": collections.OrderedDict(b=2, a=1),
        "defaultdict": collections.defaultdict(int, a=1, b=2),
        "Counter": collections.Counter(a=1, b=2),
        "proxy of a class": types.MappingProxyType({"x": 1}),
        "deque": collections.deque([1, 2]),
        "bounded deque": collections.deque([1, 2], 2),
        "range": range(2),
        "slice": slice(2),
        "named tuple": Point(1, 2),
        "list with an attribute": with_attribute(Tagged([1]), "tag", "a"),
        "list with another": with_attribute(Tagged([1]), "tag", "b"),
        "list of an array": [long_array(False)],
        "list of another array": [long_array(True)],
        "tuple of a frame": (pd.DataFrame({"v": range(500)}),),
        "tuple of another frame": (pd.DataFrame({"v": [*range(250), -1, *range(251, 500)]}),),
        "dict of an array": {"x": long_array(False)},
        "dict of another array": {"x": long_array(True)},
        "array": long_array(False),
        "series": pd.Series([1]),
        "categories": pd.Categorical(["a"]),
        "masked array": masked([0, 1]),
        "dataclass": Curve(long_array(False)),
        "other dataclass": Curve(long_array(True)),
        "frozen dataclass": Frozen(long_array(False)),
        "object": Order(1),
        "other object": Order(2),
        "object of objects": Order([Order(1)]),
        "object with slots": Slots(1),
        "other object with slots": Slots(2),
        "namespace": types.SimpleNamespace(price=1),
    }
    return {
        **{f"number: {name}": value for name, value in numbers.items()},
        **{f"time: {name}": value for name, value in times.items()},
        **{f"text: {name}": value for name, value in texts.items()},
        **{f"container: {name}": value for name, value in containers.items()},
    }


def cell(value: Any) -> Any:
    """Return an array with one cell."""
    held = np.empty(1, dtype=object)
    held[0] = value
    return held


def all_contents() -> dict[str, Any]:
    return {
        **{f"frame: {name}": value for name, value in frames().items()},
        **{f"subclass: {name}": value for name, value in subclasses().items()},
        **{f"dtype: {name}": value for name, value in dtypes().items()},
        **{f"cell: {name}": cell(value) for name, value in cells().items()},
        **{f"polars: {name}": value for name, value in polars_contents().items()},
        **{f"arrow: {name}": value for name, value in arrow_contents().items()},
    }
