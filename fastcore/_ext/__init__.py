"""The compiled twins: which extensions exist, and whether each may be loaded.

`load` imports one extension; `probe` says why it may or may not run. Importing this package loads none.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import mmap
import os
import sys
import threading
from types import ModuleType
from typing import NamedTuple

from fastcore import _env
from fastcore._ext._sources import EXTENSIONS, stamp_of
from fastcore._version import __version__

__all__ = ["EXTENSIONS", "BackendUnavailable", "Extension", "load", "pick", "probe"]

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_REMEDY = "run `make setup` in a checkout, or `pip install --force-reinstall fastcore-native` with a C compiler"

_lock = threading.RLock()
_probed: dict[str, Extension] = {}


class BackendUnavailable(ImportError):
    """The compiled twin was asked for by name and cannot run; the text names the module, the cause and the remedy.

    Examples
    --------
    >>> from fastcore import BackendUnavailable
    >>> from fastcore.cache import LRUCache, migrate
    >>> try:
    ...     cache = migrate(LRUCache(10), "compiled")
    ... except BackendUnavailable as error:          # no extension was built, or FASTCORE_NO_EXTENSIONS=1 is set
    ...     cache = LRUCache(10)
    """

    __module__ = "fastcore"


class Extension(NamedTuple):
    """The state of one compiled extension.

    Attributes
    ----------
    name : str
        Its name below ``fastcore._ext``.
    module : module or None
        The loaded extension; None when it may not run.
    cause : str
        Why it may not run; empty when it is loaded.
    path : str
        The file it was, or would have been, loaded from; empty when there is none.
    """

    name: str
    module: ModuleType | None
    cause: str
    path: str


def probe(name: str) -> Extension:
    """Load the extension `name` if it may run, and return its state. Never raises for a known name."""
    found = _probed.get(name)
    if found is None:
        with _lock:
            found = _probed.get(name)
            if found is None:
                found = _probed[name] = _load(name)
    return found


def load(name: str) -> ModuleType:
    """Return the extension `name`.

    Raises
    ------
    BackendUnavailable
        If it is not built, is stale, is switched off, or fails to import.
    """
    found = probe(name)
    if found.module is None:
        raise BackendUnavailable(f"fastcore._ext.{name} is not available: {found.cause}; {_REMEDY}")
    return found.module


def pick(name: str) -> ModuleType:
    """Return the twin of a part without a flag (``switch``, ``metrics``): the compiled one if it may run.

    ``FASTCORE_BACKEND`` set to ``compiled`` or ``python`` insists on one.
    """
    word = os.environ.get("FASTCORE_BACKEND", "").strip().lower()
    if word == "compiled":
        return load(name)
    found = None if word == "python" else probe(name).module
    return found or importlib.import_module(f"python_fallback.{name}")


def _load(name: str) -> Extension:
    if name not in EXTENSIONS:
        raise ValueError(f"name: expected one of {', '.join(EXTENSIONS)}, got {name!r}")
    if _env.boolean("FASTCORE_NO_EXTENSIONS"):
        return Extension(name, None, "switched off by FASTCORE_NO_EXTENSIONS", "")
    if _free_threaded():
        return Extension(name, None, "this Python is free-threaded, and the compiled twins rely on the GIL", "")
    path = _find(name)
    if not path:
        return Extension(name, None, "not built for this Python", "")
    cause = _check_stamp(name, path)
    if cause:
        return Extension(name, None, cause, path)
    try:
        return Extension(name, importlib.import_module(f"fastcore._ext.{name}"), "", path)
    except ImportError as error:
        return Extension(name, None, f"import failed: {error}", path)


def _free_threaded() -> bool:
    """Whether this Python was built to run without the GIL; with the GIL switched on in it, too."""
    if not hasattr(sys, "_is_gil_enabled"):  # before Python 3.13
        return False
    import sysconfig

    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def _find(name: str) -> str:
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = os.path.join(_FOLDER, name + suffix)
        if os.path.exists(path):
            return path
    return ""


def _expected_stamp(name: str) -> str | None:
    stamp = stamp_of(name, _FOLDER, __version__)
    if stamp is None:  # an installed wheel has no sources; its build wrote the stamps down
        try:
            from fastcore._ext import _stamps  # type: ignore[attr-defined,unused-ignore]
        except ImportError:
            return None
        stamp = _stamps.STAMPS.get(name)
    return stamp


def _check_stamp(name: str, path: str) -> str:
    """Say what is wrong with the binary at `path`, or nothing. Reads its bytes: a foreign binary is never loaded."""
    expected = _expected_stamp(name)
    if expected is None:
        return "its build stamp cannot be checked: neither its sources nor fastcore/_ext/_stamps.py are there"
    if os.path.getsize(path):
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
            if image.find(expected.encode()) >= 0:
                return ""
    return f"{os.path.basename(path)} is stale or foreign: it was not built from these sources"
