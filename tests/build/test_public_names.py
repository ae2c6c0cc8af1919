"""Where public classes say that they are: pickles and tracebacks carry it, and files behind it may move."""

from __future__ import annotations

import importlib
import inspect
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_independent

PACKAGES = (
    "fastcore", "fastcore.cache", "fastcore.concurrency", "fastcore.framing", "fastcore.heap", "fastcore.indicators",
    "fastcore.memory", "fastcore.metrics", "fastcore.monitor", "fastcore.rollout", "fastcore.streaming",
    "fastcore.tasks",
)  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES)
def test_public_classes_name_no_place_behind_the_package(package: str) -> None:
    module = importlib.import_module(package)
    behind = [
        f"{name}: {value.__module__}"
        for name in module.__all__
        if inspect.isclass(value := getattr(module, name))
        and value.__module__.startswith(("python_fallback", "fastcore._ext"))
    ]
    assert behind == []


def test_the_pure_classes_too() -> None:
    environ = {**os.environ, "FASTCORE_BACKEND": "python"}
    code = (
        "from fastcore import metrics\nprint({c.__module__ for c in (metrics.Counter, metrics.Gauge, metrics.Sketch)})"
    )
    ran = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "{'fastcore.metrics'}"


def test_pickles_name_the_public_place() -> None:
    from fastcore.cache import LRUCache
    from fastcore.framing import Incomplete
    from fastcore.heap import Entry

    for value in (LRUCache[str, int](2).stats(), Entry("a", 1.0, 2), Incomplete):
        data = pickle.dumps(value)
        assert b"python_fallback" not in data
        assert pickle.loads(data) == value


def test_the_examples_use_public_names_only() -> None:
    files = sorted((Path(__file__).resolve().parents[2] / "examples").rglob("*.py"))
    private = r"fastcore(?:\.\w+)*\._[a-z]\w*|from fastcore[\w.]* import .*\b_[a-z]\w*|python_fallback"
    assert {path.name: found for path in files if (found := re.findall(private, path.read_text("utf-8")))} == {}
