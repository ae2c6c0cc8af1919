"""The pure twin of the caches, and the cold half that both twins share."""

from __future__ import annotations

from python_fallback.cache.base import Cache
from python_fallback.cache.call import BoundCall, CachedCall, CachedMethod
from python_fallback.cache.cells import encode_cells
from python_fallback.cache.kinds import LRUCache, TLRUCache, TTLCache
from python_fallback.cache.stats import CacheStats

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
