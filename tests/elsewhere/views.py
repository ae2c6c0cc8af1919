"""Modules of the standard library as the project's code would find them on another system.

Only statements of the project's own modules are answered so: the standard library and other packages, which choose
their ways by ``sys.platform`` too, still run on the real system. A view forwards everything but the names that are
missing or different there. Sources: docs.python.org/3/library/sys.html#sys.platform, os.html#os.name; names.py.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from tests.elsewhere.names import missing_names

__all__ = ["View", "show"]

_OBSERVERS = ("fastcore", "python_fallback", "examples", "tests", "uvicorn.loops")
_EXEMPT = ("tests.elsewhere",)


class View:
    """A module that lacks the names `missing`, and has other values for those in `changed`."""

    __slots__ = ("_changed", "_missing", "_own", "_real")

    def __init__(self, real: ModuleType, missing: frozenset[str], changed: Mapping[str, Any]) -> None:
        put = super().__setattr__
        put("_real", real)
        put("_own", dict(changed))
        put("_missing", missing - changed.keys())
        put("_changed", missing | changed.keys())

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        found = {**self._real.__dict__, **self._own}
        return {name: value for name, value in found.items() if name in self._own or name not in self._missing}

    def __getattr__(self, name: str) -> Any:
        if name in self._own:
            return self._own[name]
        if name in self._missing:
            raise AttributeError(f"module {self._real.__name__!r} has no attribute {name!r}")
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._changed:
            self._own[name] = value
        else:
            setattr(self._real, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self._changed:
            del self._own[name]
        else:
            delattr(self._real, name)

    def __dir__(self) -> list[str]:
        return sorted(self.__dict__)


def show(platform: str, changed: Mapping[str, Mapping[str, Any]], absent: tuple[str, ...], modules: Any = ()) -> None:
    """Answer the project's import statements as on `platform`.

    Parameters
    ----------
    changed : mapping
        Module -> names that are different there, and their values.
    absent : tuple of str
        Modules that do not exist there.
    modules : iterable of module
        Modules that exist there only.
    """
    lacking = missing_names(platform)
    shown = {*lacking, *changed}
    views: dict[str, View] = {}

    def view(module: ModuleType) -> Any:
        name = module.__name__
        if name in shown and name not in views:
            views[name] = View(module, frozenset(lacking.get(name, ())), changed.get(name, {}))
        return views.get(name, module)

    only_there = {module.__name__: module for module in modules}
    original = builtins.__import__

    def importing(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0, /) -> Any:
        top = name.partition(".")[0]
        if not level and (top in shown or top in absent or name in only_there):
            importer = (globals or {}).get("__name__") or ""
            if _observes(importer, globals or {}):
                if name in absent:
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
                if name in only_there:
                    return only_there[name]
                found = original(name, globals, locals, fromlist, level)
                return view(found)
        return original(name, globals, locals, fromlist, level)

    def importing_like_builtin(name, globals=None, locals=None, fromlist=(), level=0):  # type: ignore[no-untyped-def]
        return importing(name, globals, locals, fromlist, level)

    builtins.__import__ = importing_like_builtin


def _observes(importer: str, its_globals: Mapping[str, Any]) -> bool:
    if importer == "__main__":  # a program of the tests; -c and -m pytest have no path below the project
        importer = "tests" if "/tests/" in str(its_globals.get("__file__", "")) else importer
    if any(importer == name or importer.startswith(f"{name}.") for name in _EXEMPT):
        return False
    return any(importer == name or importer.startswith(f"{name}.") for name in _OBSERVERS)
