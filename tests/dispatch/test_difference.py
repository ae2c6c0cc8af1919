"""When two answers are equal, and the description of their differences."""

from __future__ import annotations

import datetime
import decimal
import math
import threading
import types
from array import array
from collections import OrderedDict, UserList, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore.dispatch import difference as differences
from fastcore.dispatch.difference import Incomparable, difference, magnitude

MACD = namedtuple("MACD", "macd signal hist")
nan, inf = math.nan, math.inf
frame = pd.DataFrame({"a": [1.0, nan], "b": ["x", None]}, index=pd.date_range("2026", periods=2, name="day"))


@dataclass
class Point:
    x: float
    y: Any


class Unwritten:
    """Compares, and cannot be written out."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unwritten) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError("no text")


SAME: list[tuple[Any, Any]] = [
    (nan, nan), (inf, inf), (0.0, -0.0), (1.0, 1.0 + 1e-12), (1e300, 1e300 * (1 + 1e-12)),
    (complex(nan, 1), complex(nan, 1)),
    ("a", "a"), (None, None), (2**80, 2**80), (b"a", b"a"), (decimal.Decimal("1.0"), decimal.Decimal("1.00")),
    (np.array([1, nan, inf]), np.array([1 + 1e-12, nan, inf])), (np.float32(nan), np.float32(nan)),
    (np.array(["NaT", "2026"], "M8[ns]"), np.array(["NaT", "2026"], "M8[ns]")), (np.array([], int), np.array([], int)),
    (np.array([{"a": nan}, None], object), np.array([{"a": nan}, None], object)),
    (np.zeros(3)[::2], np.zeros(4)[::2]),
    (np.array([(1, nan)], "i4,f8"), np.array([(1, nan)], "i4,f8")),
    (MACD(1.0, nan, np.ones(2)), MACD(1.0, nan, np.ones(2))), ([1, [2.0, (nan,)]], [1, [2.0, (nan,)]]),
    ({"a": nan, "b": [1]}, {"b": [1], "a": nan}), ({1, 2}, {2, 1}), (Point(nan, [1]), Point(nan, [1])),
    (frame, frame.copy()), (frame["a"], frame["a"].copy()), (frame.index, frame.index.copy()), (pd.NaT, pd.NaT),
    (pd.Series([1, None], dtype="Int64"), pd.Series([1, None], dtype="Int64")),
    (pd.Series(["a", None], dtype="category"), pd.Series(["a", None], dtype="category")),
    (pd.Series([nan], name=nan), pd.Series([nan], name=nan)),
    (pd.MultiIndex.from_product([[1, 2], ["a", "b"]]), pd.MultiIndex.from_product([[1, 2], ["a", "b"]])),
    (pd.array([1.5, None], "Float64"), pd.array([1.5, None], "Float64")), (pd.DataFrame(), pd.DataFrame()),
    (pl.DataFrame({"a": [1.0, nan, None], "b": ["x", None, "y"]}),) * 2,
    (pl.Series("a", [1.0, nan]), pl.Series("a", [1.0 + 1e-12, nan])),
    (pl.DataFrame({"a": [1.0, nan]}), pl.DataFrame({"a": [1.0, nan]})),
    (datetime.date(2026, 1, 1), datetime.date(2026, 1, 1)),
    (deque([1.0, nan]), deque([1.0 + 1e-12, nan])), (UserList([1.0]), UserList([1.0 + 1e-12])),
    (array("d", [1.0, nan]), array("d", [1.0 + 1e-12, nan])), (array("l", [1]), array("l", [1])),
    ({float("nan"): 1.0, "a": 1}, {float("nan"): 1.0, "a": 1}), ({float("nan"), 1}, {float("nan"), 1}),
    ({("a", float("nan")): 1.0, ("b", 1): 2}, {("a", float("nan")): 1.0 + 1e-12, ("b", 1): 2}),
    ({float("nan"), float("nan"), 1}, {float("nan"), float("nan"), 1}),
    ({("a", float("nan"))}, {("a", float("nan"))}), ({frozenset({float("nan")}): 1}, {frozenset({float("nan")}): 1}),
]  # fmt: skip

DIFFERENT: list[tuple[Any, Any, str]] = [
    (1.0, 1.0 + 1e-8, "answer: 1.00000001 instead of 1.0"), (1.0, nan, "answer: nan"), (nan, 1.0, "answer: 1.0"),
    (inf, -inf, "answer: -inf"), (inf, 1e308, "answer: 1e"), (1, 1.0, "answer: a float instead of a int"),
    (True, 1, "a int instead of a bool"), (None, 0, "a int instead of a NoneType"), ("a", "b", "'b' instead of 'a'"),
    (np.float64(1), 1.0, "a float instead of a float64"), (np.ones(2), [1.0, 1.0], "a list instead of a ndarray"),
    (np.ones(2), np.ones(2, np.float32), "dtype float32 instead of float64"),
    (np.ones(2), np.ones((2, 1)), "shape (2, 1) instead of (2,)"),
    (np.ones((2, 3)), np.where(np.eye(2, 3) > 0, 2.0, 1.0), "[0, 0]: np.float64(2.0) instead of np.float64(1.0) (2"),
    (np.array([1.0, inf]), np.array([1.0, 1e308]), "[1]"), (np.array([1, 2]), np.array([1, 3]), "[1]: np.int64(3)"),
    (np.array(["NaT"], "M8[s]"), np.array(["2026"], "M8[s]"), "[0]"),
    (np.array([1, "a"], object), np.array([1, "b"], object), "[1]: 'b'"),
    (MACD(1.0, 2.0, 3.0), MACD(1.0, 2.5, 3.0), ".signal: 2.5 instead of 2.0"), ((1, 2), (1,), "1 items instead of 2"),
    (MACD(1, 2, 3), (1, 2, 3), "a tuple instead of a MACD"),
    ({"a": 1}, {"b": 1}, "keys missing ['a'], keys too many ['b']"),
    ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "['a']['b'][1]: 3 instead of 2"),
    ({}, OrderedDict(), "a OrderedDict instead of a dict"), ({1}, {2}, "values missing [1], values too many [2]"),
    (Point(1.0, 1), Point(1.0, 2), ".y: 2 instead of 1"),
    (frame, frame.rename(columns={"a": "c"}), ".columns[0]: 'c' instead of 'a'"),
    (frame, frame.shift(freq="D"), ".index"), (frame, frame.fillna({"a": 0.0}), "['a'][1]"),
    (frame, frame.astype({"a": "float32"}), "['a']: dtype float32"), (frame, frame.head(1), ".index"),
    (frame, frame.rename_axis("d"), ".index: name 'd' instead of 'day'"),
    (frame["a"], frame["a"].rename("z"), "name 'z' instead of 'a'"),
    (pd.Series([1, None], dtype="Int64"), pd.Series([1, 2], dtype="Int64"), "[1]: missing in one"),
    (pd.Series([1, 2], dtype="Int64"), pd.Series([1, 3], dtype="Int64"), "[1]: np.int64(3)"),
    (pd.Series(["a"], dtype="category"), pd.Series(["b"], dtype="category"), "dtype category"),
    (pd.Series([1.0]), pd.DataFrame({0: [1.0]}), "a DataFrame instead of a Series"),
    (pl.DataFrame({"a": [1.0]}), pl.DataFrame({"a": [2.0]}), "['a'][0]"),
    (pl.DataFrame({"a": [1.0]}), pl.DataFrame({"b": [1.0]}), "columns"),
    (pl.Series("a", [1.0, None]), pl.Series("a", [1.0, 2.0]), "[1]: a float instead of a NoneType"),
    (deque([1.0]), deque([2.0]), "[0]: 2.0 instead of 1.0"), (deque([1.0]), deque(), "0 items instead of 1"),
    (array("d", [1.0]), array("d", [nan]), "[0]: nan instead of 1.0"),
    ({float("nan"): 1}, {float("nan"): 2}, "[nan]: 2 instead of 1"),
    ({("a", float("nan")): 1}, {("a", float("nan")): 2}, "[('a', nan)]: 2 instead of 1"),
    ({("a", float("nan"))}, {("b", float("nan"))}, "values missing [('a', nan)]"),
    ({float("nan"), float("nan")}, {float("nan")}, "values missing [nan, nan]"),
    ({float("nan"): 1, float("nan"): 1}, {float("nan"): 1, float("nan"): 1}, "keys missing [nan, nan]"),
    ({nan, 1}, {nan, 2}, "values missing [1], values too many [2]"),
    ({nan: 1}, {None: 1}, "keys missing [nan], keys too many [None]"),
    ({pd.NA, 1}, {pd.NA, 2}, "values"),
    (Unwritten(1), Unwritten(2), "answer: <Unwritten> instead of <Unwritten>"),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), SAME)
def test_equal_answers_have_no_difference(a: Any, b: Any) -> None:
    assert difference(a, b) == ""
    assert difference([a], [b]) == ""


@pytest.mark.parametrize(("a", "b", "said"), DIFFERENT)
def test_different_answers_are_described(a: Any, b: Any, said: str) -> None:
    assert said in difference(a, b)
    assert difference(b, a)
    assert difference({"k": (a,)}, {"k": (b,)}).startswith("['k'][0]")


def test_numbers_too_long_to_be_written_are_compared() -> None:
    assert difference(10**5000, 10**5000) == ""
    assert difference(10**5000, 10**5000 + 1) == "answer: <int> instead of <int>"


def test_tolerances_are_of_the_control() -> None:
    assert difference(100.0, 101.0, rtol=0.0101) == ""
    assert difference(101.0, 100.0, rtol=0.0099) != ""
    assert difference(0.0, 0.5, rtol=1.0) != ""
    assert difference(np.zeros(1), np.full(1, 0.5), rtol=0, atol=0.5) == ""
    assert difference(1, 2, rtol=10) != ""  # integers are exact


@pytest.mark.parametrize("make", [lambda: iter([1]), lambda: (x for x in "a"), lambda: map(str, "a"), lambda: zip()])
def test_consumed_iterators_are_not_compared(make: Callable[[], Any]) -> None:
    used = make()
    with pytest.raises(Incomparable):
        difference(used, make())
    with pytest.raises(Incomparable):
        difference([used], [used])


def test_depth_is_bounded() -> None:
    a: list[Any] = []
    b: list[Any] = []
    a.append(a)
    b.append(b)
    with pytest.raises(Incomparable, match="nested"):
        difference(a, b)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(values, values)
def test_difference_is_symmetric_and_a_copy_has_none(a: Any, b: Any) -> None:
    import copy

    assert difference(a, copy.deepcopy(a)) == ""
    assert bool(difference(a, b, rtol=0.0)) == bool(difference(b, a, rtol=0.0))


def test_magnitude_is_the_largest_finite_number() -> None:
    assert magnitude((np.array([1.0, -7.0, nan, inf]), "text", 99), {"df": pd.DataFrame({"a": [3], "b": [8.5]})}) == 8.5
    assert magnitude((), {}) == 0.0
    assert magnitude((np.array([]), np.array(["a"]), [object()]), {}) == 0.0


class Plain:
    def __init__(self, value: Any) -> None:
        self.value = value


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Opaque:
    pass


class Model(pydantic.BaseModel):
    rsi: float
    names: list[str] = []


def masked(values: list[float], mask: list[int]) -> Any:
    return np.ma.array(values, mask=mask)


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (Plain(1.0), Plain(1.0 + 1e-12), ""),
        (Plain([1.0, 2.0]), Plain([1.0, 3.0]), ".value[1]: 3.0 instead of 2.0"),
        (Slotted(float("nan")), Slotted(float("nan")), ""),
        (Slotted(1), Slotted(2), ".value: 2 instead of 1"),
        (Model(rsi=float("nan")), Model(rsi=float("nan")), ""),
        (Model(rsi=1.0), Model(rsi=1.0 + 1e-12), ""),
        (Model(rsi=1.0, names=["a"]), Model(rsi=1.0, names=["b"]), ".names[0]: 'b' instead of 'a'"),
        (types.SimpleNamespace(a=float("nan")), types.SimpleNamespace(a=float("nan")), ""),
        (types.SimpleNamespace(a=1), types.SimpleNamespace(b=1), ".a: a object instead of a int"),
        (decimal.Decimal("NaN"), decimal.Decimal("NaN"), ""),
        (decimal.Decimal("1.0"), decimal.Decimal("1.00"), ""),
        (decimal.Decimal("1.0"), decimal.Decimal("1.1"), "answer: Decimal('1.1') instead of Decimal('1.0')"),
        ({"a": 1}.values(), {"b": 1}.values(), ""),
        ({"a": 1}.values(), {"a": 2}.values(), "[0]: 2 instead of 1"),
        ({"a": 1.0}.items(), {"a": 1.0 + 1e-12}.items(), ""),
        ({"a": 1}.keys(), {"b": 1}.keys(), "answer: values missing ['a'], values too many ['b']"),
        (masked([1.0, 2.0], [0, 1]), masked([1.0, 9.0], [0, 1]), ""),
        (
            masked([1.0, 2.0], [0, 1]),
            masked([1.5, 2.0], [0, 1]),
            "answer[0]: np.float64(1.5) instead of np.float64(1.0) (1 of 2 values)",
        ),
        (
            masked([1.0, 2.0], [0, 1]),
            masked([1.0, 2.0], [0, 0]),
            ".mask[1]: np.False_ instead of np.True_ (1 of 2 values)",
        ),
    ],
)
def test_objects_are_compared_by_value(a: Any, b: Any, said: str) -> None:
    assert difference(a, b) == said


@pytest.mark.parametrize("make", [Opaque, object, lambda: lambda: 1, threading.Lock])
def test_objects_without_a_value_are_not_compared(make: Callable[[], Any]) -> None:
    with pytest.raises(Incomparable, match="has no comparison of its own, and no attributes"):
        difference(make(), make())


def test_async_generators_are_not_compared() -> None:
    async def ticks() -> Any:
        yield 1

    with pytest.raises(Incomparable, match="answer: a async_generator can be used only once"):
        difference(ticks(), ticks())


class Hidden:
    """Holds its value in a slot whose name is mangled."""

    __slots__ = ("__value",)

    def __init__(self, value: int) -> None:
        self.__value = value


def structured(value: float, mask: Any = False) -> Any:
    return np.ma.array([(value, 2)], mask=mask, dtype=[("a", "f8"), ("b", "i4")])


def named(*names: Any) -> Any:
    return pd.MultiIndex.from_tuples([(1, 2)], names=names)


def text(*values: Any) -> Any:
    return np.array(values, dtype=np.dtypes.StringDType(na_object=nan))  # type: ignore[attr-defined,unused-ignore]


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (decimal.Decimal("sNaN"), decimal.Decimal("sNaN"), ""),
        (decimal.Decimal("sNaN"), decimal.Decimal(1), "answer: Decimal('1') instead of Decimal('sNaN')"),
        (decimal.Decimal(1), decimal.Decimal("NaN"), "answer: Decimal('NaN') instead of Decimal('1')"),
        (structured(1.0), structured(1.0 + 1e-13), ""),
        (structured(nan), structured(nan), ""),
        (structured(1.0, [(1, 0)]), structured(5.0, [(1, 0)]), ""),
        (structured(1.0)[0], structured(2.0)[0], ".a: np.float64(2.0) instead of np.float64(1.0)"),
        (Hidden(1), Hidden(1), ""),
        (Hidden(1), Hidden(2), "._Hidden__value: 2 instead of 1"),
        (named(nan, "b"), named(float("nan"), "b"), ""),
        (named("a", "b"), named("a", "c"), "answer: levels ['a', 'c'] instead of ['a', 'b']"),
        (pl.DataFrame({"a": [1], "b": [2]}), pl.DataFrame({"a": [1], "c": [2]}), ".columns[1]: 'c' instead of 'b'"),
        (pl.Series([1, None, 3]), pl.Series([1, None, 3]), ""),
        (pl.Series([1, 2, 3]), pl.Series([1, 2, 4]), "answer[2]: np.int64(4) instead of np.int64(3) (1 of 3 values)"),
        ([1, 2.0, "a", None], [1, 2, "a", None], "[1]: a int instead of a float"),
        ({"a": 1, "b": True}, {"a": 1, "b": 1}, "['b']: a int instead of a bool"),
    ],
)  # fmt: skip
def test_values_that_have_no_comparison_of_their_own_kind(a: Any, b: Any, said: str) -> None:
    assert difference(a, b) == said


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="needs numpy 2")
def test_missing_text_of_numpy_is_missing_text() -> None:
    assert difference(text("a", nan), text("a", nan)) == ""
    assert difference(text("a", "b"), text("a", nan)) == "[1]: a float instead of a str"


@pytest.mark.parametrize(
    "value",
    [
        lambda c: np.array([c * 10**6]),
        lambda c: pd.Series([1], name=c * 10**6),
        lambda c: set(map(str, range(10**4))) | {c},
        lambda c: c * 10**6,
    ],
    ids=["array", "name", "set", "text"],
)
def test_descriptions_of_large_values_are_short(value: Callable[[str], Any]) -> None:
    said = difference(value("x"), value("y"))
    assert said
    assert len(said) < 300


def test_lists_that_hold_one_another_many_times_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "LARGEST", 1000)
    ours: list[Any] = [{1}]
    theirs: list[Any] = [{1}]
    for _ in range(30):
        ours, theirs = [ours, ours], [theirs, theirs]
    with pytest.raises(Incomparable, match="more than 1,000 values to compare one by one"):
        difference(ours, theirs)
