"""The workflows run what the Makefile runs, on every Python and system that the package is made for."""

from __future__ import annotations

import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="no workflows in an installed copy"),
]


def jobs(path: Path) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return found


def commands(path: Path) -> Iterator[str]:
    for job in jobs(path).values():
        for step in job.get("steps", []):
            if "run" in step:
                yield step["run"].strip()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_command_is_one_target_of_the_makefile(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    for command in commands(path):
        call = re.fullmatch(r"make ([a-z-]+)( [A-Z_]+=.*)?", command)
        assert call, command
        assert call[1] in phony.split(), command


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_job_has_a_timeout(path: Path) -> None:
    assert [name for name, job in jobs(path).items() if "uses" not in job and "timeout-minutes" not in job] == []


def test_the_suite_runs_on_every_python_and_system_of_the_classifiers() -> None:
    matrix = jobs(FOLDER / "tests.yml")["both-backends"]["strategy"]["matrix"]
    classifiers = PROJECT["project"]["classifiers"]
    assert {f"Programming Language :: Python :: {version}" for version in matrix["python"]} == {
        name for name in classifiers if name.startswith("Programming Language :: Python :: ")
    }
    systems = {"ubuntu": "Linux", "macos": "MacOS", "windows": "Windows"}
    assert {systems[os.split("-")[0]] for os in matrix["os"]} == {
        name.split(" :: ")[-1] for name in classifiers if name.startswith("Operating System :: ")
    }


def test_wheels_are_built_for_every_python_of_the_classifiers() -> None:
    built = re.findall(r"cp3(\d+)-\*", PROJECT["tool"]["cibuildwheel"]["build"])
    classifiers = [f"Programming Language :: Python :: 3.{minor}" for minor in built]
    assert classifiers == [
        name for name in PROJECT["project"]["classifiers"] if name.startswith("Programming Language :: Python :: ")
    ]


def test_wheels_are_tested_with_the_packages_of_the_other_pythons() -> None:
    hot = runpy.run_path(str(ROOT / "tools" / "pythons.py"))["HOT_PACKAGES"]
    assert tuple(PROJECT["tool"]["cibuildwheel"]["test-requires"]) == hot


def test_only_the_job_that_publishes_may_write() -> None:
    yaml = pytest.importorskip("yaml")
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}, path.name
        for name, job in jobs(path).items():
            assert job.get("permissions", {}) == ({"id-token": "write"} if name == "publish" else {}), name
