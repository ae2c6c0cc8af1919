"""Caches: a thousand operations of each kind."""

from __future__ import annotations

from fastcore.cache import LRUCache, TTLCache, cached

N = 1_000
KEYS = [f"symbol-{i}" for i in range(N)]
ABSENT = [f"absent-{i}" for i in range(N)]
FULL = TTLCache(maxsize=N, ttl=3600)
LRU = LRUCache(maxsize=N)
SMALL = TTLCache(maxsize=N // 2, ttl=3600)
for _key in KEYS:
    FULL[_key] = LRU[_key] = 1.0


@cached(maxsize=N, ttl=3600)
def analysis(symbol: str) -> float:
    return float(len(symbol))


for _key in KEYS:
    analysis(_key)


def time_ttl_hit() -> None:
    get = FULL.get
    for key in KEYS:
        get(key)


def time_lru_hit() -> None:
    get = LRU.get
    for key in KEYS:
        get(key)


def time_ttl_miss() -> None:
    get = FULL.get
    for key in ABSENT:
        get(key)


def time_ttl_update() -> None:
    for key in KEYS:
        FULL[key] = 2.0


def time_ttl_evicting_insert() -> None:
    for key in KEYS:
        SMALL[key] = 2.0


def time_decorated_hit() -> None:
    for key in KEYS:
        analysis(key)


def peakmem_100_000_entries() -> None:
    cache = TTLCache(maxsize=100_000, ttl=3600)
    for i in range(100_000):
        cache[i] = i
