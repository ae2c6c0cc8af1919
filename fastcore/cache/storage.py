"""The cache behind a decorated function, which follows the flag of the cache from twin to twin."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

from fastcore.cache.options import Options
from fastcore.dispatch import backends, flags, process
from fastcore.dispatch.modes import Mode
from python_fallback.shared.cache.shape import MISSING
from python_fallback.shared.cache.singleflight import Flights

__all__ = ["Storage", "backend_of"]

logger = logging.getLogger("fastcore.cache")


class Storage:
    """The cache of one function's results, or of one instance's.

    Attributes
    ----------
    cache : cache of fastcore
        Of the twin that the flag named when it was last looked at.
    lock : RLock
        Held while results are invalidated, and while the cache moves to the other twin, so that an invalidation reaches
        the cache it is meant for.
    """

    def __init__(self, options: Options) -> None:
        self._label = options.label
        self.lock = threading.RLock()
        self.cache: Any = options.new_cache(_wanted(self._label))

    def follow(self) -> Any:
        """Return the cache, on the twin that the flag names now. Contents, statistics and flights move with it."""
        if _wanted(self._label) == backend_of(self.cache):
            return self.cache
        with self.lock:
            wanted = _wanted(self._label)
            if wanted != backend_of(self.cache):
                try:
                    self._move(wanted)
                except Exception:
                    logger.exception("the results of %s were not moved to the other twin", self._label)
            return self.cache

    def _move(self, backend: str) -> None:
        old, flights = self.cache, self.cache._flights
        target: Any = getattr(backends.twin("cache", backend), type(old).__name__)
        new = target._from_state({**old._state(old._snapshot()), "counters": old._counters()})
        new._flights = flights
        self.cache = new
        old._flights = Flights()  # running computations belong to the new cache
        now = old._now()
        for key, value, expires, weight in old._take():  # with the results that running calls stored meanwhile
            if now < expires and new.peek(key, MISSING) is MISSING:
                new._put(key, value, expires - now, weight)

    def fits(self, weight: float) -> bool:
        """Whether a result of that weight can be kept at all."""
        cache = self.cache
        bound = cache.maxsize if cache.max_bytes is None else cache.max_bytes
        return bool(weight <= bound and cache.maxsize >= 1)


def backend_of(cache: Any) -> str:
    """Return the twin of a cache."""
    return "python" if type(cache).__module__.startswith("python_fallback") else "compiled"


def _wanted(label: str) -> str:
    return backends.backend_of("cache", flags.mode_of("cache"), label)


class _Follower:
    """Notifies the call objects of both twins that the flag of the cache has changed."""

    def _accept(self, mode: Mode) -> None:
        pass

    def _obey(self, mode: Mode) -> None:
        for name in ("fastcore._ext.cache", "python_fallback.cache"):  # those that are loaded
            changed = getattr(sys.modules.get(name), "_flag_changed", None)
            if changed is not None:
                changed()


_follower = _Follower()
process.store.follow("cache", _follower)
