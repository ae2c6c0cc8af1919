"""Every test that takes the `backend` fixture runs on both twins; a missing compiled twin is an error unless told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from fastcore import _env, _ext
from fastcore.dispatch import backends

PURE_ONLY = _env.boolean("FASTCORE_NO_EXTENSIONS")


def pytest_report_header() -> list[str]:
    lines = []
    for name in _ext.EXTENSIONS:
        found = _ext.probe(name)
        lines.append(f"fastcore._ext.{name}: {'compiled' if found.module else 'python (' + found.cause + ')'}")
    return lines


def pytest_sessionstart(session: pytest.Session) -> None:
    missing = [name for name in _ext.EXTENSIONS if _ext.probe(name).module is None]
    if _env.boolean("FASTCORE_REQUIRE_EXTENSIONS") and missing:
        raise pytest.UsageError(f"FASTCORE_REQUIRE_EXTENSIONS is set and these extensions may not run: {missing}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if PURE_ONLY:
        loaded = [
            name for name, module in sys.modules.items() if name.startswith("fastcore._ext.") and _is_binary(module)
        ]
        if loaded:
            pytest.exit(f"the pure suite loaded compiled modules: {loaded}", returncode=1)


def _is_binary(module: ModuleType) -> bool:
    return not str(getattr(module, "__file__", "")).endswith(".py")


@pytest.fixture(params=["compiled", "python"])
def backend(request: pytest.FixtureRequest) -> str:
    """The twin under test."""
    name: str = request.param
    if name == "compiled" and PURE_ONLY:
        pytest.skip("the pure suite")
    return name


@pytest.fixture
def twin(backend: str) -> Callable[[str], ModuleType]:
    """``twin("cache")`` is the module that implements the hot path on the backend under test."""

    def load(path: str) -> ModuleType:
        return backends.twin(path, backend)

    return load
