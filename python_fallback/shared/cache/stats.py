"""Statistics of a cache."""

from __future__ import annotations

from typing import NamedTuple

CAUSES = ("expired", "size", "replaced", "explicit")


class CacheStats(NamedTuple):
    """Counts since the cache was made, and its size now.

    Attributes
    ----------
    hits, misses : int
    hit_ratio : float
        ``hits / (hits + misses)``; 0.0 before the first lookup.
    size : int
        Entries held, the expired that have not been dropped yet included.
    weight : float
        The sum of their weights.
    evictions : dict of str to int
        Entries that left, by cause: ``expired``, ``size``, ``replaced``, ``explicit``.

    Examples
    --------
    >>> from fastcore.cache import LRUCache
    >>> cache = LRUCache(1)
    >>> cache["AAPL"], cache["MSFT"] = 1, 2
    >>> cache.get("MSFT")
    2
    >>> stats = cache.stats()
    >>> stats.hits, stats.hit_ratio, stats.evictions["size"]
    (1, 1.0, 1)
    """

    hits: int
    misses: int
    hit_ratio: float
    size: int
    weight: float
    evictions: dict[str, int]


# Where it is public: pickles name that place and outlive this one.
CacheStats.__module__ = "fastcore.cache"
