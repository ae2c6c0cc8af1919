"""Callers of cached functions that do their worst: ``hostile_calls.py backend case`` prints "survived" at the end."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

from fastcore import flags
from fastcore.cache import cached

OTHER = {"compiled": "python", "python": "compiled"}
CASES: dict[str, Callable[[str], None]] = {}


def case(function: Callable[[str], None]) -> Callable[[str], None]:
    CASES[function.__name__] = function
    return function


class Key:
    """An argument whose hash and comparison run `strike` while it is armed; equal to all others."""

    strike: Callable[[], object] | None = None

    def __init__(self, at: str = "eq") -> None:
        self.at = at

    def act(self, at: str) -> None:
        strike, here = Key.strike, self.at == at
        if strike is not None and here:
            Key.strike = None
            strike()

    def __hash__(self) -> int:
        self.act("hash")
        return 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return False
        self.act("eq")
        other.act("eq")
        return True


def answering() -> Any:
    """A cached function that returns the same answer whatever it is called with."""

    @cached(maxsize=4)
    def f(k: Any) -> list[str]:
        return ["answer"]

    return f


def struck(strike: Callable[[], object], call: Callable[..., Any]) -> None:
    """Call with a key that strikes in each place, by position and by name, of a cache that holds an equal key."""
    for at in ("hash", "eq"):
        for by_name in (False, True):
            Key.strike = None
            call(k=Key()) if by_name else call(Key())
            Key.strike = strike
            key = Key(at)
            assert (call(k=key) if by_name else call(key)) == ["answer"]
            assert Key.strike is None


@case
def the_cache_is_cleared_while_a_key_is_compared(backend: str) -> None:
    f = answering()
    struck(lambda: f.cache_clear(), f)
    struck(lambda: [f.put(["other", n], n) for n in range(9)], f)
    struck(lambda: f.invalidate(Key()), f)
    struck(lambda: f.cache.resize(1), f)
    f.cache._cache._check()


@case
def the_flag_changes_while_a_key_is_compared(backend: str) -> None:
    f = answering()
    twins = [OTHER[backend], backend]

    def flip() -> None:
        twins.reverse()
        flags.set("cache", twins[1])
        f(3)
        gc.collect()

    for _ in range(4):
        struck(flip, f)
    flags.set("cache", backend)
    f.cache._cache._check()


@case
def a_key_calls_the_function_that_asks_it(backend: str) -> None:
    f = answering()
    struck(lambda: f(Key("eq")), f)
    struck(lambda: f(k=Key("hash")), f)


@case
def the_last_reference_to_a_function_is_dropped_while_it_is_called(backend: str) -> None:
    held: dict[str, Any] = {}

    def drop() -> None:
        held.clear()
        gc.collect()

    for at in ("hash", "eq"):
        held["f"] = answering()
        held["f"](Key())
        Key.strike = drop
        assert held["f"](Key(at)) == ["answer"]
        Key.strike = None


@case
def instances_end_while_their_methods_are_called(backend: str) -> None:
    for per_instance in (False, True):

        class Desk:
            @cached(maxsize=4, per_instance=per_instance)
            def price(self, k: Any) -> list[str]:
                return ["answer"]

        held = [Desk()]
        gone = weakref.ref(held[0])

        def drop(held: list[Desk] = held) -> None:
            held.clear()
            gc.collect()

        for call in (lambda k, d=held: d[0].price(k), lambda k, d=held: d[0].price(k=k)):
            if not held:
                held.append(Desk())
                gone = weakref.ref(held[0])
            call(Key())
            Key.strike = drop
            assert call(Key("eq")) == ["answer"]
            Key.strike = None
        gc.collect()
        assert not per_instance or gone() is None


@case
def results_strike_back_when_they_are_evicted(backend: str) -> None:
    struck_back = []

    class Result:
        def __del__(self) -> None:
            if len(struck_back) < 100:
                struck_back.append(1)
                f(len(struck_back))
                f.cache_clear()

    @cached(maxsize=2)
    def f(n: int) -> Result:
        return Result()

    for n in range(100):
        f(n)
        f(n - 1)
    assert struck_back
    f.cache._cache._check()


@case
def bound_methods_within_bound_methods_come_down_one_by_one(backend: str) -> None:
    class Desk:
        @cached
        def price(self) -> int:
            return 1

    bind = type(Desk().price)
    bound: Any = Desk()
    for _ in range(200_000):
        bound = bind(Desk.__dict__["price"], bound)
    del bound
    desk = Desk()
    desk.price_of = desk.price  # type: ignore[attr-defined]
    gone = weakref.ref(desk.price_of)  # type: ignore[attr-defined]
    del desk
    gc.collect()
    assert gone() is None


@case
def functions_around_functions_come_down_one_by_one(backend: str) -> None:
    def f(n: int) -> int:
        return n

    inner: Any = cached(f)
    for _ in range(2_000):
        outer = cached(lambda n, inner=inner: inner(n))
        outer.inner = inner
        inner = outer
    gone = weakref.ref(inner)
    del inner, outer
    gc.collect()
    assert gone() is None


@case
def a_refresh_loses_its_loop_and_its_key(backend: str) -> None:
    @cached(maxsize=4, ttl=60)
    async def f(k: Any) -> list[str]:
        await asyncio.sleep(0)
        return ["answer"]

    async def main() -> None:
        for at in ("hash", "eq"):
            await f(Key())
            Key.strike = f.cache_clear
            assert await asyncio.gather(f(Key(at)), f(Key()), f(k=Key())) == [["answer"]] * 3

    asyncio.run(main())
    asyncio.run(main())


@case
def names_of_arguments_are_strings_of_a_subclass(backend: str) -> None:
    class Name(str):
        __slots__ = ()

    @cached
    def f(**values: Any) -> int:
        return len(values)

    for n in (1, 2, 23, 24, 25, 60):
        names = {f"name{i}": i for i in range(n)}
        assert f(**names) == f(**dict(reversed(names.items()))) == n
    assert f(**{Name("a"): 1}) == 1
    assert f(**{Name("b"): 1, Name("a"): 2}) == 2


if __name__ == "__main__":
    flags.set("cache", sys.argv[1])
    CASES[sys.argv[2]](sys.argv[1])
    print("survived")
