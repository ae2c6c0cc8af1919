"""The named caches of this process: for monitoring, and for freeing memory when it runs short."""

from __future__ import annotations

import weakref
from typing import Any

from python_fallback.shared.cache.stats import CacheStats

_caches: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


def register(name: str, cache: Any) -> None:
    """Give a cache a name. A later one of the same name takes its place; a cache that is garbage is forgotten.

    Examples
    --------
    >>> from fastcore.cache import LRUCache, named_caches, register
    >>> quotes = LRUCache(10)
    >>> register("quotes of register", quotes)
    >>> named_caches()["quotes of register"] is quotes
    True
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"name: expected a str that is not empty, got {name!r}")
    if not all(hasattr(cache, method) for method in ("stats", "expire", "_shrink")):
        raise TypeError(
            f"cache: expected a cache of fastcore, or `function.cache` of a decorated one, got {type(cache).__name__}"
        )
    _caches[name] = cache


def named_caches() -> dict[str, Any]:
    """Return the caches that have a name.

    Examples
    --------
    >>> from fastcore.cache import cached, named_caches
    >>> @cached(name="analysis of named_caches")
    ... def analysis(symbol):
    ...     return symbol
    >>> "analysis of named_caches" in named_caches()
    True
    """
    return dict(_caches)


def cache_stats() -> dict[str, CacheStats]:
    """Return the statistics of every named cache.

    Examples
    --------
    >>> from fastcore.cache import LRUCache, cache_stats, register
    >>> quotes = LRUCache(10)
    >>> register("quotes of cache_stats", quotes)
    >>> cache_stats()["quotes of cache_stats"].size
    0
    """
    return {name: cache.stats() for name, cache in named_caches().items()}


def expire_caches() -> int:
    """Drop expired entries from every named cache; return their number.

    Examples
    --------
    >>> from fastcore.cache import TTLCache, expire_caches, register
    >>> quotes = TTLCache(10, ttl=1, timer=lambda: now)
    >>> register("quotes of expire_caches", quotes)
    >>> now = 0
    >>> quotes["AAPL"] = 187.2
    >>> now = 2
    >>> expire_caches()
    1
    """
    return sum(len(cache.expire()) for cache in named_caches().values())


def shrink_caches(fraction: float = 0.5) -> dict[str, int]:
    """Evict the least recently used entries until each named cache holds `fraction` of its weight; bounds stay.

    Parameters
    ----------
    fraction : float, default 0.5
        From 0 (empty them) to 1 (drop only what has expired).

    Returns
    -------
    dict of str to int
        The number of entries removed from each cache.

    Examples
    --------
    >>> from fastcore.cache import LRUCache, register, shrink_caches
    >>> quotes = LRUCache(10)
    >>> register("quotes of shrink_caches", quotes)
    >>> quotes.update((n, n) for n in range(10))
    >>> shrink_caches(0.5)["quotes of shrink_caches"]
    5
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction: expected a number from 0 to 1, got {fraction!r}")
    left = {}
    for name, cache in named_caches().items():
        before = len(cache)
        cache._shrink(fraction)
        left[name] = before - len(cache)
    return left
