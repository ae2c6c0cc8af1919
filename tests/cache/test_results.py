"""Results of decorated functions: separate for each caller, and awaitable or refused if they serve only one."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
import itertools
import pickle
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from fastcore import flags
from fastcore.cache import cached, restore, save

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


@pytest.fixture(autouse=True)
def on_backend(backend: str) -> Iterator[None]:
    """Decorators made in a test use the twin under test."""
    with flags.override("cache", backend):
        yield


def frame() -> Any:
    return pd.DataFrame({"close": [1.0, 2.0, 3.0], "symbol": ["a", "b", "c"]}, index=pd.Index([1, 2, 3], name="n"))


@dataclasses.dataclass(frozen=True)
class Report:
    name: str
    data: Any


class Bands(NamedTuple):
    upper: Any
    lower: Any


def edit_frame(value: Any) -> None:
    value["more"] = 1.0
    value.iloc[0, 0] = -1.0
    value.loc[2, "symbol"] = "?"
    value.index.name = "changed"
    value.columns = [f"{name}!" for name in value.columns]
    value.attrs["edited"] = True


def edit_series(value: Any) -> None:
    value.iloc[0] = -1.0
    value.name = "changed"
    value.index = [7, 8, 9]


def edit_array(value: Any) -> None:
    with pytest.raises(ValueError, match="read-only"):
        value[0] = -1.0
    with pytest.raises(ValueError, match="cannot set WRITEABLE"):
        value.flags.writeable = True


def fill(value: Any) -> None:
    value[...] = -1.0


Edit = Callable[[Any], None]


def answers() -> dict[str, tuple[Callable[[], Any], Edit]]:
    """Functions' answers, and what a careless caller does to them."""

    def in_list(value: Any) -> None:
        edit_frame(value[0])
        value.append("more")

    def in_dict(value: Any) -> None:
        edit_frame(value["all"]["frame"])
        value["all"]["x"] = value.pop("y")

    def in_ordered(value: Any) -> None:
        edit_series(value["close"])
        value.move_to_end("close")

    return {
        "frame": (frame, edit_frame),
        "series": (lambda: frame()["close"], edit_series),
        "index": (lambda: pd.Index([1, 2], name="n"), lambda value: setattr(value, "name", "changed")),
        "extension array": (lambda: pd.array([1, 2], dtype="Int64"), lambda value: value.__setitem__(0, 9)),
        "array": (lambda: np.arange(3.0), edit_array),
        "array of two dimensions": (lambda: np.zeros((2, 3), order="F"), edit_array),
        "masked array": (
            lambda: np.ma.array([1.0, 2.0], mask=[0, 1]),
            lambda value: value.__setitem__(0, np.ma.masked),
        ),
        "matrix": (lambda: np.array([[1.0, 2.0]]).view(np.matrix), fill),
        "tuple": (lambda: (frame(), 1), lambda value: edit_frame(value[0])),
        "list": (lambda: [frame(), 1], in_list),
        "deque": (lambda: collections.deque([np.zeros(2)], maxlen=1), lambda value: value.append(1)),
        "deque of frames": (lambda: collections.deque([frame(), 1]), lambda value: edit_frame(value[0])),
        "dict": (lambda: {"all": {"frame": frame()}, "y": 1}, in_dict),
        "ordered dict": (lambda: collections.OrderedDict(close=frame()["close"], x=1), in_ordered),
        "named tuple": (lambda: Bands(np.zeros(2), frame()), lambda value: edit_frame(value.lower)),
        "dataclass": (lambda: Report("r", {"f": frame()}), lambda value: edit_frame(value.data["f"])),
    }


def same(left: Any, right: Any) -> bool:
    """Compare by pickles: types, values, names, and what is shared within one answer."""
    return pickle.dumps(left) == pickle.dumps(right)


@pytest.mark.parametrize("name", answers())
def test_editing_a_result_does_not_affect_other_callers(name: str) -> None:
    answer, edit = answers()[name]
    kept_by_function: list[Any] = []

    @cached
    def function() -> Any:
        kept_by_function.append(answer())
        return kept_by_function[-1]

    first = function()
    expected = repr(answer())
    assert repr(first) == expected
    edit(first)
    assert repr(function()) == expected
    edit(function())
    assert repr(function()) == expected
    assert type(function()) is type(answer())
    assert function() is not function()
    assert len(kept_by_function) == 1


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("options", [{}, {"ttl": 60}, {"ttl": 60, "stale": 60}, {"tags": ("t",)}, {"negative_ttl": 5}])
def test_copy_works_with_every_other_option(kind: str, options: dict[str, Any]) -> None:
    if kind == "plain":

        @cached(**options)
        def function(x: int) -> Any:
            return frame()

        call = function
    else:

        @cached(**options)
        async def coroutine_function(x: int) -> Any:
            return frame()

        def call(x: int) -> Any:
            return asyncio.run(coroutine_function(x))  # type: ignore[arg-type]

    for _ in range(3):
        edit_frame(call(1))
    assert call(1).equals(frame())


def test_the_function_may_modify_its_result_later() -> None:
    buffer, table = np.zeros(3), frame()

    @cached
    def function() -> Any:
        return buffer, table

    function()
    buffer[:] = 7
    edit_frame(table)
    assert function()[0].tolist() == [0, 0, 0]
    assert function()[1].equals(frame())
    assert buffer.flags.writeable


def test_callers_that_wait_for_one_computation_get_copies() -> None:
    begun, go = threading.Event(), threading.Event()
    answers: list[Any] = []

    @cached
    def function() -> Any:
        begun.set()
        go.wait(10)
        return {"frame": frame()}

    async def main() -> list[Any]:
        @cached
        async def slow() -> Any:
            await asyncio.sleep(0)
            return [frame()]

        return [each[0] for each in await asyncio.gather(*(slow() for _ in range(4)))]

    threads = [threading.Thread(target=lambda: answers.append(function()["frame"])) for _ in range(4)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    for made in (answers, asyncio.run(main())):
        assert len(made) == 4
        for each in made:
            edit_frame(each)
        assert len({id(each) for each in made}) == 4
    assert function()["frame"].equals(frame())


def test_polars_answers_are_clones() -> None:
    pl = pytest.importorskip("polars")

    @cached
    def function() -> Any:
        return pl.DataFrame({"a": [1, 2]}), pl.Series("s", [1, 2])

    table, series = function()
    table[0, "a"] = 9
    table.columns = ["b"]
    series[0] = 9
    assert function()[0].to_dict(as_series=False) == {"a": [1, 2]}
    assert function()[1].to_list() == [1, 2]


def test_plain_results_are_shared_by_default() -> None:
    shared = cached(lambda: {"a": [1]})
    assert shared() is shared()
    copied = cached(copy=True)(lambda: {"a": [1], "x": np.zeros(2), "f": frame()})
    answer = copied()
    answer["a"].append(2)
    answer["x"][0] = 1
    edit_frame(answer["f"])
    assert copied()["a"] == [1]
    assert copied()["x"].tolist() == [0, 0]
    assert copied()["f"].equals(frame())
    same_for_all = cached(copy=False)(lambda: {"x": np.zeros(2)})
    assert same_for_all() is same_for_all()


def test_attributes_of_an_array_subclass_are_copied_with_it() -> None:
    class Quantity(np.ndarray):  # type: ignore[misc,name-defined]
        unit: str

    def function() -> Any:
        quantity = np.array([1.0]).view(Quantity)
        quantity.unit = "m"
        return quantity

    for mode in ("on-write", True):
        call = cached(copy=mode)(function)  # type: ignore[call-overload]
        for _ in range(2):
            assert (type(call()), call().unit, call().tolist()) == (Quantity, "m", [1.0])


def test_a_result_that_contains_itself() -> None:
    def function() -> Any:
        answer: list[Any] = [np.zeros(1)]
        answer.extend([answer, answer[0]])
        return answer

    for mode in ("on-write", True):
        call = cached(copy=mode)(function)  # type: ignore[call-overload]
        for _ in range(2):
            answer = call()
            assert answer[1] is answer
            assert answer[2] is answer[0]


def test_a_deep_answer_without_arrays() -> None:
    def function() -> Any:
        answer: Any = None
        for _ in range(100_000):
            answer = [answer]
        return answer

    call = cached(function)
    assert call() is call()


@pytest.mark.parametrize("wrong", ["deep", None, 1, "True"])
def test_modes_of_copying_are_checked(wrong: Any) -> None:
    with pytest.raises(ValueError, match='copy: expected "on-write", True or False, got'):
        cached(copy=wrong)


def test_an_answer_that_cannot_be_copied_is_refused_by_name() -> None:
    call = cached(copy=True)(lambda: {"lock": threading.Lock()})
    with pytest.raises(TypeError, match=r"<lambda>: expected a result that can be copied, as copy=True asks, got dict"):
        call()


def test_copies_survive_a_restart(tmp_path: Any) -> None:
    call = cached(lambda x: frame())
    call(1)
    save(call.cache, tmp_path / "c")
    again = cached(lambda x: pytest.fail("computed again"))
    assert restore(again.cache, tmp_path / "c").entries == 1
    edit_frame(again(1))
    assert again(1).equals(frame())


def test_sizes_are_the_bytes_of_the_data() -> None:
    call = cached(max_bytes=20_000)(lambda x: np.zeros(1000))
    for x in range(5):
        call(x)
    assert len(call.cache) == 2


# ---- coroutines and generators that the decorator could not see ----


async def twice(x: int) -> int:
    await asyncio.sleep(0)
    return x * 2


class Client:
    async def __call__(self, x: int) -> int:
        return x * 2

    async def fetch(self, x: int) -> int:
        return x * 2


def behind_a_wrapper(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any) -> Any:
        return function(*args)

    return inner


def coroutine_functions() -> dict[str, Callable[..., Any]]:
    return {
        "partial": functools.partial(twice),
        "partial of a partial": functools.partial(functools.partial(twice)),
        "object": Client(),
        "partial of an object": functools.partial(Client()),
        "bound method": Client().fetch,
        "wrapper": behind_a_wrapper(twice),
        "lambda": lambda x: twice(x),
        "task": lambda x: asyncio.ensure_future(twice(x)),
        "decorated coroutine function": cached(twice),
    }


@pytest.mark.parametrize("options", [{}, {"ttl": 60, "stale": 60}, {"negative_ttl": 5}])
@pytest.mark.parametrize("name", coroutine_functions())
def test_a_plain_function_that_returns_an_awaitable(name: str, options: dict[str, Any]) -> None:
    calls: list[int] = []
    given = coroutine_functions()[name]
    function: Any = given
    if name in ("wrapper", "lambda", "task"):

        def function(x: int) -> Any:
            calls.append(x)
            return given(x)

    call = cached(**options)(function)

    async def main() -> None:
        assert await asyncio.gather(*(call(3) for _ in range(5))) == [6] * 5
        assert await call(3) == 6
        assert await call(4) == 8

    asyncio.run(main())
    asyncio.run(main())
    assert call.cache_info().currsize == 2
    assert len(calls) <= 5 + 1  # those that came before the first was seen to be awaited each made a coroutine


def test_an_awaitable_answer_is_computed_once(recwarn: Any) -> None:
    bodies: list[int] = []

    async def body(x: int) -> int:
        bodies.append(x)
        await asyncio.sleep(0)
        return x

    call = cached(lambda x: body(x))

    async def main() -> None:
        await asyncio.gather(*(call(n % 2) for n in range(10)))

    asyncio.run(main())
    assert sorted(bodies) == [0, 1]
    assert not [each for each in recwarn if "never awaited" in str(each.message)]


def test_errors_of_awaitable_answers_are_not_kept() -> None:
    fails = [True, False]

    async def body(x: int) -> int:
        if fails.pop(0):
            raise ValueError("once")
        return x

    call = cached(lambda x: body(x))

    async def main() -> None:
        with pytest.raises(ValueError, match="once"):
            await call(1)
        assert await call(1) == 1
        assert await call(1) == 1

    asyncio.run(main())


def test_awaitable_answers_after_a_restart(tmp_path: Any) -> None:
    call = cached(lambda x: twice(x))
    assert asyncio.run(call(3)) == 6
    save(call.cache, tmp_path / "c")
    again = cached(lambda x: pytest.fail("computed again"))
    restore(again.cache, tmp_path / "c")
    for _ in range(2):
        assert asyncio.run(again(3)) == 6


def generators() -> dict[str, Callable[..., Any]]:
    async def asynchronous() -> Any:
        yield 1

    return {
        "generator": lambda: (x for x in range(3)),
        "async generator": lambda: asynchronous(),
        "map": lambda: map(str, [1]),
        "zip": lambda: zip([1], [2], strict=True),
        "filter": lambda: filter(None, [1]),
        "enumerate": lambda: enumerate([1]),
        "iterator of a list": lambda: iter([1]),
        "iterator of a dict": lambda: reversed({1: 1}.items()),
        "itertools": lambda: itertools.chain([1], [2]),
    }


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("name", generators())
def test_single_use_results_are_refused(name: str, kind: str) -> None:
    answer = generators()[name]

    async def later() -> Any:
        return answer()

    call: Any = cached(answer) if kind == "plain" else cached(later)
    for _ in range(2):
        with pytest.raises(TypeError, match="expected a result that can be used more than once, got a"):
            call() if kind == "plain" else asyncio.run(call())
    assert call.cache_info().currsize == 0


def test_a_coroutine_that_a_coroutine_returns_is_refused(recwarn: Any) -> None:
    async def later() -> Any:
        return twice(1)

    with pytest.raises(TypeError, match=r"later: expected a result that can be used more than once, got a coroutine"):
        asyncio.run(cached(later)())
    assert not [each for each in recwarn if "never awaited" in str(each.message)]


def test_generator_functions_are_refused_when_they_are_decorated() -> None:
    def generator(x: int = 1) -> Iterator[int]:
        yield x

    class Generator:
        def __call__(self) -> Iterator[int]:
            yield 1

    for function in (generator, functools.partial(generator), Generator(), functools.partial(Generator())):
        with pytest.raises(TypeError, match="function: expected one that returns its result, got the generator"):
            cached(function)


def test_reusable_results_are_served() -> None:
    for value in (range(3), "text", types.SimpleNamespace(a=1), int, print, open(__file__, encoding="utf-8")):  # noqa: SIM115
        call = cached(lambda value=value: value)
        assert call() is call() is value
        if hasattr(value, "close"):
            value.close()
