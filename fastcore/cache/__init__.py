"""LRU and TTL caches, decorators, keys by content, named and saved caches."""

from __future__ import annotations

from typing import Any

from fastcore.cache import caches as _caches
from fastcore.cache.analysis import cache_technical_analysis, get_cached_analysis
from fastcore.cache.caches import Cache, LRUCache, TLRUCache, TTLCache
from fastcore.cache.controls import CacheEntry, CacheInfo
from fastcore.cache.decorator import CachedFunction, cached
from fastcore.cache.keys import ContentKey, dataframe_key
from fastcore.cache.policy import invalidate_tag
from fastcore.cache.registry import cache_stats, expire_caches, named_caches, register, shrink_caches
from fastcore.cache.snapshot import Restored, Saved, restore, save
from fastcore.dispatch.twins import migrate
from python_fallback.shared.cache import mixin as _mixin
from python_fallback.shared.cache.sizes import sizeof
from python_fallback.shared.cache.stats import CacheStats

__all__ = [
    "Cache",
    "CacheEntry",
    "CacheInfo",
    "CacheStats",
    "CachedFunction",
    "ContentKey",
    "LRUCache",
    "Restored",
    "Saved",
    "TLRUCache",
    "TTLCache",
    "cache_stats",
    "cache_technical_analysis",
    "cached",
    "dataframe_key",
    "expire_caches",
    "get_cached_analysis",
    "invalidate_tag",
    "migrate",
    "named_caches",
    "register",
    "restore",
    "save",
    "shrink_caches",
    "sizeof",
]


def _restore(name: str) -> Any:
    """Return an empty cache of that class, on the twin that the flag names now; called by pickles."""
    from fastcore.dispatch import backends

    twin = getattr(_caches, name).twin(backends.backend_for("cache"))
    return twin.__new__(twin)


_mixin.restore = _restore
