"""Switches on the twin under test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fastcore import Switch, _ext
from fastcore.dispatch import flags

_numbers = itertools.count()

Make = Callable[..., Switch[..., Any]]


@pytest.fixture
def make(twin: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """``make(control, candidate, **options)`` is a Switch on the twin under test, on a flag of its own."""
    modules = {name: twin(name) for name in ("switch", "metrics")}
    monkeypatch.setattr(_ext, "pick", modules.__getitem__)
    used: list[str] = []

    def build(control: Any, candidate: Any = None, name: str = "", **options: Any) -> Switch[..., Any]:
        made: Switch[..., Any] = Switch(name or f"test.{next(_numbers)}", control, candidate, **options)
        assert type(made).__module__ == modules["switch"].__name__
        used.append(made.flag)
        return made

    yield build
    for flag in used:
        flags.clear(flag)
        flags.resume(flag)


@pytest.fixture
def quiet_guard(caplog: pytest.LogCaptureFixture) -> None:
    """Guards report their decisions nowhere."""
    caplog.set_level("CRITICAL", "fastcore.guard")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """The file of a journal."""
    return str(tmp_path / "journal.jsonl")
