"""RowPacker on both twins: the rows are what the msgpack package writes for the same values."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgpack
import numpy as np
import pandas as pd
import polars as pl
import pytest

NAMES = ("symbol", "ts", "price")
T = dt.datetime(2024, 1, 2, 3, 4, 5, 678901, dt.UTC)
DAY = msgpack.Timestamp(1704067200)  # 2024-01-01
STAMP = msgpack.Timestamp(1704164645, 678901000)


def rows_of(names: Any, *columns: list[Any]) -> bytes:
    packed: bytes = msgpack.packb([dict(zip(names, row)) for row in zip(*columns)])
    return packed


COLUMNS: list[tuple[str, Any, list[Any]]] = [
    ("f8", np.array([1.5, -0.0, 1e300]), [1.5, -0.0, 1e300]),
    ("f4", np.array([1.5, 0.1], "f4"), [1.5, float(np.float32(0.1))]),
    ("f2", np.array([1.5, 0.25], "f2"), [1.5, 0.25]),
    ("longdouble", np.array([1.5, 0.25], "g"), [1.5, 0.25]),
    ("big-endian", np.array([1.5, 2.5], ">f8"), [1.5, 2.5]),
    ("big-endian text", np.array(["ab", "c"], ">U2"), ["ab", "c"]),
    ("bool", np.array([True, False]), [True, False]),
    *[
        (
            kind,
            np.array([0, 1, 127, np.iinfo(kind).min, np.iinfo(kind).max], kind),
            [0, 1, 127, np.iinfo(kind).min, np.iinfo(kind).max],
        )
        for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", ">u8")
    ],
    (
        "all widths",
        np.array([5, 200, 300, 70000, 2**40, -5, -100, -300, -70000, -(2**40)]),
        [5, 200, 300, 70000, 2**40, -5, -100, -300, -70000, -(2**40)],
    ),
    ("strided", np.arange(20.0)[::-3], [19.0, 16.0, 13.0, 10.0, 7.0, 4.0, 1.0]),
    ("one of a matrix", np.arange(6.0).reshape(3, 2)[:, 1], [1.0, 3.0, 5.0]),
    ("text", np.array(["AAPL", "", "é", "x" * 40, "日本"]), ["AAPL", "", "é", "x" * 40, "日本"]),
    ("bytes", np.array([b"ab", b"", b"x" * 300]), [b"ab", b"", b"x" * 300]),
    ("empty text", np.array(["", ""], "U0"), ["", ""]),
    ("objects", np.array(["a", None, 2.5, [1, {"x": b"y"}]], object), ["a", None, 2.5, [1, {"x": b"y"}]]),
    ("list", ["a", "x" * 40, None, 5, (1, 2)], ["a", "x" * 40, None, 5, (1, 2)]),
    ("tuple", (1, 2), [1, 2]),
    ("range", range(3), [0, 1, 2]),
    ("numpy scalars", [np.int64(5), np.float32(0.5)], [5, 0.5]),
    ("datetimes", [T], [STAMP]),
    (
        "ns",
        np.array(["2024-01-02T03:04:05.678901234", "NaT", "1969-12-31T23:59:59.999999999"], "M8[ns]"),
        [msgpack.Timestamp(1704164645, 678901234), None, msgpack.Timestamp(-1, 999999999)],
    ),
    ("us", np.array([T.replace(tzinfo=None)], "M8[us]"), [STAMP]),
    ("s", np.array([0, 2**33, -5], "M8[s]"), [msgpack.Timestamp(0), msgpack.Timestamp(2**33), msgpack.Timestamp(-5)]),
    ("days", np.array(["2024-01-01"], "M8[D]"), [msgpack.Timestamp(1704067200)]),
    ("25 s", np.array([2], "M8[25s]"), [msgpack.Timestamp(50)]),
    ("pandas float", pd.Series([1.5, 2.5], index=[7, 9]), [1.5, 2.5]),
    ("pandas int", pd.Series([1, 2], dtype="int32"), [1, 2]),
    ("pandas Int64", pd.Series([1, None], dtype="Int64"), [1, None]),
    ("pandas boolean", pd.Series([True, None], dtype="boolean"), [True, None]),
    ("pandas str", pd.Series(["a", None]), ["a", None]),
    ("pandas object", pd.Series([1, "a", None, np.nan], dtype=object), [1, "a", None, None]),
    ("pandas category", pd.Series(["b", "a", None, "b"], dtype="category"), ["b", "a", None, "b"]),
    ("pandas zone", pd.Series([T, pd.NaT]).dt.tz_convert("Asia/Tokyo"), [STAMP, None]),
    ("pandas naive", pd.Series([T.replace(tzinfo=None), None]), [STAMP, None]),
    ("pandas index", pd.DatetimeIndex([T]), [STAMP]),
    ("polars float", pl.Series([1.5, 2.5]), [1.5, 2.5]),
    ("polars null", pl.Series([1, None]), [1, None]),
    ("polars str", pl.Series(["a", None]), ["a", None]),
    ("polars bool", pl.Series([True, False]), [True, False]),
    ("polars datetime", pl.Series([T.replace(tzinfo=None), None]), [STAMP, None]),
    ("polars zone", pl.Series([T]).dt.convert_time_zone("Asia/Tokyo"), [STAMP]),
    ("text of exact width", np.array(["ABCDEFGHI", "ABCDEFGH"]), ["ABCDEFGHI", "ABCDEFGH"]),
    ("text with zeros inside", np.array(["a\0b", "\0" * 9 + "c"]), ["a\0b", "\0" * 9 + "c"]),
    ("text, wide and narrow", np.array(["a", "é" * 31, "x" * 31, "日"]), ["a", "é" * 31, "x" * 31, "日"]),
    ("dates", [dt.date(2024, 1, 1), dt.date(1969, 12, 31), None], [DAY, msgpack.Timestamp(-86400), None]),
    ("numpy objects", np.array([dt.date(2024, 1, 1), pd.NaT, pd.NA, "a"], object), [DAY, None, None, "a"]),
    (
        "missing in a list",
        [pd.NaT, pd.NA, np.ma.masked, np.datetime64("NaT", "s"), np.timedelta64("NaT", "s")],
        [None] * 5,
    ),
    ("missing inside", [(pd.NaT, [pd.NA]), {"d": dt.date(2024, 1, 1)}], [[None, [None]], {"d": DAY}]),
    ("pandas dates", pd.date_range("2024-01-01", periods=1).date, [DAY]),
    ("pandas category of times", pd.Series(pd.to_datetime(["2024-01-01", None])).astype("category"), [DAY, None]),
    ("masked float", np.ma.array([1.5, -999.0], mask=[0, 1]), [1.5, None]),
    ("masked f4", np.ma.array([0.5, -999.0], mask=[0, 1], dtype="f4"), [0.5, None]),
    ("masked longdouble", np.ma.array([0.5, -999.0], mask=[0, 1], dtype="g"), [0.5, None]),
    ("masked int", np.ma.array([7, -999], mask=[0, 1], dtype=">i4"), [7, None]),
    ("masked bool", np.ma.array([True, False], mask=[1, 0]), [None, False]),
    ("masked text", np.ma.array(["a", "hidden"], mask=[0, 1]), ["a", None]),
    ("masked objects", np.ma.array([{"a": 1}, "hidden"], mask=[0, 1], dtype=object), [{"a": 1}, None]),
    ("masked days", np.ma.array(np.array(["2024-01-01"] * 2, "M8[D]"), mask=[0, 1]), [DAY, None]),
    ("masked ns", np.ma.array(np.array([5, 6], "M8[ns]"), mask=[1, 0]), [None, msgpack.Timestamp(0, 6)]),
    ("nothing masked", np.ma.array([1.5, 2.5]), [1.5, 2.5]),
    ("polars date", pl.Series([dt.date(2024, 1, 1), None]), [DAY, None]),
    ("polars Int128", pl.Series([1, 2], dtype=pl.Int128), [1, 2]),
    ("polars categorical", pl.Series(["a", None], dtype=pl.Categorical), ["a", None]),
    ("polars list", pl.Series([[1, None], None]), [[1, None], None]),
    ("nothing", np.array([]), []),
    ("nothing at all", [], []),
]


@pytest.mark.parametrize(("column", "values"), [c[1:] for c in COLUMNS], ids=[c[0] for c in COLUMNS])
def test_every_kind_of_column(twin, column, values):
    f = twin("framing")
    assert f.RowPacker(["x"]).pack({"x": column}) == rows_of(["x"], values)
    assert f.RowPacker(["n", "x"], rows="array").pack([range(len(values)), column]) == msgpack.packb(
        [[i, v] for i, v in enumerate(values)]
    )


@pytest.mark.parametrize("n", [0, 1, 15, 16, 300, 70000])
def test_many_rows(twin, n):
    f = twin("framing")
    symbols = [f"S{i}" for i in range(n)]
    prices = np.arange(n) / 7
    expected = rows_of(
        ["symbol", "a rather long name of a column, longer than thirty", "price"],
        symbols,
        list(range(n)),
        prices.tolist(),
    )
    packer = f.RowPacker(["symbol", "a rather long name of a column, longer than thirty", "price"])
    assert packer.pack([symbols, np.arange(n), prices]) == expected


def test_many_long_values(twin):
    """Columns that ask for room of their own, before numbers that do not."""
    n = 3000
    columns = [np.array(["x" * 30] * n), np.arange(n), np.array([b"y" * 60] * n), np.arange(n) * 0.5]
    columns += [pd.Series(["z" * 100] * n, dtype="category"), np.arange(n).astype("M8[ns]")]
    plain = [c.tolist() for c in columns[:4]] + [["z" * 100] * n, [msgpack.Timestamp(0, i) for i in range(n)]]
    assert twin("framing").RowPacker(list("abcdef")).pack(columns) == rows_of("abcdef", *plain)


def test_data_frames(twin):
    f = twin("framing")
    frame = pd.DataFrame(
        {"price": [1.5, 2.5], "other": [object()] * 2, "symbol": ["A", "B"], "ts": pd.to_datetime([T, T])}
    )
    expected = rows_of(NAMES, ["A", "B"], [STAMP, STAMP], [1.5, 2.5])
    packer = f.RowPacker(NAMES)
    assert packer.pack(frame) == expected
    assert packer.pack(pl.DataFrame({"price": [1.5, 2.5], "symbol": ["A", "B"], "ts": [T, T]})) == expected
    assert (packer.names, packer.rows) == (NAMES, "map")


def test_nan_as_none_writes_none_for_nan(twin):
    f = twin("framing")
    columns = [np.array([1.5, np.nan]), np.array([np.nan, 1], "f4")]
    assert f.RowPacker(["a", "b"], nan_as_none=True).pack(columns) == rows_of("ab", [1.5, None], [None, 1.0])
    assert f.RowPacker(["a", "b"]).pack(columns) == rows_of("ab", [1.5, np.nan], [np.nan, 1.0])


def test_nan_as_none_in_columns_of_objects_and_masked_columns(twin):
    f = twin("framing")
    columns = [
        [1.5, np.nan],
        np.array([np.float64("nan"), "a"], object),
        np.ma.array([np.nan, 2.5], mask=[0, 1]),
        pl.Series([np.nan, None]),
    ]
    expected = rows_of("abcd", [1.5, None], [None, "a"], [None, None], [None, None])
    assert f.RowPacker(list("abcd"), nan_as_none=True).pack(columns) == expected


def test_values_handled_by_default_are_not_converted(twin):
    """`default` comes before dates and NA, as the msgpack package asks it."""
    f = twin("framing")
    packer = f.RowPacker(["x"], default=repr)
    assert packer.pack([[dt.date(2024, 1, 1), pd.NA]]) == rows_of("x", ["datetime.date(2024, 1, 1)", "<NA>"])
    assert f.packb(np.ma.masked, numpy=True) == f.packb(np.ma.array(1, mask=True), numpy=True) == msgpack.packb(None)


@pytest.mark.parametrize("value", [dt.time(1), dt.timedelta(1), np.timedelta64(1, "s"), pd.Timedelta(1), 1j])
def test_unsupported_types_are_named_in_the_error(twin, value):
    with pytest.raises(TypeError, match=f"^obj: expected a type that msgpack has, got {type(value).__name__}$"):
        twin("framing").RowPacker(["x"]).pack([[value]])


def test_single_floats(twin):
    f = twin("framing")
    packer = f.RowPacker(["x"], use_single_float=True)
    assert packer.pack([np.array([0.5, 1.5])]) == msgpack.packb([{"x": 0.5}, {"x": 1.5}], use_single_float=True)
    with pytest.raises(OverflowError, match=r"float too large"):
        packer.pack([np.array([1e300])])


def test_options_reach_the_objects(twin):
    f = twin("framing")
    assert f.RowPacker(["x"], default=sorted).pack([[{2, 1}]]) == rows_of("x", [[1, 2]])
    assert f.RowPacker(["x"], use_bin_type=False).pack([np.array([b"ab"])]) == msgpack.packb(
        [{"x": b"ab"}], use_bin_type=False
    )
    with pytest.raises(TypeError, match=r"^obj: expected a type that msgpack has, got complex$"):
        f.RowPacker(["x"]).pack([np.array([1j])])
    with pytest.raises(UnicodeEncodeError):
        f.RowPacker(["x"]).pack([np.array(["\ud800"])])
    with pytest.raises(ValueError, match=r"^max_depth: expected at most 1 nested levels, got more$"):
        f.RowPacker(["x"], max_depth=1).pack([np.array([1])])
    assert f.RowPacker(["x"], max_depth=1).pack([np.array([])]) == b"\x90"
    assert f.RowPacker(["x"], max_depth=3).pack([[[1]]]) == rows_of("x", [[1]])
    with pytest.raises(ValueError, match=r"^max_depth: expected at most 2 nested levels, got more$"):
        f.RowPacker(["x"], max_depth=2).pack([[[1]]])


@pytest.mark.parametrize("n", [1, 100, 10_000])
def test_frames(twin, n):
    f = twin("framing")
    packer = f.RowPacker(["x"])
    data = packer.pack([np.arange(n)])
    assert packer.frame([np.arange(n)]) == f.frame_packed(data)
    assert packer.frame([np.arange(n)], True) == f.frame_packed(data, True)
    assert packer.frame([np.arange(n)], compress=True, wbits=15) == f.frame_packed(data, True, wbits=15)


@pytest.mark.parametrize(
    ("columns", "error", "text"),
    [
        ({"a": [1]}, ValueError, "columns: expected a column 'b', got none"),
        (pd.DataFrame({"a": [1]}), ValueError, "columns: expected a column 'b', got none"),
        (pl.DataFrame({"a": [1]}), ValueError, "columns: expected a column 'b', got none"),
        ([[1]], ValueError, "columns: expected 2 columns, got 1"),
        (5, TypeError, "columns: expected a mapping, a sequence or a data frame, got int"),
        ([[1], [1, 2]], ValueError, "columns: expected columns of one length, got 1 in 'a' and 2 in 'b'"),
        (
            [np.arange(3), np.arange(2)],
            ValueError,
            "columns: expected columns of one length, got 3 in 'a' and 2 in 'b'",
        ),
        ([[1], np.ones((1, 1))], ValueError, "columns: expected one dimension in 'b', got 2"),
        ([[1], pd.DataFrame({"x": [1]})], ValueError, "columns: expected one dimension in 'b', got 2"),
        ([np.array(1), [1]], ValueError, "columns: expected one dimension in 'a', got 0"),
        ([[1], "x"], TypeError, "columns: expected a sequence in 'b', got str"),
        ([[1], 5], TypeError, "columns: expected a sequence in 'b', got int"),
    ],
)
def test_columns_are_checked(twin, columns, error, text):
    with pytest.raises(error) as caught:
        twin("framing").RowPacker(["a", "b"]).pack(columns)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("names", "options", "error", "text"),
    [
        ("ab", {}, TypeError, "names: expected a sequence of str, got str"),
        (5, {}, TypeError, "names: expected a sequence of str, got int"),
        (["a", 5], {}, TypeError, "names: expected a sequence of str, got int in it"),
        ([], {}, ValueError, "names: expected at least one name, got none"),
        (["a", "a"], {}, ValueError, "names: expected different names, got a, a"),
        (["a"], {"rows": "dict"}, ValueError, "rows: expected 'map' or 'array', got 'dict'"),
        (["a"], {"colour": 1}, TypeError, "RowPacker() got an unexpected keyword argument 'colour'"),
    ],
)
def test_options_are_checked(twin, names, options, error, text):
    with pytest.raises(error) as caught:
        twin("framing").RowPacker(names, **options)
    assert str(caught.value) == text


def test_a_column_that_changes_the_packer(twin):
    """`default` calls the packer's `__init__` while it is packing: the current call keeps its columns."""

    def default(obj):
        packer.__init__(["other"])
        return 1

    packer = twin("framing").RowPacker(["x", "y"], default=default)
    assert packer.pack([[{1}, {2}], np.arange(2)]) == rows_of("xy", [1, 1], [0, 1])
    assert packer.names == ("other",)
