"""A Switch as a function: its name, signature, pickles, references and constructor."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from fastcore import Switch, flags, metrics
from tests.dispatch.arms import control, fast, freed_without_collector

Make = Callable[..., Switch[..., Any]]

pickled = Switch("test.pickled", control, fast)


def test_it_has_the_name_docstring_and_signature_of_its_control(make: Make) -> None:
    control.tag = "kept"  # type: ignore[attr-defined]
    control.report = "not this one"  # type: ignore[attr-defined]
    switch: Any = make(control, fast)
    assert (switch.__name__, switch.__qualname__, switch.__doc__) == ("control", "control", "The slow one.")
    assert switch.__module__ == control.__module__
    assert switch.__wrapped__ is switch.control is control
    assert switch.candidate is fast
    assert inspect.signature(switch) == inspect.signature(control)
    assert switch.tag == "kept"
    assert callable(switch.report)
    assert inspect.isroutine(switch)
    assert isinstance(switch, Switch)
    assert not inspect.iscoroutinefunction(switch)
    switch.note = 1
    assert switch.note == 1


def test_it_is_a_method_as_a_class_attribute(make: Make) -> None:
    class Service:
        rate = 3
        scaled = make(lambda self, x: ("control", self.rate * x), lambda self, x: ("candidate", self.rate * x))

    service = Service()
    bound = service.scaled
    assert isinstance(bound, types.MethodType)
    assert service.scaled(2) == bound(2) == Service.scaled(service, 2) == ("control", 6)
    assert Service.scaled is Service.__dict__["scaled"]
    flags.set(Service.scaled.flag, "candidate")
    assert service.scaled(2) == bound(2) == ("candidate", 6)


def test_wrap_is_a_decorator(make: Make) -> None:
    @Switch.wrap("test.wrapped", candidate=lambda x: -x)
    def negate(x: int) -> int:
        return 0 - x

    assert isinstance(negate, Switch)
    assert negate(4) == -4
    assert negate.name == negate.flag == "test.wrapped"


def test_a_switch_around_a_switch(make: Make) -> None:
    inner = make(control, fast)
    outer = make(inner, inner)
    assert outer(1) == control(1)
    assert inspect.signature(outer) == inspect.signature(control)
    assert outer.report().control.calls == inner.report().control.calls == 1


def test_pickles_are_the_switch_itself(make: Make) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(pickled, protocol)) is pickled
    assert copy.copy(pickled) is copy.deepcopy([pickled])[0] is pickled
    gone = make(control, name="test.gone")
    data = pickle.dumps(gone)
    del gone
    gc.collect()
    with pytest.raises(LookupError, match=r"Switch test\.gone: expected module \S*conftest\S* to make it"):
        pickle.loads(data)


def test_a_second_of_one_name_replaces_the_first_in_reports(make: Make) -> None:
    first, second = make(control, name="test.twice"), make(fast, name="test.twice")
    assert pickle.loads(pickle.dumps(first)) is second
    assert first(1)[0] == "control"


def test_weak_references_and_cycles(make: Make) -> None:
    class Holder:
        pass

    def cycles() -> list[weakref.ref[Any]]:
        holder: Any = Holder()
        holder.switch = make(lambda: holder, lambda: holder)
        itself: Any = make(control)
        itself.itself = itself
        return [weakref.ref(holder), weakref.ref(holder.switch), weakref.ref(itself)]

    gone = cycles()
    gc.collect()
    assert [ref() for ref in gone] == [None, None, None]


def test_it_is_freed_by_reference_counting(make: Make) -> None:
    assert freed_without_collector([make(lambda: None)])


def test_it_cannot_be_subclassed_or_set_up_twice(make: Make) -> None:
    switch: Any = make(control, fast)
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Mine", (Switch,), {})
    with pytest.raises(TypeError):
        type("Mine", (type(switch),), {})
    with pytest.raises(RuntimeError, match="a Switch is set up once"):
        switch.__init__("again", control)
    with pytest.raises(RuntimeError, match="this Switch has not been set up"):
        type(switch).__new__(type(switch))()
    assert switch(1) == control(1)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"control": None}, TypeError, "control: expected a callable, got NoneType"),
        ({"control": 3}, TypeError, "control: expected a callable, got int"),
        ({"control": control, "candidate": 3}, TypeError, "candidate: expected a callable, got int"),
        ({"control": control, "every": 0}, ValueError, r"every: expected an int in 1\.\.1000000, got 0"),
        ({"control": control, "every": 1.5}, TypeError, "every: expected an int, got float"),
        ({"control": control, "salt": 3}, TypeError, "salt: expected a str, got int"),
        ({"control": control, "salt": "\ud800"}, UnicodeEncodeError, "'utf-8' codec can't encode"),
        ({"control": control, "flag": "a b"}, ValueError, "name: expected printable characters without spaces"),
    ],
)
def test_bad_arguments_are_refused(make: Make, kwargs: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        make(**kwargs)


@pytest.mark.parametrize("name", [None, 3, "", "a b"])
def test_bad_names_are_refused(make: Make, name: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^name: expected"):
        Switch(name, control)


def test_a_refused_switch_is_not_in_reports(make: Make) -> None:
    flags.declare("test.refused")
    flags.set("test.refused", "candidate")
    with pytest.raises(ValueError, match="has no candidate"):
        make(control, name="test.refused")
    assert metrics.snapshot().get("fastcore_calls_total", switch="test.refused", arm="control") is None
    flags.clear("test.refused")


def test_metrics_show_every_switch(make: Make) -> None:
    switch = make(control, every=1)
    switch(1)
    snapshot = metrics.snapshot()
    labels = {"switch": switch.name, "arm": "control"}
    assert snapshot.get("fastcore_calls_total", **labels) == 1
    assert snapshot.get("fastcore_call_errors_total", **labels) == 0
    latency: Any = snapshot.get("fastcore_call_duration_seconds", **labels)
    assert latency[0] == 1
    assert snapshot.get("fastcore_calls_total", switch=switch.name, arm="candidate") is None
