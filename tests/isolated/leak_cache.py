"""Caches filled, evicted, expired, cleared and dropped; values in cycles; keys and functions that raise."""

from __future__ import annotations

import asyncio

from leaks import check, fails

from fastcore import flags
from fastcore.cache import LRUCache, TTLCache, cached
from fastcore.dispatch.journal import KEPT


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


class BadHash:
    def __hash__(self) -> int:
        raise RuntimeError("no hash")


class Desk:
    """Every kind of call object."""

    @cached(maxsize=20, ttl=60, stale=60, tags="desk", typed=True, early=True)
    def price(self, symbol: str, days: int = 5, *, adjusted: bool = True) -> list[str]:
        return [symbol]

    @cached(maxsize=20, ttl=60, normalize=True, negative_ttl=60)
    def strict(self, n: int, of: int = 1) -> float:
        return of / n

    @cached(per_instance=True)
    def own(self, n: object) -> list[object]:
        return [n, self.price("own")]

    @classmethod
    @cached
    def of_class(cls, *args: object, **kwargs: object) -> object:
        return args, kwargs

    @property
    @cached
    def size(self) -> int:
        return 1


def methods() -> None:
    desk, names = Desk(), {f"name{n}": n for n in range(30)}
    for n in range(60):
        symbol = f"symbol:{n}"
        desk.price(symbol), desk.price(symbol=symbol, days=n), Desk.price(desk, symbol, adjusted=False)
        bound = desk.price
        bound(symbol), bound(symbol, n, adjusted=True), list(map(bound, [symbol], [n]))
        bound.contains(symbol), bound.get_entry(symbol), bound.put([symbol], symbol), bound.refresh(symbol)
        hash(bound), repr(bound), bound == desk.price, bound.__doc__, bound.__reduce__()
        bound.invalidate(symbol=symbol)
        Desk.of_class(n, **names), Desk.of_class(a=n, b=n), desk.size
        other = Desk()
        other.own(n), other.own(symbol), other.own([n]), desk.own(other)
        desk.strict(n + 1), desk.strict(of=n, n=n + 1)
    for method in (Desk.price, Desk.own, Desk.of_class.__func__, Desk.strict, Desk.__dict__["size"].fget):
        method.cache_clear()


def failing_calls() -> None:
    desk = Desk()
    kind = type(Desk.price)
    for _ in range(50):
        fails(desk.price)
        fails(desk.price, BadHash())
        fails(desk.own, BadHash())
        fails(desk.strict, 0)
        fails(Desk.price)
        fails(Desk.own)
        fails(getattr, desk.price, "absent")
        fails(desk.price, "a", 1, 2)
        fails(kind)
        if kind.__module__.startswith("fastcore."):  # the pure twin checks nothing of what only fastcore makes
            fails(kind, LRUCache(2), len, len, None, None, object, object)
            fails(type(desk.price), 1, 2)
            fails(kind, 3, len, len, None, None, object, object)
        fails(Desk.price.__set_name__)
    desk.strict.cache_clear()


def flips() -> None:
    desk = Desk()
    for n in range(2):
        desk.price("A"), desk.own(n), computed(n)
        with flags.override("cache", "python"):
            desk.price("A"), desk.own(n), computed(n)
    Desk.price.cache_clear(), computed.cache_clear()


def dropped() -> None:
    for n in range(20):

        class Dropped:
            @cached
            def shared(self, n: int) -> int:
                return n

            @cached(per_instance=True, name="leak_cache")
            def own(self, n: int) -> int:
                return n

        one = Dropped()
        one.shared(n), one.own(n), Dropped.shared(one, n), Dropped.own(one, n), one.own.cache_info()


def coroutines() -> None:
    async def many() -> None:
        for i in range(60):
            await asyncio.gather(awaited(i), awaited(i), awaited(i))
            await asyncio.gather(awaited(-1), return_exceptions=True)

    asyncio.run(many())
    awaited.cache_clear()


for _ in range(KEPT):  # the journal of the flags, which is bounded
    with flags.override("cache", "python"):
        pass
for work in (churn, expiry, cycles, errors, decorated, methods, failing_calls, flips, dropped, coroutines):
    check(work, work.__name__)
