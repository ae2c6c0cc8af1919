"""The Makefile's targets and the checks of what CI calls."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastcore import _ext
from fastcore.dispatch import backends

ROOT = Path(__file__).resolve().parents[2]
TARGETS = [
    "setup",
    "demo",
    "serve",
    "compare",
    "soak",
    "test",
    "test-python",
    "test-pythons",
    "test-elsewhere",
    "test-system",
    "lint",
    "asan",
    "cross",
    "test-arm",
    "bench",
    "asv",
    "asv-check",
    "docs",
    "linkcheck",
    "spelling",
    "wheel",
    "wheels",
    "platform-wheels",
    "release-check",
    "clean",
]
pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(not (ROOT / "Makefile").is_file(), reason="no Makefile in an installed copy"),
]


def make(*args: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}  # of the make that runs us
    return subprocess.run(["make", *args], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", TARGETS)
def test_every_target_can_be_planned(target: str, tmp_path: Path) -> None:
    """With no environment there, each target plans to make one first."""
    ran = make("-n", target, f"VENV={tmp_path}/new")
    assert ran.returncode == 0, ran.stderr
    if target != "clean":
        assert f"-m venv {tmp_path}/new" in ran.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_an_old_python_is_refused_by_name(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text(
        f'#!/bin/sh\nshift\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10, 1, 0, 0)\n$*"\n'
    )
    old.chmod(0o755)
    ran = make("setup", f"VENV={tmp_path}/new", f"PYTHON={old}")
    assert ran.returncode != 0
    assert "PYTHON: expected Python 3.11 or newer, got 3.10" in ran.stderr
    assert not (tmp_path / "new").exists()


def test_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {*re.findall(r"@echo 'make ([a-z-]+) ", text)} == {*TARGETS}


def test_every_test_that_a_target_names_is_there() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {*re.findall(r"\btests/[\w/.]+", text)}
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]


def report(drop_loaded: str = "", drop_passed: str = "", elsewhere: str = "") -> str:
    loaded = {f"fastcore._ext.{name}": str(ROOT / "fastcore" / "_ext" / f"{name}.so") for name in _ext.EXTENSIONS}
    passed = {f"{path} {twin}": 3 for path in backends.HOT_PATHS for twin in backends.BACKENDS}
    if elsewhere:
        loaded[f"fastcore._ext.{elsewhere}"] = "/usr/lib/elsewhere.so"
    loaded.pop(f"fastcore._ext.{drop_loaded}", None)
    passed.pop(drop_passed, None)
    return json.dumps({"loaded": loaded, "passed": passed})


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (report(), ""),
        (report(drop_loaded="heap"), "fastcore._ext.heap was never loaded"),
        (report(drop_passed="cache compiled"), "tests/cache: no test passed on the compiled twin"),
        (report(drop_passed="cache python"), "tests/cache: no test passed on the python twin"),
        (report(elsewhere="framing"), "fastcore._ext.framing was loaded from /usr/lib/elsewhere.so"),
    ],
    ids=["complete", "not loaded", "not tested", "not tested in Python", "from elsewhere"],
)
def test_ci_refuses_a_run_that_did_not_test_the_compiled_twins(body: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "twins.json"
    file.write_text(body)
    ran = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "assert_compiled.py"), str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == (1 if fault else 0), ran.stdout + ran.stderr
    assert fault in ran.stderr


@pytest.mark.parametrize(
    ("tag", "changes", "fault"),
    [
        ("v1.2.3", "## [1.2.3] - 2030-01-31\n", ""),
        ("1.2.3", "## [1.2.3] - 2030-01-31\n", "tag: expected v1.2.3, as in fastcore/_version.py, got 1.2.3"),
        ("", "## [1.2.3] - 2030-01-31\n", "tag: expected v1.2.3, as in fastcore/_version.py, got none"),
        ("v1.2.3", "## [Unreleased]\n", "CHANGELOG.md: expected a line '## [1.2.3] - YYYY-MM-DD', found none"),
    ],
    ids=["fits", "other tag", "no tag", "no section"],
)
def test_a_release_needs_its_tag_and_its_section_of_the_changelog(
    tag: str, changes: str, fault: str, tmp_path: Path
) -> None:
    (tmp_path / "fastcore").mkdir()
    (tmp_path / "fastcore" / "_version.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{changes}")
    tool = runpy.run_path(str(ROOT / "tools" / "release_check.py"))
    assert tool["fault"](tag, tmp_path) == (fault and f"release_check: {fault}")
