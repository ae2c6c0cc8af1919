"""The pure twin of the caches."""

from __future__ import annotations

from python_fallback.cache.base import Cache
from python_fallback.cache.cached_call import BoundCall, CachedCall, CachedMethod
from python_fallback.cache.cached_call import flag_changed as _flag_changed  # noqa: F401  (the flag's follower calls it)
from python_fallback.cache.cells import encode_cells
from python_fallback.cache.classes import LRUCache, TLRUCache, TTLCache
from python_fallback.shared.cache.stats import CacheStats

__all__ = [
    "BoundCall",
    "Cache",
    "CacheStats",
    "CachedCall",
    "CachedMethod",
    "LRUCache",
    "TLRUCache",
    "TTLCache",
    "encode_cells",
]
