"""Which results a call uses: decided by how a decorated function is bound."""

from __future__ import annotations

import abc
import enum
import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from fastcore.cache import cached

pytestmark = pytest.mark.usefixtures("on_backend")


def test_instances_share_results_with_any_name_of_the_first_argument(calls: list[Any]) -> None:
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


def test_classes_created_without_a_class_statement(calls: list[Any]) -> None:
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
