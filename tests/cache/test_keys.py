"""Content keys: equal for equal content in any layout, different for any visible difference."""

from __future__ import annotations

import copy
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore import flags
from fastcore.cache import ContentKey, cached, dataframe_key, sizeof
from fastcore.cache.keys import arguments_key
from fastcore.dispatch import backends
from python_fallback.shared.cache.shape import Shape

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")

from tests.cache import contents  # noqa: E402


@pytest.fixture(autouse=True)
def on_backend(backend: str) -> Iterator[None]:
    """Keys made in a test are those of the twin under test."""
    with flags.override("cache", backend):
        yield


def test_different_contents_have_different_keys() -> None:
    seen: dict[ContentKey, str] = {}
    for name, content in contents.all_contents().items():
        key = dataframe_key(content)
        assert key not in seen, (name, seen.get(key))
        seen[key] = name


def test_equal_contents_have_equal_keys() -> None:
    again = contents.all_contents()
    for name, content in contents.all_contents().items():
        assert dataframe_key(content) == dataframe_key(again[name]), name


def test_a_copy_has_the_same_key() -> None:
    for name, content in contents.all_contents().items():
        if name.startswith("arrow") or content is np.ma.masked:
            continue
        copied = content.clone() if name.startswith("polars") else content.copy()
        assert dataframe_key(copied) == dataframe_key(content), name
        if name.startswith(("frame", "dtype")):
            assert dataframe_key(copy.deepcopy(content)) == dataframe_key(content), name


def keys_here() -> dict[str, str]:
    return {name: dataframe_key(content).digest.hex() for name, content in contents.all_contents().items()}


PROCESS = """
from tests.cache.test_keys import keys_here
for name, key in keys_here().items():
    print(ascii(name), key, sep="\\t")
"""


@functools.cache
def keys_of_a_process(backend: str, seed: str) -> dict[str, str]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "FASTCORE_CACHE": backend}
    run = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    return dict(line.split("\t") for line in run.stdout.splitlines())


@pytest.mark.parametrize("other_backend", ["python", "compiled"])
@pytest.mark.parametrize("seed", ["1", "2"])
def test_keys_are_the_same_in_every_process(other_backend: str, seed: str) -> None:
    if other_backend == "compiled" and "compiled" not in BACKENDS_HERE:
        pytest.skip("the compiled twin may not run here")
    assert keys_of_a_process(other_backend, seed) == {ascii(name): key for name, key in keys_here().items()}


def test_the_layout_in_memory_does_not_change_the_key() -> None:
    matrix = np.arange(60.0).reshape(12, 5)
    columns = pd.DataFrame({n: matrix[:, n].copy() for n in range(5)})
    assert dataframe_key(pd.DataFrame(matrix, columns=columns.columns)) == dataframe_key(columns)
    assert dataframe_key(np.asfortranarray(matrix)) == dataframe_key(matrix)
    assert dataframe_key(np.repeat(matrix, 2, axis=0)[::2]) == dataframe_key(matrix)
    assert dataframe_key(matrix[::-1][::-1]) == dataframe_key(matrix)
    frozen = matrix.copy()
    frozen.flags.writeable = False
    assert dataframe_key(frozen) == dataframe_key(matrix)


def test_padding_bytes_do_not_change_the_key() -> None:
    aligned = np.dtype("i1,f8", align=True)
    for dtype in (aligned, np.dtype("g"), np.dtype("G"), np.dtype("g").newbyteorder()):
        clean, dirty = np.ones(3, dtype), np.empty(3, dtype)
        dirty.view(np.uint8)[:] = 0xAA
        dirty[:] = clean
        assert dataframe_key(dirty) == dataframe_key(clean)
        assert dataframe_key(np.zeros(3, dtype)) != dataframe_key(clean)
    integers = pd.array([1, 2], dtype="Int64")
    integers[1] = pd.NA
    assert dataframe_key(integers) == dataframe_key(pd.array([1, None], dtype="Int64"))


def test_a_map_of_a_file_is_an_array(tmp_path: Any) -> None:
    mapped = np.memmap(tmp_path / "m", dtype="f8", mode="w+", shape=(3,))
    assert dataframe_key(mapped) == dataframe_key(np.zeros(3))


def test_computing_a_key_does_not_modify_the_object() -> None:
    masked = contents.masked([0, 1])
    dataframe_key(masked)
    assert masked._fill_value is None


def test_documented_exceptions_do_not_change_the_key() -> None:
    frame = contents.frames()["base"]
    marked = frame.copy()
    marked.attrs["source"] = "feed"
    marked.flags.allows_duplicate_labels = False
    assert dataframe_key(marked) == dataframe_key(frame)
    days = pd.date_range("2024-01-01", periods=3)
    assert dataframe_key(days) == dataframe_key(pd.DatetimeIndex(list(days)).as_unit(days.unit))
    filled = contents.masked([0, 1])
    assert filled.fill_value == 1e20  # reading it stores the default
    assert dataframe_key(filled) == dataframe_key(contents.masked([0, 1]))


def test_chunks_do_not_change_the_key() -> None:
    pl = pytest.importorskip("polars")
    halves = [pl.DataFrame({"a": [1, None], "b": [["x"], []]}), pl.DataFrame({"a": [3], "b": [None]})]
    assert dataframe_key(pl.concat(halves, rechunk=False)) == dataframe_key(pl.concat(halves, rechunk=True))
    assert dataframe_key(pl.Series("a", [0, 1, 2])[1:]) == dataframe_key(pl.Series("a", [1, 2]))


def test_chunks_of_arrow_do_not_change_the_key() -> None:
    pa = pytest.importorskip("pyarrow")
    whole = pa.array(["a", "b", None, "a"]).dictionary_encode()
    for array in (whole, pa.array([1, None, 3, 4]), pa.array(["x", None, "", "y"]), pa.array([[1], None, [], [2]])):
        parts = pa.chunked_array([array[:1], array[1:]])
        assert dataframe_key(pa.table({"a": parts})) == dataframe_key(pa.table({"a": array}))
        assert dataframe_key(array[1:]) == dataframe_key(pa.concat_arrays([array[1:]]))


def test_numbers_of_another_library() -> None:
    ml = pytest.importorskip("ml_dtypes")
    values = np.array([1, 2])
    kinds = (ml.bfloat16, np.float16, ml.float8_e4m3fn, ml.float8_e5m2)
    assert len({dataframe_key(values.astype(kind)) for kind in kinds}) == len(kinds)


@given(st.lists(st.text(max_size=4), max_size=5), st.lists(st.text(max_size=4), max_size=5))
def test_texts_are_distinguished(left: list[str], right: list[str]) -> None:
    one, two = np.array(left, dtype=object), np.array(right, dtype=object)
    assert (dataframe_key(one) == dataframe_key(two)) == (left == right)


def plain_cells() -> st.SearchStrategy[Any]:
    plain = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=3),
        st.binary(max_size=3),
        st.complex_numbers(),
    )
    return st.recursive(
        plain,
        lambda inner: (
            st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=2), inner)
        ),
        max_leaves=8,
    )


def alike(left: Any, right: Any) -> bool:
    """Compare by type and value at every depth; NaNs are alike, zeros of two signs are not."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(alike, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(alike(left[key], right[key]) for key in left)
    if isinstance(left, complex):
        return alike(left.real, right.real) and alike(left.imag, right.imag)
    if isinstance(left, float):
        return repr(left) == repr(right)
    return bool(left == right)


@given(plain_cells(), plain_cells())
def test_objects_are_distinguished(left: Any, right: Any) -> None:
    one, two = contents.cell(left), contents.cell(right)
    assert (dataframe_key(one) == dataframe_key(two)) == alike(left, right)
    assert dataframe_key(contents.cell(copy.deepcopy(left))) == dataframe_key(one)


BACKENDS_HERE = ["python"]
try:
    backends.twin("cache", "compiled")
    BACKENDS_HERE.append("compiled")
except ImportError:
    pass


@given(st.lists(plain_cells(), max_size=20))
def test_both_twins_write_the_same_bytes(items: list[Any]) -> None:
    written = {
        backends.twin("cache", name).encode_cells(items, lambda item: ascii(item).encode()) for name in BACKENDS_HERE
    }
    assert len(written) == 1


def test_writing_the_bytes_of_hostile_cells(backend: str) -> None:
    encode = backends.twin("cache", backend).encode_cells
    items: list[Any] = [[], 1, 2]

    def shrink(item: Any) -> bytes:
        items.clear()
        return b"x" * 10_000

    assert encode(items, shrink) == b"x" * 10_000
    with pytest.raises(TypeError, match="other: expected a function that returns bytes, got str"):
        encode([[]], str)
    with pytest.raises(TypeError, match="items: expected a list, got tuple"):
        encode((), bytes)
    with pytest.raises(ZeroDivisionError):
        encode(["text", []], lambda item: 1 // 0)


def test_objects_without_a_key_are_named_with_their_place() -> None:
    nothing = object()
    frame = pd.DataFrame({"a": [1, 2], "b": pd.Series(["x", [1, {"k": nothing}]], dtype=object)})
    levels = pd.MultiIndex.from_tuples([("x", nothing)])
    cases = {
        "object in item 'k' of a dict of item 1 of a list of row 1 of column 'b'": frame,
        "object in row 0 of the index": pd.Series([1], index=pd.Index([nothing])),
        "object in row 0 of the columns": pd.DataFrame([[1]], columns=[nothing]),
        "object in row 0 of level 1 of the index": pd.Series([1], index=levels),
        "object in item 1": np.array([None, nothing], dtype=object),
        "object in item 0 of field 'a'": np.array([(nothing,)], dtype=[("a", object)]),
        "object in attribute 'unit' of a Quantity": contents.quantity([1.0], nothing),
        "object in attribute 'points' of a Curve of item 0": contents.cell(contents.Curve(nothing)),
        "object in attribute 'price' of a Order of item 0": contents.cell(contents.Order(nothing)),
        "object in attribute 'currency' of a Prices": contents.with_attribute(contents.Prices(), "currency", nothing),
        "generator in item 0": contents.cell(x for x in ()),
        "function in item 0": contents.cell(lambda: None),
        "Lock|lock in item 0": contents.cell(__import__("threading").Lock()),
        "type in item 0": contents.cell(type("Local", (), {})),
    }
    for place, content in cases.items():
        with pytest.raises(TypeError, match=rf"^frame: expected objects with content, got ({place})$"):
            dataframe_key(content)


def test_every_cell_of_a_long_column_changes_the_key() -> None:
    column = pd.Series([f"{n}" for n in range(140_000)], dtype=object)
    keys = {dataframe_key(column)}
    places = [0, 65_535, 65_536, 131_071, 131_072, 139_999]
    for place in places:
        changed = column.copy()
        changed[place] = "changed"
        keys.add(dataframe_key(changed))
    assert len(keys) == len(places) + 1
    column[65_537] = object()
    with pytest.raises(TypeError, match="got object in row 65537"):
        dataframe_key(column)


def test_polars_objects_without_a_key_are_named_with_their_place() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame([pl.Series("a", [1]), pl.Series("b", [object()], dtype=pl.Object)])
    with pytest.raises(TypeError, match=r"frame: expected objects with content, got object in row 0 of column 'b'"):
        dataframe_key(frame)


def test_values_that_contain_themselves() -> None:
    loop: list[Any] = []
    loop.append(loop)
    tree = contents.Order(1)
    tree.price = tree
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    for value in (loop, tree, deep):
        with pytest.raises(TypeError, match="frame: expected objects nested less deeply, got one that may hold itself"):
            dataframe_key(contents.cell(value))
    for value in (loop, deep):
        with pytest.raises(TypeError, match="argument 1: expected values nested less deeply, got a list that may hold"):
            arguments_key((value,), None)


def test_an_error_in_a_deep_value_is_found_at_once() -> None:
    value: Any = object()
    for _ in range(60):
        value = [value]
    with pytest.raises(TypeError, match="got object in item 0 of a list of item 0 of a list"):
        dataframe_key(contents.cell(value))


@pytest.mark.parametrize("wrong", [None, 3, "frame", [1.0], {"a": [1]}, object()])
def test_objects_without_content_are_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="frame: expected a DataFrame, a Series or an array, got"):
        dataframe_key(wrong)


def test_arguments_are_keyed_by_content() -> None:
    values = np.arange(3)
    assert arguments_key(("a",), None) == "a"
    assert arguments_key((1, 2), {"y": 1, "x": 2}) == arguments_key((1, 2), {"x": 2, "y": 1})
    assert arguments_key(([values],), None) == arguments_key(([values.copy()],), None)
    assert arguments_key(([1],), None) != arguments_key(((1,),), None)
    assert arguments_key(({"a": values},), None) == arguments_key(({"a": values.copy()},), None)
    assert arguments_key(({"a": values},), None) != arguments_key(({"a": values + 1},), None)
    assert arguments_key(({"a": values},), None) != arguments_key(({"b": values},), None)
    typed = Shape(typed=True)
    assert arguments_key((1,), None, typed) != arguments_key((1.0,), None, typed)
    hash(arguments_key(([{"a": {1, 2}}, (values, [values])],), {"k": bytearray(b"x")}))


def unlike_arguments() -> list[Any]:
    """Arguments that cannot be hashed, of which no two are alike."""
    return [
        *contents.subclasses().values(),
        [1],
        ([1],),
        {"a": [1]},
        {"a": [2]},
        {1},
        bytearray(b"x"),
        memoryview(bytearray(b"x")),
        memoryview(np.zeros(2)),
        memoryview(np.zeros((2, 1))),
        contents.array.array("d", [1.0]),
        contents.array.array("d", [2.0]),
        contents.Curve(np.zeros(2)),
        contents.Curve(np.ones(2)),
        contents.Frozen(np.zeros(2)),
        contents.Frozen(pd.DataFrame({"a": [1]})),
        contents.Point(np.zeros(2), 1),
        contents.Point(1, np.zeros(2)),
        contents.with_attribute(contents.Tagged([1]), "tag", "a"),
        contents.with_attribute(contents.Tagged([1]), "tag", "b"),
        contents.collections.OrderedDict(a=1, b=2),
        contents.collections.OrderedDict(b=2, a=1),
        contents.collections.deque([1]),
        contents.collections.deque([1], 1),
        contents.types.SimpleNamespace(a=1),
    ]


def test_arguments_that_cannot_be_hashed() -> None:
    keys = [arguments_key((value,), None) for value in unlike_arguments()]
    assert keys == [arguments_key((value,), None) for value in unlike_arguments()]
    assert len(set(keys)) == len(keys)


def test_calls_with_arguments_that_cannot_be_hashed() -> None:
    calls: list[Any] = []

    @cached
    def function(value: Any) -> int:
        calls.append(value)
        return len(calls)

    for _ in range(2):
        for number, value in enumerate(unlike_arguments(), 1):
            assert function(value) == number
    for kind in (TypeError, ValueError):

        class Broken:
            def __hash__(self) -> int:
                raise kind("broken")  # noqa: B023

        with pytest.raises(TypeError, match=r"argument 1: expected arguments that can be hashed, .* got Broken"):
            function(Broken())


def test_pydantic_models_are_keyed_by_their_fields() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Query(pydantic.BaseModel):
        symbol: str
        days: list[int]

    one, other = Query(symbol="A", days=[1]), Query(symbol="A", days=[2])
    assert arguments_key((one,), None) == arguments_key((one.model_copy(deep=True),), None)
    assert arguments_key((one,), None) != arguments_key((other,), None)


def test_arguments_without_a_key_are_named_with_their_place() -> None:
    class Odd:
        __hash__ = None  # type: ignore[assignment]

    refused = r"expected arguments that can be hashed, .* got Odd; pass key="
    for args, kwargs, name in (((1, Odd()), None, "2"), ((), {"x": [Odd()]}, "'x'"), (([{"k": Odd()}],), None, "1")):
        with pytest.raises(TypeError, match=f"^argument {name}: {refused}"):
            arguments_key(args, kwargs)
    frame = pd.DataFrame({"a": pd.Series([object()], dtype=object)})
    with pytest.raises(
        TypeError, match=r"^argument 2: expected objects .* got object in row 0 of column 'a'; pass key="
    ):
        arguments_key((1, frame), None)


def test_importing_loads_neither_numpy_nor_pandas() -> None:
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


def test_sizes_of_objects_of_other_classes() -> None:
    class Plain:
        def __init__(self) -> None:
            self.data = b"x" * 5000

    loop: list[Any] = []
    loop.append(loop)
    assert sizeof(loop) == sys.getsizeof(loop)
    assert sizeof(b"x" * 100) == sys.getsizeof(b"x" * 100)
    assert 5000 < sizeof(Plain()) < 6000
    assert sizeof(int) < 5000
