"""The backend that the suites measured; asv plots it with the times."""

from __future__ import annotations

from fastcore import _ext
from fastcore.dispatch import backends


def compiled(path: str) -> int:
    """1 if `path` runs compiled in this process, 0 if it runs in Python; fails where the flag and the twin disagree."""
    chosen = backends.backend_for(path)
    if chosen == "compiled":
        _ext.load(path)
    return int(chosen == "compiled")
