"""A signature is written in a stub, in the pure twin and in the public class; all say the same.

`make lint` compares the stubs with what the compiled modules say of themselves; a C function seldom says anything, so
the tests of each hot path call it by the names of its arguments.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fastcore import cache, framing, heap
from fastcore.dispatch.twins import Twin

pytestmark = pytest.mark.backend_independent

EXT = Path(__file__).resolve().parents[2] / "fastcore" / "_ext"
P = inspect.Parameter
VARIABLE = (P.VAR_POSITIONAL, P.VAR_KEYWORD)


def stub(name: str) -> dict[str, Any]:
    """The stub as a module: it is Python, and its annotations need no value."""
    text = (EXT / f"{name}.pyi").read_text(encoding="utf-8")
    module: dict[str, Any] = {"__name__": f"stub.{name}"}
    exec(compile(text, f"{name}.pyi", "exec", flags=annotations.compiler_flag), module)
    return {key: value for key, value in module.items() if getattr(value, "__module__", None) == f"stub.{name}"}


def twin_of(name: str) -> ModuleType:
    return importlib.import_module(f"python_fallback.{name}")


def callables(owner: type) -> dict[str, Callable[..., Any]]:
    """The public methods of a class, and the class itself for its constructor."""
    named = {name: getattr(owner, name) for name in dir(owner) if not name.startswith("_")}
    return {"": owner, **{name: method for name, method in named.items() if callable(method)}}


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    found = inspect.signature(function).parameters.values()
    return [p.replace(annotation=P.empty) for p in found if p.name != "self"]


def agree(written: list[inspect.Parameter], twin: list[inspect.Parameter]) -> bool:
    """What is written may have `...` for a default, and name the options that a twin only hands on."""
    if [p.kind for p in written] == [*VARIABLE]:
        return True  # the constructor of a class that only subclasses have
    if twin and twin[-1].kind is P.VAR_KEYWORD and all(p.kind is P.KEYWORD_ONLY for p in written[len(twin) - 1 :]):
        known = {p.name for p in twin[:-1]}
        written, twin = [p for p in written if p.name in known], twin[:-1]
    defaults = [
        p.default if w.default is ... and p.default is not P.empty else w.default for w, p in zip(written, twin)
    ]
    return [p.replace(default=d) for p, d in zip(written, defaults)] == twin and len(written) == len(twin)


def different(written: object, twin: object) -> dict[str, str]:
    """The signatures of a function, or of the methods of a class, that differ from those of the pure twin."""
    ours, theirs = (callables(each) if isinstance(each, type) else {"": each} for each in (written, twin))
    return {
        name: f"{inspect.signature(ours[name])}, of the twin: {inspect.signature(theirs[name])}"
        for name in ours
        if not agree(parameters(ours[name]), parameters(theirs[name]))
    }


MODULES = sorted(path.stem for path in EXT.glob("*.pyi"))
STUBS = [(name, key) for name in MODULES for key in stub(name) if not key.startswith("_")]
COMPILED_ONLY = [("indicators", "isa"), ("indicators", "isas"), ("indicators", "batch")]  # instruction sets
PURE_ONLY = {"Live": {"hold", "release", "renew"}}  # of the lock, which the compiled one does not need


@pytest.mark.parametrize(("module", "name"), [each for each in STUBS if each not in COMPILED_ONLY])
def test_a_stub_has_the_signatures_of_the_pure_twin(module: str, name: str) -> None:
    assert different(stub(module)[name], getattr(twin_of(module), name)) == {}


@pytest.mark.parametrize("module", MODULES)
def test_a_stub_has_every_method_of_the_pure_twin(module: str) -> None:
    classes = {name: one for name, one in stub(module).items() if isinstance(one, type) and not name.startswith("_")}
    for name, one in classes.items():
        assert callables(getattr(twin_of(module), name)).keys() - PURE_ONLY.get(name, set()) == callables(one).keys()


CLASSES = {
    name: (package.__name__.removeprefix("fastcore."), getattr(package, name))
    for package in (cache, framing, heap)
    for name in package.__all__
    if isinstance(getattr(package, name), Twin)
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_public_class_has_the_signatures_of_its_twins(name: str) -> None:
    module, public = CLASSES[name]
    assert different(public, getattr(twin_of(module), name)) == {}
