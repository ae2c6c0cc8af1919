"""Caches filled, evicted, expired, cleared and dropped; values in cycles; keys and functions that raise."""

from __future__ import annotations

import asyncio

from leaks import check, fails

from fastcore.cache import LRUCache, TTLCache, cached


class BadKey:
    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


now = 0.0


def clock() -> float:
    return now


def churn() -> None:
    for kind in (lambda: LRUCache(maxsize=50), lambda: TTLCache(maxsize=50, ttl=10)):
        cache = kind()
        for i in range(500):
            cache[f"key-{i}"] = [i]
            cache.get(f"key-{i - 30}")
        del cache["key-499"]
        cache.pop("key-498")
        cache.popitem()
        list(cache), list(cache.items())
        cache.clear()


def expiry() -> None:
    global now
    cache = TTLCache(maxsize=100, ttl=5, timer=clock)
    for i in range(300):
        now += 1
        cache[i] = [i]
        cache.get(i - 3)
        cache.get(i - 30)
    len(cache)


def cycles() -> None:
    for _ in range(20):
        cache = LRUCache(maxsize=4)
        cache["itself"] = cache


def errors() -> None:
    cache = LRUCache(maxsize=4)
    cache[BadKey()] = 1
    for _ in range(50):
        fails(cache.__getitem__, BadKey())
        fails(cache.__setitem__, BadKey(), 2)
        fails(cache.__getitem__, "absent")
        fails(cache.__getitem__, [])
        fails(cache.__delitem__, "absent")
    fails(LRUCache)
    fails(LRUCache, "many")


@cached(maxsize=20, ttl=60)
def computed(x: int, *, scale: int = 1) -> list[int]:
    if x < 0:
        raise ValueError(x)
    return [x * scale]


@cached(maxsize=20, ttl=60)
async def awaited(x: int) -> list[int]:
    await asyncio.sleep(0)
    if x < 0:
        raise ValueError(x)
    return [x]


def decorated() -> None:
    for i in range(100):
        computed(i)
        computed(i, scale=2)
        fails(computed, -1)
        fails(computed, [])
    computed.cache_info()
    computed.cache_clear()


def coroutines() -> None:
    async def many() -> None:
        for i in range(60):
            await asyncio.gather(awaited(i), awaited(i), awaited(i))
            await asyncio.gather(awaited(-1), return_exceptions=True)

    asyncio.run(many())
    awaited.cache_clear()


for work in (churn, expiry, cycles, errors, decorated, coroutines):
    check(work, work.__name__)
