"""Whose results a call is about: decided by how a decorated function is bound."""

from __future__ import annotations

import abc
import asyncio
import copy
import enum
import functools
import gc
import inspect
import pickle
import threading
import types
import weakref
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from fastcore.cache import cached, named_caches

pytestmark = pytest.mark.usefixtures("on_backend")


@pytest.fixture
def calls() -> list[Any]:
    """What the decorated functions of a test were called with."""
    return []


# ---- what is a method ----


def test_instances_share_results_whatever_the_first_argument_is_called(calls: list[Any]) -> None:
    class Service:
        @cached
        def price(me, symbol: str) -> str:  # noqa: N805
            calls.append(symbol)
            return symbol

    one, two = Service(), Service()
    assert one.price("A") == two.price("A") == Service.price(one, "A") == one.price(symbol="A") == "A"
    assert calls == ["A"]


def test_an_argument_named_self_does_not_make_a_method() -> None:
    class Client:
        def get(self, symbol: str) -> str:
            return "quote of " + symbol

        @staticmethod
        @cached
        def build(cls: type, n: int) -> Any:
            return cls(n)

        @staticmethod
        @cached
        def first(self: Any, n: int) -> Any:
            return self

    default = Client()

    @cached
    @functools.wraps(Client.get)
    def get(*args: Any, **kwargs: Any) -> str:
        return default.get(*args, **kwargs)

    assert [get("AAPL"), get("MSFT")] == ["quote of AAPL", "quote of MSFT"]
    assert [Client.build(str, 1), Client.build(float, 1), Client().build(int, 1)] == ["1", 1.0, 1]
    assert [Client.first("a", 1), Client.first("b", 1)] == ["a", "b"]


def test_a_function_outside_of_a_class_has_no_instance() -> None:
    @cached
    def area(self: Any) -> Any:
        return self.side

    class Square:
        def __init__(self, side: int) -> None:
            self.side = side

        area_of = area

    one, two = Square(1), Square(2)
    assert [area(one), area(two)] == [1, 2]
    assert one.area_of() == two.area_of()  # a method of Square by now
    assert [area(one), area(two)] == [1, 2]


def test_a_function_in_a_class_body_without_instance_is_a_function() -> None:
    class Space:
        @cached
        def double(x: int) -> int:  # noqa: N805
            return 2 * x

    assert [Space.double(1), Space.double(2)] == [2, 4]
    assert Space.double.contains(1)
    assert Space.double.invalidate(2)
    assert not Space.double.contains(2)


def test_class_methods_distinguish_classes(calls: list[Any]) -> None:
    class Shape:
        @classmethod
        @cached
        def inner(cls, n: int) -> tuple[str, int]:
            calls.append(n)
            return cls.__name__, n

        @cached
        @classmethod
        def outer(cls, n: int) -> tuple[str, int]:
            calls.append(n)
            return cls.__name__, n

    class Square(Shape):
        pass

    for name in ("inner", "outer"):
        calls.clear()
        for _ in range(2):
            assert getattr(Shape, name)(1) == getattr(Shape(), name)(1) == ("Shape", 1)
            assert getattr(Square, name)(1) == getattr(Square(), name)(n=1) == ("Square", 1)
        assert calls == [1, 1]
    assert Square.outer.invalidate(1) is True
    assert Square.outer.contains(1) is False
    assert Shape.outer.contains(1) is True


def test_static_methods_and_properties_inside_and_outside(calls: list[Any]) -> None:
    class Box:
        def __init__(self, n: int) -> None:
            self.n = n

        @cached
        @staticmethod
        def outer(x: int) -> int:
            calls.append(x)
            return x

        @staticmethod
        @cached
        def inner(x: int) -> int:
            calls.append(x)
            return x

        @property
        @cached
        def size(self) -> int:
            calls.append("size")
            return self.n

        @cached
        @property
        def depth(self) -> int:
            calls.append("depth")
            return self.n

        @functools.cached_property
        @cached
        def width(self) -> int:
            return self.n

    one, two = Box(1), Box(2)
    assert [Box.outer(1), one.outer(1), Box.inner(1), one.inner(1)] == [1] * 4
    assert calls == [1, 1]
    calls.clear()
    for _ in range(2):
        assert [one.size, two.size, one.depth, two.depth, one.width, two.width] == [1, 2] * 3
    assert calls == ["size", "size", "depth", "depth"]


def test_methods_that_a_class_gets_later(calls: list[Any]) -> None:
    @dataclass  # its instances cannot be hashed
    class Late:
        n: int

    def price(self: Any, symbol: str) -> str:
        calls.append(symbol)
        return symbol

    Late.price = cached(price)  # type: ignore[attr-defined]
    one: Any = Late(1)
    two: Any = Late(2)
    assert one.price("A") == two.price("A") == Late.price(one, "A") == "A"  # type: ignore[attr-defined]
    assert calls == ["A"]
    assert two.price.invalidate("A") is True


def test_classes_that_are_made_in_other_ways(calls: list[Any]) -> None:
    def counting(self: Any, n: int) -> int:
        calls.append(n)
        return n

    @dataclass(slots=True)
    class Slotted:
        x: int = 0
        count = cached(counting)

    class Pair(NamedTuple):
        x: int
        count = cached(counting)

    class Color(enum.Enum):
        RED = 1
        GREEN = 2
        count = cached(counting)

    class Abstract(abc.ABC):
        count = cached(counting)

        @abc.abstractmethod
        def other(self) -> int: ...

    class Concrete(Abstract):
        def other(self) -> int:
            return 0

    Typed = type("Typed", (), {"count": cached(counting)})
    for one, two in (
        (Slotted(1), Slotted(2)),
        (Pair(1), Pair(2)),
        (Color.RED, Color.GREEN),
        (Concrete(), Concrete()),
        (Typed(), Typed()),
    ):
        calls.clear()
        assert one.count(5) == two.count(5) == type(one).count(one, 5) == 5
        assert calls == [5], type(one)


def test_subclasses_overrides_and_super() -> None:
    class Base:
        @cached
        def name(self, n: int) -> str:
            return f"base {n}"

    class Same(Base):
        pass

    class Other(Base):
        @cached
        def name(self, n: int) -> str:
            return "other " + super().name(n)

    assert [Base().name(1), Same().name(1), Other().name(1), Base().name(1)] == [
        "base 1",
        "base 1",
        "other base 1",
        "base 1",
    ]
    assert Same().name.invalidate(1) is True
    assert Base().name.contains(1) is False
    assert Other().name.contains(1) is True


def test_partials_and_dispatch(calls: list[Any]) -> None:
    def pair(self: Any, a: int, b: int) -> tuple[int, int]:
        calls.append((a, b))
        return a, b

    class Holder:
        whole = cached(pair)
        part = functools.partialmethod(cached(pair), 1)

        @functools.singledispatchmethod
        def show(self, x: Any) -> str:
            return "any"

        @show.register
        @cached
        def _(self, x: int) -> str:
            return "int"

    assert Holder().part(2) == Holder().part(2) == (1, 2)
    assert calls == [(1, 2)]
    assert [Holder().show(1), Holder().show("a")] == ["int", "any"]
    call = cached(functools.partial(pair, None, b=5))
    assert [call(1), call(1, b=6), call(a=1), call(1, b=5)] == [(1, 5), (1, 6), (1, 5), (1, 5)]
    bound = functools.partial(Holder.whole, Holder(), 7)
    assert [bound(8), bound(9)] == [(7, 8), (7, 9)]
    assert cached(Holder().whole)(3, 4) == (3, 4)
    assert [cached(len)("abc"), cached(int)("3")] == [3, 3]


def test_another_decorator_around_or_below(calls: list[Any]) -> None:
    def logged(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            calls.append(args[1:])
            return function(*args, **kwargs)

        return wrapper

    class Desk:
        @cached
        @logged
        def below(self, symbol: str, days: int = 5) -> str:
            return symbol

        @logged
        @cached
        def around(self, symbol: str) -> str:
            return symbol

        @cached(ttl=60)
        @cached
        def twice(self, symbol: str) -> str:
            calls.append(symbol)
            return symbol

    one, two = Desk(), Desk()
    assert one.below("A") == two.below("A") == "A"
    assert calls == [("A",)]
    assert one.below.invalidate(symbol="A", days=5) is True  # the signature is that of the wrapped function
    assert one.around("A") == one.around("A") == "A"
    calls.clear()
    assert one.twice("A") == two.twice("A") == "A"
    assert calls == ["A"]


# ---- bound methods ----


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


# ---- per_instance ----


def test_instances_are_distinguished_by_identity(calls: list[Any]) -> None:
    class Numbered:
        def __init__(self, n: int) -> None:
            self.n = n

        @cached(per_instance=True)
        def value(self) -> int:
            calls.append(self.n)
            return self.n

        @property
        @cached(per_instance=True)
        def size(self) -> int:
            return self.n

    class Equal(Numbered):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Equal)

        def __hash__(self) -> int:
            return 1

    class Unhashable(Numbered):
        __hash__ = None  # type: ignore[assignment]

    for kind in (Equal, Unhashable):
        calls.clear()
        one: Any = kind(1)
        two: Any = kind(2)
        for _ in range(2):
            assert [one.value(), two.value(), kind.value(one), one.size, two.size] == [1, 2, 1, 1, 2]  # type: ignore[attr-defined]
        assert calls == [1, 2]
        one.value.invalidate()
        assert [one.value(), two.value()] == [1, 2]
        assert calls == [1, 2, 1]


def test_results_die_with_their_instance() -> None:
    class Result:
        pass

    results: list[weakref.ref[Any]] = []

    class Holder:
        @cached(per_instance=True, ttl=60, stale=60)
        def make(self, n: int) -> Result:
            result = Result()
            results.append(weakref.ref(result))
            return result

    first, second = Holder(), Holder()
    first.make(1), second.make(1)
    alive = weakref.ref(first)
    del first
    gc.collect()
    assert alive() is None
    assert [result() is None for result in results] == [True, False]
    assert Holder.make.cache_info().currsize == 1
    for _ in range(1000):  # their addresses are used again
        holder = Holder()
        made = holder.make(1)
        assert made is results[-1]()
        del holder
    gc.collect()
    assert Holder.make.cache_info().currsize == 1


def test_bounds_and_clearing_with_instances() -> None:
    class Small:
        @cached(per_instance=True, maxsize=2)
        def square(self, n: int) -> int:
            return n * n

    one, two = Small(), Small()
    for n in range(5):
        one.square(n)
    two.square(1)
    assert one.square.cache_info() == (0, 5, 2, 2)
    assert Small.square.cache_info() == (0, 6, 2, 3)
    one.square.cache_clear()
    assert Small.square.cache_info() == (0, 1, 2, 1)
    Small.square.cache_clear()
    assert two.square.cache_info() == (0, 0, 2, 0)


def test_instances_and_monitoring() -> None:
    class Named:
        @cached(per_instance=True, name="test_instances")
        def square(self, n: int) -> int:
            return n * n

    kept = [Named() for _ in range(3)]
    for each in kept:
        each.square(2), each.square(2), each.square(3)
    caches = named_caches()["test_instances"]
    stats = caches.stats()
    assert (stats.hits, stats.misses, stats.size, len(caches), caches.currsize) == (3, 6, 6, 6, 6)
    from fastcore.cache import expire_caches, shrink_caches

    assert shrink_caches(0.5)["test_instances"] == 3
    assert expire_caches() >= 0
    caches.clear()
    assert len(caches) == 0


def test_copies_and_pickles_of_instances_begin_empty() -> None:
    service = Service(1)
    assert service.own("A") == ("A", 1)
    assert list(vars(service)) == ["factor"]
    for other in (copy.copy(service), copy.deepcopy(service), pickle.loads(pickle.dumps(service))):
        assert other.own.contains("A") is False
        other.factor = 2
        assert other.own("A") == ("A", 2)
    assert service.own("A") == ("A", 1)


def test_instances_without_weak_references_are_refused() -> None:
    class Slots:
        __slots__ = ("x",)

        @cached(per_instance=True)
        def value(self) -> int:
            return 1

    class Weak(Slots):
        __slots__ = ("__weakref__",)

    with pytest.raises(TypeError, match=r"per_instance: expected instances with weak references, got Slots; add"):
        Slots().value()
    assert Weak().value() == 1


def test_class_methods_with_a_cache_for_each_class() -> None:
    class Base:
        @classmethod
        @cached(per_instance=True)
        def name(cls) -> str:
            return cls.__name__

    class Derived(Base):
        pass

    assert [Base.name(), Derived.name(), Base().name()] == ["Base", "Derived", "Base"]


def test_per_instance_changes_nothing_for_a_function(calls: list[Any]) -> None:
    class Thing:
        pass

    @cached(per_instance=True)
    def name(thing: Any) -> Any:
        calls.append(thing)
        return thing

    thing = Thing()
    assert [name(1), name(1), name("a"), name(thing), name(thing), name(thing=1)] == [1, 1, "a", thing, thing, 1]
    assert calls == [1, "a", thing]
    assert name.cache_info()[:2] == (3, 3)


def test_an_instance_may_be_used_from_many_threads() -> None:
    class Shared:
        made = 0

        @cached(per_instance=True)
        def value(self, n: int) -> int:
            Shared.made += 1
            return n

    shared = Shared()
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        for n in range(200):
            assert shared.value(n) == n

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Shared.made == 200
    assert Shared.value.cache_info().misses >= 200


def test_finalizers_may_call_the_cached_method() -> None:
    seen: list[int] = []

    class Ending:
        @cached(per_instance=True)
        def value(self) -> int:
            return 5

        def __del__(self) -> None:
            seen.append(self.value())

    Ending()
    loop: Any = Ending()
    loop.value()
    loop.itself = loop
    del loop
    gc.collect()
    assert seen == [5, 5]
    assert Ending.value.cache_info().currsize == 0
