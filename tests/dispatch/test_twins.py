"""Public classes over two twins: made here from two small modules, so that every rule is seen on both."""

from __future__ import annotations

import inspect
import pickle
import sys
import types
from collections.abc import Iterator, MutableMapping
from typing import Any, Generic, TypeVar

import pytest

import fastcore
from fastcore import _ext, flags
from fastcore.dispatch import backends
from fastcore.dispatch.twins import Twin, migrate

T = TypeVar("T")


class _Box:
    """What both twins do."""

    _public_path = "heap"

    def __init__(self, value: Any = 0) -> None:
        self.value = value

    @property
    def doubled(self) -> Any:
        return self.value * 2

    @classmethod
    def of(cls, value: Any) -> Any:
        return cls(value)

    @staticmethod
    def name() -> str:
        raise NotImplementedError

    def get(self) -> Any:
        return self.value

    def __len__(self) -> int:
        return 3

    def __reduce__(self) -> Any:
        return Box, (self.value,)

    def _take_state(self) -> Any:
        state, self.value = self.value, None
        return state

    @classmethod
    def _from_state(cls, state: Any) -> Any:
        return cls(state)


def _module(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    kind = type("Box", (_Box,), {"__module__": name, "name": staticmethod(lambda: name), "_public_path": "heap"})
    inherited = type("Sub", (kind,), {"__module__": name, "_public_path": "heap"})
    vars(module).update(Box=kind, Sub=inherited)
    return module


MODULES = {"compiled": _module("compiled"), "python": _module("python")}


class Box(metaclass=Twin, path="heap"):
    """The public class."""

    LIMIT = 7

    def __init__(self, value: Any = 0) -> None:
        """Documented here."""

    @property
    def doubled(self) -> Any:
        """Twice the value."""

    @classmethod
    def of(cls, value: Any) -> Any:
        """A box of a value."""

    @staticmethod
    def name() -> str:
        """Which twin."""
        return ""

    def get(self) -> Any:
        """The value."""

    def __len__(self) -> int:
        return 0


class Sub(Box, metaclass=Twin, path="heap"):
    """A public class under a public class."""


@pytest.fixture(autouse=True)
def two_twins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "twin", lambda path, backend: MODULES[backend])
    monkeypatch.setattr(_ext, "load", lambda name: None)
    monkeypatch.setitem(_ext._probed, "heap", _ext.Extension("heap", MODULES["compiled"], "", ""))


@pytest.fixture(params=["compiled", "python"])
def on(request: pytest.FixtureRequest) -> Iterator[str]:
    with flags.override("heap", request.param):
        yield request.param


def test_constructing_returns_the_twin_of_the_flag(on: str) -> None:
    box = Box(3)
    assert type(box) is MODULES[on].Box is Box.twin(on)
    assert box.get() == 3


def test_the_flag_is_read_at_construction() -> None:
    with flags.override("heap", "python"):
        before = Box(1)
        flags.set("heap", "compiled")
        after = Box(2)
    flags.clear("heap")
    assert [type(box).__module__ for box in (before, after)] == ["python", "compiled"]


def test_a_ramp_decides_at_every_construction() -> None:
    with flags.override("heap", "ramp:50"):
        assert {type(Box()).__module__ for _ in range(200)} == {"compiled", "python"}
        for key in map(str, range(20)):
            with fastcore.assigned(key):
                assert len({type(Box()) for _ in range(5)}) == 1


def test_isinstance_and_issubclass_see_both_twins() -> None:
    for module in MODULES.values():
        assert isinstance(module.Box(), Box)
        assert issubclass(module.Box, Box)
        assert isinstance(module.Sub(), Box)
        assert not isinstance(module.Box(), Sub)
    assert issubclass(Sub, Box)
    assert not issubclass(Box, Sub)
    assert issubclass(Box, Box)
    assert not isinstance(3, Box)
    assert not issubclass(int, Box)


def test_without_the_compiled_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    def twin(path: str, backend: str) -> types.ModuleType:
        if backend == "compiled":
            raise _ext.BackendUnavailable("not built")
        return MODULES["python"]

    monkeypatch.setattr(backends, "twin", twin)
    for name, empty in (("_twins", {}), ("_both", ()), ("_bound", (None, object))):
        monkeypatch.setattr(Box, name, empty)
    monkeypatch.setitem(_ext._probed, "heap", _ext.Extension("heap", None, "not built", ""))
    assert type(Box()).__module__ == "python"
    assert isinstance(Box(), Box)
    with pytest.raises(_ext.BackendUnavailable):
        Box.twin("compiled")


def test_unbound_use_reaches_the_instance_s_own(on: str) -> None:
    box = Box(5)
    assert Box.get(box) == 5
    assert Box.__len__(box) == 3
    assert Box.doubled.fget(box) == 10  # type: ignore[attr-defined]
    assert Box.of(4).value == 4
    assert type(Box.of(4)) is MODULES[on].Box
    assert Box.name() == on
    assert Box.LIMIT == 7


def test_explicit_calls_of_a_base_reach_the_twin_despite_overrides(on: str) -> None:
    class Mine(Box):
        def __new__(cls, *args: Any) -> Any:
            mine: Any = Box.__new__(cls)
            mine.made = args
            return mine

        def __init__(self, value: Any) -> None:
            Box.__init__(self, value + 1)

        def get(self) -> Any:
            return ["mine", Box.get(self)]

        def __len__(self) -> int:
            return 10 + Box.__len__(self)

        def __repr__(self) -> str:
            return "mine: " + Box.__repr__(self)

        @property
        def doubled(self) -> Any:
            return ["mine", Box.doubled.fget(self)]  # type: ignore[attr-defined]

        @classmethod
        def of(cls, value: Any) -> Any:
            return ["mine", Box.of(value).value]

    class Third(Mine):
        def get(self) -> Any:
            return ["third", Mine.get(self), super().get(), Box.get(self)]

    mine = Mine(4)
    assert mine.made == (4,)
    assert mine.get() == ["mine", 5]
    assert len(mine) == 13
    assert repr(mine).startswith("mine: <")
    assert mine.doubled == ["mine", 10]
    assert mine.of(7) == ["mine", 7]
    assert Third(4).get() == ["third", ["mine", 5], ["mine", 5], 5]
    assert Box.get(Sub(3)) == 3
    with pytest.raises(TypeError, match=r"Box\.get: expected an instance of Box, got int"):
        Box.get(3)  # type: ignore[arg-type]


def test_cooperative_subclasses(on: str) -> None:
    class Named:
        def __init__(self, *args: Any, name: str = "", **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.name_given = name

        def get(self) -> Any:
            return self.name_given, super().get()  # type: ignore[misc]

    class Mine(Named, Box):
        pass

    assert Mine(5, name="five").get() == ("five", 5)


def test_a_public_class_without_a_twin_represents_its_subclasses(on: str) -> None:
    class Abstract(metaclass=Twin, path="heap"):
        def get(self) -> Any: ...

    class Box(Abstract, metaclass=Twin, path="heap"):
        pass

    box = Box()
    assert isinstance(box, Abstract)
    assert issubclass(Box, Abstract)
    assert not issubclass(Abstract, Box)
    assert Abstract.get(box) == 0
    assert Box[int]() is not None
    assert Box[int, str, float].__args__ == (int, str, float)


def test_documentation_is_the_public_class_s() -> None:
    assert str(inspect.signature(Box)) == "(value: 'Any' = 0) -> 'None'"
    assert Box.__doc__ == "The public class."
    assert Box.get.__doc__ == "The value."
    assert Box.doubled.__doc__ == "Twice the value."
    assert Box.of.__doc__ == "A box of a value."


def test_a_subclass_binds_its_twin_when_it_is_made(on: str) -> None:
    class Mine(Box):
        """Mine."""

        extra: int = 4

        def get(self) -> Any:
            return super().get() + self.extra

        @classmethod
        def kind(cls) -> str:
            return __class__.__name__  # type: ignore[name-defined,no-any-return]

    other = "python" if on == "compiled" else "compiled"
    flags.set("heap", other)
    try:
        mine = Mine(1)
    finally:
        flags.clear("heap")
    assert Mine.__bases__ == (MODULES[on].Box,)
    assert mine.get() == 5
    assert Mine.kind() == "Mine"
    assert isinstance(mine, Box)
    assert issubclass(Mine, Box)
    assert Mine.__doc__ == "Mine."

    class Third(Mine):
        pass

    assert Third(2).get() == 6


def test_a_subclass_with_other_bases(on: str) -> None:
    class Mixed(Box, Generic[T], MutableMapping[str, T]):
        def __getitem__(self, key: str) -> T:
            raise KeyError(key)

        def __setitem__(self, key: str, value: T) -> None: ...
        def __delitem__(self, key: str) -> None: ...
        def __iter__(self) -> Iterator[str]:
            return iter(())

    mixed: Any = Mixed(1)
    assert isinstance(mixed, MutableMapping)
    assert isinstance(mixed, Box)
    assert mixed.get() == 1
    assert Mixed[int]


def test_init_subclass_and_class_keywords(on: str) -> None:
    class Hooked:
        seen: Any = None

        def __init_subclass__(cls, tag: str = "", **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            cls.seen = tag

    class Mine(Box, Hooked, tag="x"):
        pass

    assert Mine.seen == "x"


def test_a_public_class_needs_a_path() -> None:
    with pytest.raises(TypeError, match="Lost: expected path=, the name of a hot path"):

        class Lost(metaclass=Twin):
            pass


def test_pickles_cross_the_twins() -> None:
    sys.modules[__name__].Box = Box  # type: ignore[attr-defined]
    for here, there in (("compiled", "python"), ("python", "compiled")):
        with flags.override("heap", here):
            data = pickle.dumps(Box([1, 2]))
        with flags.override("heap", there):
            found = pickle.loads(data)
        assert type(found) is MODULES[there].Box
        assert found.get() == [1, 2]
    assert pickle.loads(pickle.dumps(Box)) is Box


def test_migrate_moves_the_contents(on: str) -> None:
    box = Box("contents")
    other = "python" if on == "compiled" else "compiled"
    moved = migrate(box, other)
    assert type(moved) is MODULES[other].Box
    assert moved.get() == "contents"
    assert box.get() is None
    assert migrate(moved, other) is moved


def test_migrate_refuses() -> None:
    class Mine(Box):
        pass

    with pytest.raises(TypeError, match="subclasses stay on their twin"):
        migrate(Mine(1), "python")
    with pytest.raises(TypeError, match="obj: expected an object of a class with two twins, got int"):
        migrate(3, "python")
