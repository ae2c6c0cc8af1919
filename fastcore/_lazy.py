"""Public names that are imported at their first use, so that importing a package stays cheap."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["later"]


def later(
    namespace: dict[str, Any], homes: Mapping[str, tuple[str, str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package.

    Parameters
    ----------
    namespace : dict
        The package's ``globals()``, which keep a name from its first use on.
    homes : mapping
        By public name the module that has it, and its name there; "" is the module itself.
    """

    def found(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        home, attribute = homes[name]
        module = importlib.import_module(home)
        value = namespace[name] = getattr(module, attribute) if attribute else module
        return value

    return found, lambda: sorted({*namespace, *homes})
