"""The check that what is measured is the build of the commit that asv names, on the twin that was asked for."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

__all__ = ["ForeignBuild", "check"]


class ForeignBuild(Exception):
    """What would be measured is not what asv would note it as."""


def check() -> None:
    """Raise ForeignBuild unless the installed commit, its binaries and its twin are those that asv is measuring.

    Outside an environment of asv (in tests, or by hand) there is nothing to compare with.
    """
    folder = os.environ.get("ASV_ENV_DIR")
    if folder is None:
        return
    expected = json.loads((Path(folder) / "asv-install-status.json").read_text(encoding="utf-8"))["commit_hash"]
    check_build(expected, Path(sys.prefix))
    check_twins(os.environ.get("FASTCORE_BACKEND", ""))


def check_build(expected: str, prefix: Path) -> None:
    """The commit is written into each wheel by ``../commit_wheel.py``; the loader compares binaries with sources."""
    import fastcore

    place = Path(fastcore.__file__).resolve()
    if prefix.resolve() not in place.parents:
        raise ForeignBuild(f"fastcore: expected the copy installed in {prefix}, got {place}")
    try:
        found = importlib.import_module("fastcore._commit").COMMIT
    except ModuleNotFoundError:
        found = "a build without a commit"
    if found != expected:
        raise ForeignBuild(f"fastcore: expected the build of commit {expected}, got {found}; remove .asv/env")


def check_twins(backend: str) -> None:
    from fastcore import _ext
    from fastcore.dispatch import backends

    if backend == "compiled":
        for name in _ext.EXTENSIONS:
            _ext.load(name)  # raises with the cause: not built, stale, or foreign
    wrong = [path for path in backends.HOT_PATHS if backend and backends.backend_for(path) != backend]
    if wrong:
        raise ForeignBuild(f"FASTCORE_BACKEND: expected {', '.join(wrong)} to run on {backend}")
