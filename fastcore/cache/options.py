"""The options of a decorated function, checked."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastcore.cache.caches import LRUCache, TTLCache
from fastcore.cache.policy import Policy
from fastcore.cache.record import Kept
from fastcore.cache.results import Copy

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """The options given to `cached`, and values derived from them.

    Attributes
    ----------
    label : str
        The function's name, for messages and for the ramp of the flag.
    given : dict
        The options as given, for ``cache_parameters``.
    kept : callable or None
        ``kept(memo, key, args, kwargs)`` is called for each result that was computed for a call and stored.
    per_instance : bool
        Whether each instance has its own cache.
    unbound : bool
        Whether that also goes for calls of the function itself whose first argument is an instance of a class that
        holds it, as a property makes them.
    """

    policy: Policy
    maxsize: float | None = 1024
    max_bytes: float | None = None
    key: Callable[..., Any] | None = None
    typed: bool = False
    normalize: bool = False
    copy: Copy = "on-write"
    name: str | None = None
    per_instance: bool = False
    unbound: bool = True
    timer: Callable[[], Any] | None = None
    on_evict: Callable[[Any, Any, str], object] | None = None
    label: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    kept: Callable[..., object] | None = None

    def new_cache(self, backend: str) -> Any:
        """Return an empty cache of that twin for the results."""
        told = None if self.on_evict is None else functools.partial(_tell, self.on_evict)
        options = {"timer": self.timer, "max_bytes": self.max_bytes, "on_evict": told}
        maxsize = math.inf if self.maxsize is None else self.maxsize
        ttl = self.policy.fixed_ttl
        if ttl is None or ttl == math.inf:
            return LRUCache.twin(backend)(maxsize, **options)
        return TTLCache.twin(backend)(maxsize, ttl, **options)


def _tell(on_evict: Callable[[Any, Any, str], object], key: Any, found: Any, cause: str) -> None:
    """Report a removed result, or the error that was cached instead."""
    on_evict(key, found.content() if type(found) is Kept else found, cause)
