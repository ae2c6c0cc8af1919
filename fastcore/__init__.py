"""Compiled hot paths for market-data services, each with a pure-Python twin that a flag can switch to at any moment.

``fastcore.indicators``, ``fastcore.cache``, ``fastcore.heap`` and ``fastcore.framing`` are the hot paths;
``fastcore.flags`` says which twin runs, ``fastcore.status()`` says which one does and why.
"""

from __future__ import annotations

from fastcore._ext import BackendUnavailable
from fastcore._version import __version__

__all__ = ["BackendUnavailable", "__version__"]
