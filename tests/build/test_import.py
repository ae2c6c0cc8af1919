"""What importing the package loads, in a new interpreter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.backend_independent

Run = Callable[..., "subprocess.CompletedProcess[str]"]

HEAVY = (
    "numpy",
    "pandas",
    "polars",
    "asyncio",
    "multiprocessing",
    "unittest",
    "pydoc",
    "email",
    "http",
    "ssl",
    "sqlite3",
)
EXTRAS = (
    "fastapi",
    "starlette",
    "pydantic",
    "uvicorn",
    "uvloop",
    "websockets",
    "httptools",
    "httpx",
    "plotly",
    "prometheus_client",
    "dask",
    "distributed",
    "nats",
    "bokeh_sampledata",
    "talib",
    "msgpack",
    "psutil",
)
HOT = ("fastcore.cache", "fastcore.heap", "fastcore.framing", "fastcore.indicators")


def loaded_by(run: Run, statement: str, **env: str) -> set[str]:
    """The modules that `statement` adds to those of a bare interpreter."""
    code = f"import sys, json; old = set(sys.modules); {statement}; print(json.dumps(sorted(set(sys.modules) - old)))"
    ran = run(code, **env)
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout))


@pytest.mark.parametrize("env", [{}, {"FASTCORE_NO_EXTENSIONS": "1"}], ids=["compiled", "python"])
def test_import_loads_nothing_heavy_and_no_extra(fresh_python: Run, env: dict[str, str]) -> None:
    tops = {name.partition(".")[0] for name in loaded_by(fresh_python, "import fastcore", **env)}
    assert tops.isdisjoint(HEAVY + EXTRAS), tops & set(HEAVY + EXTRAS)


@pytest.mark.parametrize("env", [{}, {"FASTCORE_NO_EXTENSIONS": "1"}], ids=["compiled", "python"])
def test_import_loads_no_hot_path(fresh_python: Run, env: dict[str, str]) -> None:
    assert loaded_by(fresh_python, "import fastcore", **env).isdisjoint(HOT)


@pytest.mark.parametrize("path", HOT)
def test_a_hot_path_loads_neither_a_dataframe_library_nor_an_extra(fresh_python: Run, path: str) -> None:
    tops = {name.partition(".")[0] for name in loaded_by(fresh_python, f"import {path}")}
    allowed = {"msgpack"}  # a core dependency: the engine of the pure framing twin
    unwanted = {"pandas", "polars", *EXTRAS} - allowed
    assert tops.isdisjoint(unwanted), tops & unwanted


@pytest.mark.parametrize("path", HOT)
def test_hot_paths_do_not_load_each_other(fresh_python: Run, path: str) -> None:
    assert loaded_by(fresh_python, f"import {path}").isdisjoint(set(HOT) - {path})


def test_the_fallback_imports_nothing_of_fastcore(fresh_python: Run) -> None:
    statement = (
        "import pkgutil, importlib, python_fallback; "
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(python_fallback.__path__, 'python_fallback.')]"
    )
    found = {name for name in loaded_by(fresh_python, statement) if name.partition(".")[0] == "fastcore"}
    assert found == set()


def test_star_names_exist(fresh_python: Run) -> None:
    ran = fresh_python("import fastcore; print([n for n in fastcore.__all__ if not hasattr(fastcore, n)])")
    assert ran.stdout.strip() == "[]", ran.stderr
