"""Shrinkers free memory when it runs short: the named caches, and registered functions."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastcore import metrics
from fastcore.memory.usage import resident_bytes

__all__ = ["Shrunk", "register_shrinker", "shrink", "shrinkers", "trim"]

Shrinker = Callable[[float], object]

_log = logging.getLogger("fastcore.memory")
_lock = threading.Lock()
_shrinkers: dict[str, Shrinker] = {}


@dataclass(frozen=True)
class Shrunk:
    """What shrinking freed.

    Attributes
    ----------
    freed : dict of str to object
        What each shrinker returned, by its name; the exception of one that raised.
    collected : int
        Objects that the garbage collector found.
    bytes_before, bytes_after : int
        Resident memory of the process.

    Examples
    --------
    >>> from fastcore.memory import register_shrinker, shrink
    >>> remove = register_shrinker("quotes of Shrunk", lambda keep: 1000)
    >>> shrink().freed["quotes of Shrunk"]
    1000
    >>> remove()
    """

    freed: dict[str, object]
    collected: int
    bytes_before: int
    bytes_after: int


def register_shrinker(name: str, shrinker: Shrinker) -> Callable[[], None]:
    """Call `shrinker` when memory runs short; return a function that removes it.

    Parameters
    ----------
    name : str
        A later shrinker of the same name takes its place. ``caches`` stands for the named caches, and may be replaced.
    shrinker : callable
        Takes the share of its contents to keep, 0 to 1, and returns what it gave up, a number. It may be called on any
        thread. What it raises is logged.

    Examples
    --------
    >>> from fastcore.memory import register_shrinker, shrink
    >>> history = list(range(1000))
    >>> def forget(keep):
    ...     gone = len(history) - int(keep * len(history))
    ...     del history[:gone]
    ...     return gone
    >>> remove = register_shrinker("history", forget)
    >>> shrink(0.5).freed["history"], len(history)
    (500, 500)
    >>> remove()
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"name: expected a str that is not empty, got {name!r}")
    if not callable(shrinker):
        raise TypeError(f"shrinker: expected a callable, got {type(shrinker).__name__}")
    with _lock:
        _shrinkers[name] = shrinker

    def forget() -> None:
        with _lock:
            if _shrinkers.get(name) is shrinker:
                del _shrinkers[name]

    return forget


def shrinkers() -> dict[str, Shrinker]:
    """Return the shrinkers by name, the one of the named caches first."""
    with _lock:
        return {"caches": _shrink_caches, **_shrinkers}


def _shrink_caches(keep: float) -> int:
    from fastcore.cache import shrink_caches

    return sum(shrink_caches(keep).values())


def shrink(keep: float = 0.5, *, collect: bool = True) -> Shrunk:
    """Call every shrinker, collect garbage, and hand free memory back to the system.

    Parameters
    ----------
    keep : float, default 0.5
        The share that caches and other shrinkers keep of what they hold.
    collect : bool, default True
        Whether to collect garbage and trim the allocator.

    Examples
    --------
    >>> from fastcore.memory import shrink
    >>> shrunk = shrink(keep=0.5)
    >>> shrunk.bytes_after > 0
    True
    """
    if not 0 <= keep <= 1:
        raise ValueError(f"keep: expected a number from 0 to 1, got {keep!r}")
    before = resident_bytes()
    freed: dict[str, object] = {}
    for name, shrinker in shrinkers().items():
        try:
            freed[name] = shrinker(keep)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # one that fails, or exits, does not keep the others from helping
            _log.exception("the shrinker %s raised", name)
            freed[name] = error
        metrics.counter("fastcore_memory_shrinks_total", shrinker=name).add()
    collected = 0
    if collect:
        collected = gc.collect()
        trim()
    return Shrunk(freed, collected, before, resident_bytes())


def trim() -> None:
    """Ask the C allocator to hand its free pages back, where it can."""
    try:
        import psutil

        heap_trim: Any = getattr(psutil, "heap_trim", None)
        if heap_trim is not None:
            heap_trim()
    except (ImportError, OSError):
        pass
