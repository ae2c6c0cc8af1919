"""Caches: a thousand operations of each kind, and the memory of a hundred thousand entries."""

from __future__ import annotations

import functools
from typing import Any

from benchmarks.features import cpu_timer, feature, needs, resident_bytes

timer = cpu_timer

LRUCache = feature("fastcore.cache:LRUCache")
TTLCache = feature("fastcore.cache:TTLCache")
cached = feature("fastcore.cache:cached")
N = 1_000
KEYS = [f"symbol-{i}" for i in range(N)]
ABSENT = [f"absent-{i}" for i in range(N)]


def filled(cache: Any) -> Any:
    for key in KEYS:
        cache[key] = 1.0
    return cache


@functools.cache
def full() -> Any:
    return filled(TTLCache(maxsize=N, ttl=3600))


@functools.cache
def lru() -> Any:
    return filled(LRUCache(maxsize=N))


@functools.cache
def small() -> Any:
    return filled(TTLCache(maxsize=N // 2, ttl=3600))


@functools.cache
def analysis() -> Any:
    @cached(maxsize=N, ttl=3600)
    def length(symbol: str) -> float:
        return float(len(symbol))

    for key in KEYS:
        length(key)
    return length


@needs(TTLCache)
def time_ttl_hit() -> None:
    get = full().get
    for key in KEYS:
        get(key)


@needs(LRUCache)
def time_lru_hit() -> None:
    get = lru().get
    for key in KEYS:
        get(key)


@needs(TTLCache)
def time_ttl_miss() -> None:
    get = full().get
    for key in ABSENT:
        get(key)


@needs(TTLCache)
def time_ttl_update() -> None:
    cache = full()
    for key in KEYS:
        cache[key] = 2.0


@needs(TTLCache)
def time_ttl_evicting_insert() -> None:
    cache = small()
    for key in KEYS:
        cache[key] = 2.0


@needs(cached)
def time_decorated_hit() -> None:
    analysed = analysis()
    for key in KEYS:
        analysed(key)


@needs(TTLCache)
def track_bytes_of_100_000_entries() -> int:
    """Growth of the process: the highest memory would include what the suites imported."""
    keys = list(range(100_000))
    cache = TTLCache(maxsize=len(keys), ttl=3600)
    before = resident_bytes()
    for key in keys:
        cache[key] = key
    return resident_bytes() - before


track_bytes_of_100_000_entries.unit = "bytes"
