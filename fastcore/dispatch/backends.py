"""Which twin of a hot path runs."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Literal

from fastcore import _env, _ext

Backend = Literal["compiled", "python"]

HOT_PATHS = ("indicators", "cache", "heap", "framing")
BACKENDS: tuple[Backend, ...] = ("compiled", "python")


def twin(path: str, backend: str) -> ModuleType:
    """Return the module that implements the hot path `path` on `backend`.

    Raises
    ------
    BackendUnavailable
        If `backend` is ``"compiled"`` and the extension may not run.
    """
    if backend == "compiled":
        return _ext.load(path)
    if backend == "python":
        return importlib.import_module(f"python_fallback.{path}")
    raise ValueError(f"backend: expected one of {', '.join(BACKENDS)}, got {backend!r}")


def backend_for(path: str, key: str | None = None) -> Backend:
    """Return the backend that the flag of `path` names now, for the assignment key `key` while it ramps."""
    word = _env.choice("FASTCORE_BACKEND", ("auto", *BACKENDS)) or "auto"
    if word == "auto":
        return "compiled" if _ext.probe(path).module is not None else "python"
    return "compiled" if word == "compiled" else "python"
