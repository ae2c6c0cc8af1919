"""The caches of the pure twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from python_fallback.cache.base import Cache
from python_fallback.shared.cache.clock import MONOTONIC, Timer

Evicted = Callable[[Any, Any, str], object] | None


class LRUCache(Cache):
    """The least recently used entry makes room."""

    __slots__ = ()
    _public_path = "cache"

    def __init__(
        self,
        maxsize: float,
        getsizeof: Callable[[Any], float] | None = None,
        *,
        timer: Callable[[], Any] | None = None,
        max_bytes: float | None = None,
        on_evict: Evicted = None,
    ) -> None:
        self._configure(maxsize, None, None, timer, getsizeof, max_bytes, on_evict)


class _Timed(Cache):
    __slots__ = ()

    @property
    def timer(self) -> Timer:
        return MONOTONIC if self._timer is None else self._timer


class TTLCache(_Timed):
    """Entries also expire a fixed time after they were set."""

    __slots__ = ()
    _public_path = "cache"

    def __init__(
        self,
        maxsize: float,
        ttl: Any,
        timer: Callable[[], Any] | None = None,
        getsizeof: Callable[[Any], float] | None = None,
        *,
        max_bytes: float | None = None,
        on_evict: Evicted = None,
    ) -> None:
        self._configure(maxsize, ttl, None, timer, getsizeof, max_bytes, on_evict)

    @property
    def ttl(self) -> Any:
        return self._given["ttl"]


class TLRUCache(_Timed):
    """A function determines when each entry expires."""

    __slots__ = ()
    _public_path = "cache"

    def __init__(
        self,
        maxsize: float,
        ttu: Callable[[Any, Any, Any], Any],
        timer: Callable[[], Any] | None = None,
        getsizeof: Callable[[Any], float] | None = None,
        *,
        max_bytes: float | None = None,
        on_evict: Evicted = None,
    ) -> None:
        if not callable(ttu):
            raise TypeError(f"ttu: expected a callable, got {type(ttu).__name__}")
        self._configure(maxsize, None, ttu, timer, getsizeof, max_bytes, on_evict)

    @property
    def ttu(self) -> Callable[[Any, Any, Any], Any]:
        function: Callable[[Any, Any, Any], Any] = self._given["ttu"]
        return function
