"""Bound methods have the methods of the decorated function."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import types
import weakref
from typing import Any

import pytest

from fastcore.cache import cached

pytestmark = pytest.mark.usefixtures("on_backend")


class Service:
    """At module level, for pickles."""

    def __init__(self, factor: int = 1) -> None:
        self.factor = factor

    @cached(ttl=60, tags="test_methods")
    def price(self, symbol: str, days: int = 5) -> tuple[str, int]:
        """Price of a symbol."""
        return symbol, self.factor

    @cached(ttl=60)
    async def later(self, symbol: str) -> str:
        return symbol

    @cached(ttl=60, per_instance=True)
    def own(self, symbol: str) -> tuple[str, int]:
        return symbol, self.factor


@pytest.fixture(autouse=True)
def empty() -> None:
    for method in (Service.price, Service.later, Service.own):
        method.cache_clear()


@pytest.mark.parametrize("name", ["price", "own", "later"])
def test_a_bound_method_has_the_methods_of_the_function(name: str) -> None:
    service = Service()
    method = getattr(service, name)
    if name == "later":
        assert inspect.iscoroutinefunction(method)
        assert asyncio.iscoroutinefunction(Service.later)
        assert asyncio.run(method("A")) == asyncio.run(method("A")) == "A"
    else:
        assert method("A") == method(symbol="A") == ("A", 1)
    assert method.contains("A")
    assert method.contains(symbol="A")
    assert not method.contains("B")
    assert method.cache_info()[:2] == (1, 1)
    assert method.key("A") == getattr(service, name).key(symbol="A")
    assert method.get_entry("A").value == method.peek("A")
    assert method.peek("B") is method.get_entry("B") is None
    assert method.invalidate("A") is True
    assert method.invalidate("A") is False
    method.put("put", "A")
    assert method.peek("A") == "put"
    fresh = method.refresh("A")
    assert (asyncio.run(fresh) if name == "later" else fresh) == method.peek("A") != "put"
    assert method.stats().size == len(method.cache) == 1
    assert method.cache_parameters()["ttl"] == 60
    method.cache_clear()
    assert method.cache_info().currsize == 0


def test_a_bound_method_is_like_a_method(backend: str) -> None:
    service = Service(3)
    method = service.price
    assert method.__self__ is service
    assert method.__func__ is Service.price
    assert (method.__name__, method.__doc__, method.__module__) == ("price", "Price of a symbol.", __name__)
    assert str(inspect.signature(method)) == "(symbol: 'str', days: 'int' = 5) -> 'tuple[str, int]'"
    assert inspect.isroutine(method)
    assert method == service.price
    assert hash(method) == hash(service.price)
    assert method != Service(3).price
    assert method != service.own
    assert method != 3
    assert "price" in repr(method)
    assert "Service" in repr(method)
    assert weakref.WeakMethod(method)() == method  # type: ignore[arg-type]
    copied = pickle.loads(pickle.dumps(method))
    assert copied.__self__ is not service
    assert copied("A") == ("A", 3)
    assert copy.copy(method)("A") == ("A", 3)
    assert types.MethodType(Service.price, service)("A") == ("A", 3)
    with pytest.raises(AttributeError):
        method.unknown  # noqa: B018
    with pytest.raises(AttributeError):
        method.attribute = 1
    assert pickle.loads(pickle.dumps(Service.price)) is Service.price
    assert Service.__dict__["price"] is Service.price


def test_many_arguments_reach_a_bound_method() -> None:
    class Wide:
        @cached
        def all(self, *args: Any, **kwargs: Any) -> Any:
            return args, kwargs

    method = Wide().all
    names = {f"k{n}": n for n in range(40)}
    for count in (0, 1, 7, 8, 9, 40):
        few = dict(list(names.items())[:count])
        assert method(*range(count), **few) == method(*range(count), **few) == (tuple(range(count)), few)
        assert list(map(method, [count], [count])) == [((count, count), {})]
    assert Wide.all.cache_info().misses == 12


def test_a_method_called_without_its_instance_raises_a_clear_error() -> None:
    for method in (Service.price, Service.own):
        with pytest.raises(TypeError, match=r"missing .* required positional argument"):
            method()  # type: ignore[call-arg]


def test_copies_and_pickles_of_instances_begin_empty() -> None:
    service = Service(1)
    assert service.own("A") == ("A", 1)
    assert list(vars(service)) == ["factor"]
    for other in (copy.copy(service), copy.deepcopy(service), pickle.loads(pickle.dumps(service))):
        assert other.own.contains("A") is False
        other.factor = 2
        assert other.own("A") == ("A", 2)
    assert service.own("A") == ("A", 1)
