"""Content keys: equal for equal content whatever the layout, different for whatever a reader could tell apart."""

from __future__ import annotations

import copy
import datetime as dt
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore.cache import ContentKey, dataframe_key, sizeof
from fastcore.cache.keys import arguments_key
from python_fallback.cache.shape import Shape

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


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


def test_no_two_contents_have_one_key() -> None:
    keys = {name: dataframe_key(frame) for name, frame in frames().items()}
    seen: dict[ContentKey, str] = {}
    for name, key in keys.items():
        assert key not in seen, (name, seen.get(key))
        seen[key] = name


@pytest.mark.parametrize("name", frames())
def test_a_copy_has_the_same_key(name: str) -> None:
    frame = frames()[name]
    assert dataframe_key(frame.copy()) == dataframe_key(frame)
    assert dataframe_key(copy.deepcopy(frame)) == dataframe_key(frame)


def test_the_layout_in_memory_does_not_count() -> None:
    matrix = np.arange(60.0).reshape(12, 5)
    columns = pd.DataFrame({n: matrix[:, n].copy() for n in range(5)})
    assert dataframe_key(pd.DataFrame(matrix, columns=columns.columns)) == dataframe_key(columns)
    assert dataframe_key(np.asfortranarray(matrix)) == dataframe_key(matrix)
    assert dataframe_key(np.repeat(matrix, 2, axis=0)[::2]) == dataframe_key(matrix)
    assert dataframe_key(matrix[::-1][::-1]) == dataframe_key(matrix)
    frozen = matrix.copy()
    frozen.flags.writeable = False
    assert dataframe_key(frozen) == dataframe_key(matrix)


@given(st.lists(st.text(max_size=4), max_size=5), st.lists(st.text(max_size=4), max_size=5))
def test_texts_are_told_apart(left: list[str], right: list[str]) -> None:
    one, two = np.array(left, dtype=object), np.array(right, dtype=object)
    assert (dataframe_key(one) == dataframe_key(two)) == (left == right)


def test_keys_are_the_same_in_every_process() -> None:
    code = "import numpy, fastcore.cache; print(fastcore.cache.dataframe_key(numpy.arange(5.0)).digest.hex())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == dataframe_key(np.arange(5.0)).digest.hex()


def test_polars() -> None:
    pl = pytest.importorskip("polars")
    data = {
        "a": [1, 2, None],
        "b": ["x", None, "z"],
        "c": [dt.date(2024, 1, n) for n in (1, 2, 3)],
        "d": [True, False, None],
    }
    frame = pl.DataFrame(data)
    assert dataframe_key(frame) == dataframe_key(pl.DataFrame(data))
    others = [
        frame.with_columns(a=pl.Series([1, 2, 0])),
        frame.with_columns(b=pl.Series(["x", "", "z"])),
        frame.rename({"a": "z"}),
        frame.with_columns(pl.col("a").cast(pl.Float64)),
        frame.with_columns(pl.col("c").cast(pl.Datetime)),
        frame.head(2),
        frame["a"],
    ]
    keys = {dataframe_key(each) for each in [frame, *others]}
    assert len(keys) == len(others) + 1


@pytest.mark.parametrize("wrong", [None, 3, "frame", [1.0], {"a": [1]}, object()])
def test_what_has_no_content(wrong: object) -> None:
    with pytest.raises(TypeError, match="frame: expected a DataFrame, a Series or an array, got"):
        dataframe_key(wrong)


def test_objects_without_content() -> None:
    with pytest.raises(TypeError, match="frame: expected objects with content, got object"):
        dataframe_key(np.array([object()], dtype=object))


def test_arguments() -> None:
    array = np.arange(3)
    assert arguments_key(("a",), None) == "a"
    assert arguments_key((1, 2), {"y": 1, "x": 2}) == arguments_key((1, 2), {"x": 2, "y": 1})
    assert arguments_key(([array],), None) == arguments_key(([array.copy()],), None)
    assert arguments_key(([1],), None) != arguments_key(((1,),), None)
    assert arguments_key(({"a": array},), None) == arguments_key(({"a": array},), None)
    typed = Shape(typed=True)
    assert arguments_key((1,), None, typed) != arguments_key((1.0,), None, typed)
    hash(arguments_key(([{"a": {1, 2}}, (array, [array])],), {"k": bytearray(b"x")}))


def test_importing_it_brings_in_neither_numpy_nor_pandas() -> None:
    code = "import sys, fastcore.cache; print([m for m in ('numpy', 'pandas', 'polars', 'xxhash') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# ---- sizes ----


def test_sizes_of_arrays_and_frames() -> None:
    array = np.zeros(1000)
    assert 8000 < sizeof(array) < 8200
    assert 8000 < sizeof(array[:]) < 8200  # a view keeps its base alive
    assert 8000 < sizeof([array, array]) < 8400  # each object once
    assert 16_000 < sizeof({"a": array, "b": [np.zeros(1000)]}) < 17_000
    frame = pd.DataFrame({"a": array, "b": ["text"] * 1000})
    assert sizeof(frame) == int(frame.memory_usage(deep=True).sum())
    assert sizeof(frame["a"]) == int(frame["a"].memory_usage(deep=True))


def test_sizes_of_other_things() -> None:
    class Plain:
        def __init__(self) -> None:
            self.data = b"x" * 5000

    loop: list[Any] = []
    loop.append(loop)
    assert sizeof(loop) == sys.getsizeof(loop)
    assert sizeof(b"x" * 100) == sys.getsizeof(b"x" * 100)
    assert 5000 < sizeof(Plain()) < 6000
    assert sizeof(int) < 5000
