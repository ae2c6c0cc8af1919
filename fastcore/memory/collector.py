"""The garbage collector's settings for a service, by version of Python, and how long its pauses are."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fastcore import metrics

__all__ = ["Frozen", "GCProfile", "freeze_after_startup", "gc_profile", "record_gc_pauses"]

Thresholds = tuple[int, int, int]
_FACTOR = 5


@dataclass(frozen=True)
class GCProfile:
    """What was set. As a context manager it sets the former thresholds again at the end.

    Attributes
    ----------
    name : str
    before, after : tuple of int
        ``gc.get_threshold()`` then and now.
    why : str

    Examples
    --------
    >>> import gc
    >>> from fastcore.memory import gc_profile
    >>> with gc_profile("service") as profile:
    ...     gc.get_threshold() == profile.after
    True
    >>> gc.get_threshold() == profile.before
    True
    """

    name: str
    before: Thresholds
    after: Thresholds
    why: str

    def restore(self) -> None:
        """Set the former thresholds again."""
        gc.set_threshold(*self.before)

    def __enter__(self) -> GCProfile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.restore()


def gc_profile(name: Literal["service", "default"] = "service") -> GCProfile:
    """Set the garbage collector's thresholds to those of a profile.

    ``service`` lets five times as many objects be made between collections. There are fewer runs, and each looks at
    more young objects: the longest pause may grow. The collector is never disabled. CPython 3.14.0 to 3.14.4 have
    another, incremental collector that keeps much more garbage when its threshold is raised; it is not changed.
    ``default`` sets what this version of Python starts with.

    Raises
    ------
    ValueError
        For another name.

    Examples
    --------
    >>> import gc
    >>> from fastcore.memory import gc_profile
    >>> profile = gc_profile("service")
    >>> profile.after == gc.get_threshold()
    True
    >>> profile.restore()
    """
    before = _triple(gc.get_threshold())
    after, why = _thresholds(name, sys.version_info[:3], before)
    if after != before:
        gc.set_threshold(*after)
    return GCProfile(name, before, after, why)


def _thresholds(name: str, version: tuple[int, int, int], current: Thresholds) -> tuple[Thresholds, str]:
    default = _default(version)
    if name == "default":
        return default, f"what Python {version[0]}.{version[1]} starts with"
    if name != "service":
        raise ValueError(f"name: expected 'service' or 'default', got {name!r}")
    if (3, 14, 0) <= version < (3, 14, 5):
        text = ".".join(map(str, version))
        return (
            current,
            f"left as it was: the incremental collector of Python {text} keeps more garbage the higher it is",
        )
    return (default[0] * _FACTOR, default[1], default[2]), f"{_FACTOR} times as many objects between collections"


def _default(version: tuple[int, int, int]) -> Thresholds:
    if version < (3, 13):
        return (700, 10, 10)
    if (3, 14, 0) <= version < (3, 14, 5):
        return (2000, 10, 0)
    return (2000, 10, 10)


def _triple(values: tuple[int, ...]) -> Thresholds:
    first, second, third = values
    return first, second, third


@dataclass(frozen=True)
class Frozen:
    """What :func:`freeze_after_startup` did: garbage it collected first, and objects it froze.

    Examples
    --------
    >>> import gc
    >>> from fastcore.memory import freeze_after_startup
    >>> frozen = freeze_after_startup()
    >>> frozen.frozen > 0
    True
    >>> gc.unfreeze()
    """

    collected: int
    frozen: int


def freeze_after_startup() -> Frozen:
    """Collect garbage and exempt everything that is left from later collections.

    To be called once, when a service has loaded what it keeps: full collections then look at what came later only, and
    pages stay shared with workers that are forked from here. What is frozen and becomes garbage in a cycle is never
    collected; ``gc.unfreeze()`` undoes it.

    Examples
    --------
    >>> import gc
    >>> from fastcore.memory import freeze_after_startup
    >>> frozen = freeze_after_startup()              # when the service has loaded what it keeps
    >>> gc.get_freeze_count() > 0
    True
    >>> gc.unfreeze()
    """
    collected = gc.collect()
    before = gc.get_freeze_count()
    gc.freeze()
    return Frozen(collected, gc.get_freeze_count() - before)


_recording = threading.Lock()
_recorder: Callable[[str, dict[str, int]], None] | None = None
_users = 0


def record_gc_pauses() -> Callable[[], None]:
    """Report each collection as ``fastcore_gc_pause_seconds{generation}``; returns a function that stops it.

    While a collection runs no other Python code does, so its time is a pause of the whole process.

    Examples
    --------
    >>> import gc
    >>> from fastcore import metrics
    >>> from fastcore.memory import record_gc_pauses
    >>> stop = record_gc_pauses()
    >>> found = gc.collect()
    >>> len(metrics.samples("fastcore_gc_pause_seconds")) > 0
    True
    >>> stop()
    """
    global _recorder, _users
    sketches = [metrics.latency("fastcore_gc_pause_seconds", generation=str(at)) for at in range(3)]
    began = 0.0

    def record(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        elif began:
            sketches[info["generation"]].observe(max(0.0, time.perf_counter() - began))

    with _recording:
        _users += 1
        if _recorder is None:
            _recorder = record
            gc.callbacks.append(record)
    ended = False

    def stop() -> None:
        nonlocal ended
        global _recorder, _users
        with _recording:
            if ended:
                return
            ended = True
            _users -= 1
            if not _users and _recorder is not None:
                if _recorder in gc.callbacks:
                    gc.callbacks.remove(_recorder)
                _recorder = None

    return stop
