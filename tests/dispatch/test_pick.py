"""Which twin of the Switch and of the metrics a process gets, and what it may import."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fastcore import _ext

CODE = "import fastcore; print(type(fastcore.Switch('s', abs)).__module__)"


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("FASTCORE_")}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**clean, **env}, check=False
    )


@pytest.mark.skipif(_ext.probe("switch").module is None, reason="there is one twin only")
def test_the_compiled_twin_if_available() -> None:
    for env in ({}, {"FASTCORE_BACKEND": "auto"}, {"FASTCORE_BACKEND": "compiled"}, {"FASTCORE_HEAP": "python"}):
        assert run(CODE, **env).stdout.strip() == "fastcore._ext.switch"


@pytest.mark.parametrize("env", [{"FASTCORE_BACKEND": "python"}, {"FASTCORE_NO_EXTENSIONS": "1"}])
def test_the_pure_twin_otherwise(env: dict[str, str]) -> None:
    assert run(CODE, **env).stdout.strip() == "python_fallback.switch"
    loaded = run("import fastcore, sys; fastcore.Switch; fastcore.status; print(*sys.modules)", **env).stdout.split()
    assert "fastcore._ext.switch" not in loaded
    assert "fastcore._ext.metrics" not in loaded


def test_requiring_the_compiled_twin_says_why_it_is_missing() -> None:
    ran = run(CODE, FASTCORE_NO_EXTENSIONS="1", FASTCORE_BACKEND="compiled")
    assert "BackendUnavailable: fastcore._ext.metrics is not available: switched off by" in ran.stderr


def test_a_wrong_setting_is_an_error_at_first_use() -> None:
    assert run("import fastcore", FASTCORE_BACKEND="fast").returncode == 0
    ran = run("import fastcore; fastcore.flags", FASTCORE_BACKEND="fast")
    assert "ValueError: FASTCORE_BACKEND: expected one of auto, compiled, python, ramp:P with P in 0..100" in ran.stderr


def test_the_switch_loads_neither_numpy_nor_asyncio() -> None:
    loaded = run("import sys; from fastcore import Switch, flags, status; print(*sys.modules)").stdout.split()
    assert {"numpy", "pandas", "asyncio", "unittest"}.isdisjoint(loaded)


def test_unknown_attributes() -> None:
    ran = run("import fastcore; print('Switch' in dir(fastcore)); fastcore.nothing")
    assert ran.stdout.strip() == "True"
    assert "AttributeError: module 'fastcore' has no attribute 'nothing'" in ran.stderr
