"""The codec: values come back as they went in, limits name the argument, damaged bytes are an error, never more."""

from __future__ import annotations

import datetime as dt
import decimal
import pathlib
import struct
import subprocess
import sys
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fastcore.tasks.codec import Codec
from tests.tasks.codec.codec_types import Level, Quote, Rights, Side

codec = Codec()


def back(value: Any) -> Any:
    return codec.decode(codec.encode(value))


def same(a: Any, b: Any) -> None:
    """Equal to the last bit and of one type, all the way down."""
    assert type(a) is type(b)
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    elif isinstance(a, dict):
        assert list(map(repr, a)) == list(map(repr, b))
        for x, y in zip(a.values(), b.values()):
            same(x, y)
    elif isinstance(a, (set, frozenset)):
        assert a == b
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.flags.f_contiguous) == (b.dtype, b.shape, b.flags.f_contiguous)
        assert a.dtype.str == b.dtype.str
        assert a.tolist() == b.tolist() if a.dtype.hasobject else a.tobytes() == b.tobytes()
    elif isinstance(a, np.generic):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()
    elif isinstance(a, float):
        assert struct.pack("d", a) == struct.pack("d", b)
    elif isinstance(a, complex):
        same([a.real, a.imag], [b.real, b.imag])
    elif isinstance(a, decimal.Decimal):
        assert a.as_tuple() == b.as_tuple()
    elif isinstance(a, (dt.datetime, dt.time)):
        assert (a.isoformat(), a.fold, a.tzinfo) == (b.isoformat(), b.fold, b.tzinfo)
    else:
        assert a == b


# ---- round trips: the standard library ----

zones = st.sampled_from(
    [
        None,
        dt.UTC,
        dt.timezone(dt.timedelta(hours=-5)),
        dt.timezone(dt.timedelta(0), "UTC"),
        zoneinfo.ZoneInfo("Asia/Tokyo"),
    ]
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.text(st.characters(codec=None)),  # surrogates too
    st.binary(),
    st.decimals(),
    st.uuids(),
    st.datetimes(timezones=zones).map(lambda t: t.replace(fold=t.microsecond % 2)),
    st.dates(),
    st.times(timezones=zones),
    st.timedeltas(),
    st.sampled_from([*Side, *Level, Rights.READ, Rights.READ | Rights.TRADE, range(3, 9, 2), dt.UTC]),
    st.builds(Quote, st.floats(), st.floats()),
    st.sampled_from([pathlib.Path("/a/b"), pathlib.Path("c")]),
)
keys = st.one_of(
    st.integers(), st.text(), st.binary(), st.dates(), st.tuples(st.integers(), st.text()), st.sampled_from(Side)
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(values)
def test_values_round_trip(value: Any) -> None:
    same(back(value), value)


@settings(max_examples=50, deadline=None)
@given(st.lists(values, max_size=3), st.dictionaries(st.text(max_size=5), values, max_size=3))
def test_calls_round_trip(args: list[Any], kwargs: dict[str, Any]) -> None:
    same(codec.decode_call(codec.encode_call(args, kwargs)), (tuple(args), kwargs))


def test_named_and_fixed_time_zones_are_distinguished() -> None:
    plain, named = dt.timezone(dt.timedelta(hours=2)), dt.timezone(dt.timedelta(hours=2), "CEST")
    assert [back(tz).tzname(None) for tz in (plain, named)] == ["UTC+02:00", "CEST"]
    assert back(dt.UTC) is dt.UTC


def test_views_and_byte_arrays_become_bytes() -> None:
    assert back([bytearray(b"a"), memoryview(b"b")]) == [b"a", b"b"]


def test_named_tuples_within_classes() -> None:
    same(back(Quote.Inner(3)), Quote.Inner(3))


# ---- round trips: numpy ----

dtypes = st.one_of(
    npst.scalar_dtypes(),
    npst.unicode_string_dtypes(),
    npst.byte_string_dtypes(),
    npst.array_dtypes(allow_subarrays=True),
    npst.nested_dtypes(max_leaves=4),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(npst.arrays(dtypes, npst.array_shapes(min_dims=0, min_side=0, max_side=6)), st.sampled_from("CFTS"))
def test_arrays_keep_dtype_shape_order_and_bits(array: np.ndarray[Any, Any], order: str) -> None:
    if order == "F":
        array = np.asfortranarray(array)
    elif order == "T":
        array = array.T
    elif order == "S" and array.ndim:
        array = array[::-1]
    came = back(array)
    same(came, array if array.flags.forc else np.ascontiguousarray(array))
    assert came.flags.writeable
    assert came.flags.aligned


@settings(max_examples=60, deadline=None)
@given(npst.arrays(npst.scalar_dtypes(), (3,)))
def test_numpy_scalars_keep_their_type(array: np.ndarray[Any, Any]) -> None:
    same(back(list(array)), list(array))


@pytest.mark.parametrize("value", [np.str_(""), np.str_("é"), np.bytes_(b"a\0"), np.bool_(True), np.longdouble("0.1")])
def test_odd_scalars(value: Any) -> None:
    came = back(value)
    assert (type(came), came, came.dtype) == (type(value), value, value.dtype)


def test_arrays_of_objects() -> None:
    array = np.array([[None, "x"], [(1, 2), np.float32(3)]], dtype=object)
    same(back(array), array)
    nested = np.empty(2, dtype=object)
    nested[:] = [np.arange(3), [1, 2]]
    came = back(nested)
    same(came[0], np.arange(3))
    assert came[1] == [1, 2]


@pytest.mark.parametrize("dtype", ["f8", ">i2", "O", "M8[25s]", "U7", [("a", "i4"), ("b", "f8", (2, 3))]])
def test_dtypes_themselves(dtype: Any) -> None:
    assert back(np.dtype(dtype)) == np.dtype(dtype)


def test_a_large_array_is_copied_once_at_any_depth() -> None:
    array = np.arange(100_000.0)
    message = codec.encode([{"a": ((array,),)}])
    assert len(message) < array.nbytes + 200
    same(back([{"a": ((array,),)}])[0]["a"][0][0], array)


# ---- round trips: pandas ----

moments = pd.date_range("2024-10-27", periods=4, freq="30min", tz="Europe/Berlin", name="at")
COLUMNS: dict[str, Any] = {
    "float": [1.5, np.nan, -0.0, np.inf],
    "int": np.array([1, 2, 3, 4], dtype="int8"),
    "bool": [True, False, True, True],
    "str": pd.array(["a", None, "c", ""], dtype="str"),
    "string": pd.array(["a", None, "c", ""], dtype="string[python]"),
    "object": pd.Series([(1,), None, "x", 2.5], dtype=object),
    "category": pd.Categorical(["b", "a", None, "b"], categories=["b", "a", "z"], ordered=True),
    "stamp": pd.date_range("2024-01-01", periods=4).as_unit("ms"),
    "zoned": moments,
    "delta": pd.to_timedelta([1, None, 3, 4], unit="s"),
    "Int64": pd.array([1, None, 3, 2**62], dtype="Int64"),
    "Float32": pd.array([1, None, 3, 4], dtype="Float32"),
    "boolean": pd.array([True, None, False, True], dtype="boolean"),
    "period": pd.period_range("2024-01", periods=4, freq="M"),
    "interval": pd.interval_range(0, 4),
    "datetime interval": pd.interval_range(pd.Timestamp("2024-01-01"), periods=4, closed="left"),
    "big": np.array([1, 2, 3, 4], dtype=">f4"),
}
INDEXES: dict[str, Any] = {
    "range": pd.RangeIndex(5, 1, -1, name="n"),
    "zoned": moments,
    "naive": pd.date_range("2024-01-31", periods=4, freq="ME"),
    "without frequency": pd.DatetimeIndex(["2024-01-01", "2024-01-03", "2024-01-02", "NaT"]),
    "delta": pd.timedelta_range(0, periods=4, freq="D", name=("a", 1)),
    "period": COLUMNS["period"],
    "category": pd.CategoricalIndex(["a", "b", "a", "c"], name="c"),
    "interval": COLUMNS["interval"],
    "multi": pd.MultiIndex.from_product([["x", "y"], [1.5, np.nan]], names=["k", None]),
    "object": pd.Index([1, "a", (2,), None], dtype=object),
    "int": pd.Index([3, 1, 1, 2], dtype="uint16", name="i"),
    "masked": pd.Index([3, None, 1, 2], dtype="Int32"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_series_of_every_dtype(name: str) -> None:
    series = pd.Series(COLUMNS[name], index=INDEXES["multi"], name=("s", 1))
    pd.testing.assert_series_equal(back(series), series, check_exact=True)
    pd.testing.assert_extension_array_equal(back(series.array), series.array) if series.array.dtype.kind else None
    alone = back(COLUMNS[name])
    assert type(alone) is type(COLUMNS[name])


@pytest.mark.parametrize("name", INDEXES)
def test_indexes_of_every_type(name: str) -> None:
    index = INDEXES[name]
    came = back(index)
    pd.testing.assert_index_equal(came, index, exact=True, check_exact=True)
    assert getattr(came, "freq", None) == getattr(index, "freq", None)
    frame = pd.DataFrame({"a": range(4), "b": 1.5}, index=index)
    pd.testing.assert_frame_equal(back(frame), frame, check_exact=True, check_freq=True)
    pd.testing.assert_frame_equal(back(frame.T), frame.T, check_exact=True, check_freq=True)


def test_frames_of_all_dtypes_keep_their_attributes() -> None:
    frame = pd.DataFrame(COLUMNS, index=moments)
    frame.columns.name = "columns"
    frame.attrs = {"source": ("exchange", 1), "at": dt.date(2024, 1, 1)}
    frame = frame.set_flags(allows_duplicate_labels=False)
    came = back(frame)
    pd.testing.assert_frame_equal(came, frame, check_exact=True, check_freq=True)
    assert came.attrs == frame.attrs
    assert not came.flags.allows_duplicate_labels
    came.iloc[0, 0] = 7.0  # it may be written to


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=range(3)),
        pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
        pd.DataFrame(np.arange(12.0).reshape(3, 4)[:, ::2]),
        pd.DataFrame({"a": pd.Series([], dtype="datetime64[ns, UTC]")}),
    ],
    ids=["nothing", "no columns", "no rows", "one name twice", "a view", "empty and zoned"],
)
def test_frames_of_odd_shapes(frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(back(frame), frame, check_column_type=True, check_index_type=True)


@settings(max_examples=60, deadline=None)
@given(
    npst.arrays(
        st.sampled_from(["f8", "i4", "M8[ns]", "bool", "U3", "m8[s]"]), npst.array_shapes(min_dims=2, max_dims=2)
    ),
    st.sampled_from(["UTC", "Europe/Berlin", None]),
)
def test_frames_of_one_dtype(array: np.ndarray[Any, Any], zone: str | None) -> None:
    index = pd.date_range("2024-03-30", periods=len(array), freq="h", tz=zone)
    frame = pd.DataFrame(array, index=index)
    pd.testing.assert_frame_equal(back(frame), frame, check_exact=True, check_freq=True)


@pytest.mark.parametrize(
    "value",
    [
        pd.Timestamp("2024-01-01"),
        pd.Timestamp("2024-01-01").as_unit("s"),
        pd.Timestamp("1677-09-21 00:12:43.145224193"),
        pd.Timestamp("2024-10-27 00:30", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timestamp("2024-10-27 01:30", tz="UTC").tz_convert("Europe/Berlin"),
        pd.Timedelta("-1 days 3 ns"),
        pd.Period("2024Q3"),
        pd.Interval(pd.Timestamp("2024"), pd.Timestamp("2025"), "both"),
    ],
)
def test_scalars_of_pandas(value: Any) -> None:
    came = back({"v": (value,)})["v"][0]
    assert (type(came), came, getattr(came, "unit", 0)) == (type(value), value, getattr(value, "unit", 0))
    assert str(came) == str(value)


def test_missing_values_of_pandas_keep_their_identity() -> None:
    came = back([pd.NaT, pd.NA])
    assert came[0] is pd.NaT
    assert came[1] is pd.NA


# ---- imports ----


def test_numpy_and_pandas_are_imported_only_when_needed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "array").write_bytes(codec.encode(np.arange(3)))
    (tmp_path / "frame").write_bytes(codec.encode(pd.DataFrame({"a": [1]})))
    code = (
        "import sys, pathlib, datetime; from fastcore.tasks.codec import Codec; c = Codec()\n"
        "def loaded(): print(*(m for m in ('numpy', 'pandas') if m in sys.modules), flush=True)\n"
        "c.decode(c.encode([1, (2,), {3}, datetime.date.today()])); loaded()\n"
        "print(c.decode(pathlib.Path(sys.argv[1], 'array').read_bytes())); loaded()\n"
        "print(c.decode(pathlib.Path(sys.argv[1], 'frame').read_bytes()).shape); loaded()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.splitlines() == ["", "[0 1 2]", "numpy", "(1, 1)", "numpy pandas"]


def test_a_named_tuple_of_a_module_that_is_not_loaded_keeps_its_fields(tmp_path: pathlib.Path) -> None:
    (tmp_path / "quote").write_bytes(codec.encode(Quote(1.5, 2.5)))
    (tmp_path / "side").write_bytes(codec.encode(Side.BUY))
    code = (
        "import sys, pathlib; from fastcore.tasks.codec import Codec; c = Codec()\n"
        "q = c.decode(pathlib.Path(sys.argv[1], 'quote').read_bytes()); print(q.bid, q.ask, type(q).__name__)\n"
        "try: c.decode(pathlib.Path(sys.argv[1], 'side').read_bytes())\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.splitlines() == [
        "1.5 2.5 Quote",
        "result: cannot be read: message: expected the enum tests.tasks.codec.codec_types.Side to be imported, "
        "got no such class",
    ]
