"""Compiled hot paths for market-data services, each with a pure-Python twin that a flag can switch to at any moment.

``fastcore.indicators``, ``fastcore.cache``, ``fastcore.heap`` and ``fastcore.framing`` are the hot paths;
``fastcore.flags`` says which twin runs, ``fastcore.status()`` says which one does and why.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastcore._ext import BackendUnavailable
from fastcore._version import __version__

if TYPE_CHECKING:
    from fastcore.dispatch import flags
    from fastcore.dispatch.assignment import assigned, assignment_key
    from fastcore.dispatch.switch import Switch

__all__ = ["BackendUnavailable", "Switch", "__version__", "assigned", "assignment_key", "flags"]

_LAZY = {
    "Switch": ("fastcore.dispatch.switch", "Switch"),
    "assigned": ("fastcore.dispatch.assignment", "assigned"),
    "assignment_key": ("fastcore.dispatch.assignment", "assignment_key"),
    "flags": ("fastcore.dispatch.flags", ""),
}


def __getattr__(name: str) -> Any:
    """Bring in a public name at its first use, so that importing fastcore costs next to nothing."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LAZY[name]
    found = importlib.import_module(module)
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
