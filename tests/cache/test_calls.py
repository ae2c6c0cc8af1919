"""Which calls of a decorated function share a key."""

from __future__ import annotations

import functools
import inspect
import itertools
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastcore import flags
from fastcore.cache import cached
from fastcore.cache.spelling import spellings

pytestmark = pytest.mark.usefixtures("on_backend")


def plain(a: Any, b: Any = 2) -> Any: ...
def by_name(a: Any, *, b: Any = 2, c: Any = 3) -> Any: ...
def only(a: Any, b: Any = 2, /, c: Any = 3) -> Any: ...
def more(a: Any, *args: Any, b: Any = 2) -> Any: ...
def unsorted(a: Any, *args: Any, d: Any = 2, b: Any = 3) -> Any: ...
def anything(*args: Any, **kwargs: Any) -> Any: ...
def mixed(a: Any, b: Any = 2, *args: Any, c: Any = 3, **kwargs: Any) -> Any: ...
def hidden(a: Any, /, **kwargs: Any) -> Any: ...
def none() -> Any: ...


FUNCTIONS = (plain, by_name, only, more, unsorted, anything, mixed, hidden, none)
VALUES = st.sampled_from([1, 2, 3, "a", "x", None, True, 1.0, 2.0, (1, 2), float("inf"), [1], {"k": [2]}])
CALLS = st.tuples(
    st.lists(VALUES, max_size=4), st.dictionaries(st.sampled_from(["a", "b", "c", "d", "args"]), VALUES, max_size=4)
)


def meaning(function: Callable[..., Any], args: Any, kwargs: Any, defaults: bool) -> Any:
    """What `inspect` says that the arguments of a call are; None for a call that is wrong."""
    try:
        function(*args, **kwargs)  # 3.13.0 binds a positional-only parameter by its name where there are **kwargs
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return None
    if defaults:
        bound.apply_defaults()
    named = dict(bound.arguments)
    named["kwargs"] = dict(sorted(named.get("kwargs", {}).items()))
    return named


def same(one: Any, other: Any) -> bool:
    """Whether two calls have equal arguments, those of other types too, as a dict's keys are equal."""
    return bool(one == other)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(function=st.sampled_from(FUNCTIONS), first=CALLS, second=CALLS, normalize=st.booleans(), typed=st.booleans())
def test_calls_with_equal_arguments_share_a_result(
    backend: str, function: Any, first: Any, second: Any, normalize: bool, typed: bool
) -> None:
    with flags.override("cache", backend):
        call = cached(normalize=normalize, typed=typed)(function)
        meanings = [meaning(function, *each, normalize) for each in (first, second)]
        if None in meanings:
            return
        call(*first[0], **first[1])
        (kept,) = call.cache
        assert kept == call.key(*first[0], **first[1])  # the call object and Python make the same key
        call(*second[0], **second[1])
        one_call = call.cache_info().misses == 1
        kinds = [types(each) for each in meanings]
        if same(*meanings) and kinds[0] == kinds[1]:
            assert one_call
        elif not same(*meanings) or typed:
            assert not one_call


def types(value: Any) -> Any:
    """The types of arguments, and in lists and dicts, in the order of their names."""
    if isinstance(value, dict):
        return {name: types(each) for name, each in value.items()}
    return [types(each) for each in value] if isinstance(value, (list, tuple)) else type(value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(function=st.sampled_from(FUNCTIONS), call=CALLS, written=st.data())
def test_every_way_to_write_a_call_finds_its_result(backend: str, function: Any, call: Any, written: Any) -> None:
    if meaning(function, *call, True) is None:
        return
    ways = list(spellings(function, *call))
    assert all(meaning(function, *way, True) == meaning(function, *call, True) for way in ways)
    args, kwargs = written.draw(st.sampled_from(ways))
    with flags.override("cache", backend):
        memo = cached(function)
        memo(*args, **kwargs)
        assert memo.contains(*call[0], **call[1])
        assert memo.get_entry(*call[0], **call[1]) is not None
        assert memo.invalidate(*call[0], **call[1]) is True
        assert not memo.contains(*args, **kwargs)


def test_names_and_positions_are_one_call() -> None:
    @cached
    def price(symbol: str, days: int = 5, *, adjusted: bool = True) -> tuple[str, int, bool]:
        return symbol, days, adjusted

    price("A"), price(symbol="A"), price("A", 5), price("A", days=5), price(days=5, symbol="A")
    assert price.cache_info()[:2] == (3, 2)  # whether a default is given makes a difference
    price("A", adjusted=False), price(adjusted=False, symbol="A"), price(**{"sym" + "bol": "A", "adjus" + "ted": False})
    assert price.cache_info()[:2] == (5, 3)
    assert price.key("A") == price.key(symbol="A") == "A"
    assert price.invalidate(symbol="A", days=5, adjusted=True) is True  # but not to these methods
    assert price.cache_info().currsize == 1


def test_defaults_are_normalised_on_request() -> None:
    @cached(normalize=True)
    def price(symbol: str, days: int = 5, *, adjusted: bool = True) -> str:
        return symbol

    for args, kwargs in itertools.product([("A",), ("A", 5)], [{}, {"adjusted": True}]):
        price(*args, **kwargs)
    price(days=5, symbol="A", adjusted=True)
    assert price.cache_info()[:2] == (4, 1)
    price("A", 6), price("A", adjusted=False)
    assert price.cache_info().misses == 3


def test_keyword_only_arguments_after_many_others() -> None:
    @cached
    def collect(*args: int, last: int = 0, first: int = 0) -> tuple[int, ...]:
        return (*args, last, first)

    collect(1, 2, 3, last=4, first=5), collect(1, 2, 3, first=5, last=4)
    assert collect.cache_info()[:2] == (1, 1)
    assert list(collect.cache) == [collect.key(1, 2, 3, last=4, first=5)]
    assert collect.invalidate(1, 2, 3, first=5, last=4) is True


def test_names_that_are_no_constants_and_many_of_them() -> None:
    @cached
    def collect(**kwargs: int) -> dict[str, int]:
        return kwargs

    names = {f"name{n}".upper().lower(): n for n in range(60)}
    for count in (1, 2, 23, 24, 25, 60):
        some = dict(list(names.items())[:count])
        assert collect(**some) == collect(**dict(reversed(some.items()))) == some
    assert collect.cache_info()[:2] == (6, 6)


def test_an_argument_given_twice_is_the_functions_error() -> None:
    @cached(normalize=True)
    def price(symbol: str, days: int = 5) -> str:
        return symbol

    with pytest.raises(TypeError, match="multiple values for argument 'symbol'"):
        price("A", symbol="B")  # type: ignore[misc]
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        price("A", day=5)  # type: ignore[call-arg]
    assert price.invalidate("A", symbol="B") is False
    assert price.cache_info().currsize == 0


def test_a_decorator_for_two_functions_makes_two_caches() -> None:
    decorate = cached(ttl=60, tags="two")
    one, two = decorate(lambda n: n + 1), decorate(lambda n: n + 2)
    assert [one(1), two(1), one(1), two(1)] == [2, 3, 2, 3]
    one.cache_clear()
    assert [one.cache_info().currsize, two.cache_info().currsize] == [0, 1]


RECURSIVE: dict[str, dict[str, Any]] = {
    "no options": {},
    "stale": {"ttl": 60, "stale": 60},
    "negative": {"negative_ttl": 5},
    "tags": {"tags": lambda *args: "deep"},
    "key": {"key": lambda *args: args},
    "copy": {"copy": True, "early": True, "ttl": 60},
    "instance": {"per_instance": True, "normalize": True},
}


@pytest.mark.parametrize("options", RECURSIVE.values(), ids=RECURSIVE)
def test_recursion_goes_half_as_deep_as_with_lru_cache_or_deeper(backend: str, options: dict[str, Any]) -> None:
    def depths(decorate: Callable[..., Any]) -> tuple[int, int]:
        reached = [0, 0]

        @decorate
        def down(n: int) -> Any:
            reached[0] = n
            return down(n + 1)

        class Method:
            @decorate
            def down(self, n: int) -> Any:
                reached[1] = n
                return self.down(n + 1)

        for function in (down, Method().down):
            with pytest.raises(RecursionError):
                function(0)
        return reached[0], reached[1]

    with flags.override("cache", backend):
        ours = depths(cached(**options))
    # Since 3.12 only Python's own frames count: one a call with lru_cache, two with a cache, and those of a lookup.
    for mine, theirs in zip(ours, depths(functools.lru_cache(None))):
        assert 2 * mine >= theirs - (12 if sys.version_info >= (3, 12) else 0)
