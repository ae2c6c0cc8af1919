"""Compiled hot paths for market-data services, each with a pure-Python twin that a flag can switch to at any moment.

``fastcore.indicators``, ``fastcore.cache``, ``fastcore.heap`` and ``fastcore.framing`` are the hot paths;
``fastcore.flags`` says which twin runs, ``fastcore.status()`` says which one does and why.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fastcore._ext import BackendUnavailable
from fastcore._lazy import later
from fastcore._version import __version__

if TYPE_CHECKING:
    from fastcore.dispatch import flags
    from fastcore.dispatch.assignment import assigned, assignment_key
    from fastcore.dispatch.guard import Guard
    from fastcore.dispatch.status import status
    from fastcore.dispatch.switch import Switch

__all__ = ["BackendUnavailable", "Guard", "Switch", "__version__", "assigned", "assignment_key", "flags", "status"]

_LAZY = {
    "Guard": ("fastcore.dispatch.guard", "Guard"),
    "Switch": ("fastcore.dispatch.switch", "Switch"),
    "assigned": ("fastcore.dispatch.assignment", "assigned"),
    "assignment_key": ("fastcore.dispatch.assignment", "assignment_key"),
    "flags": ("fastcore.dispatch.flags", ""),
    "status": ("fastcore.dispatch.status", "status"),
}


if os.path.exists(os.path.join(os.path.dirname(__file__), "foundation.py")):  # a module of the other one
    import warnings

    warnings.warn(
        "another distribution called fastcore has put its files among those of fastcore-native: "
        "the two cannot share an environment; `python -m fastcore status` says more",
        RuntimeWarning,
        stacklevel=2,
    )


__getattr__, __dir__ = later(globals(), _LAZY)
