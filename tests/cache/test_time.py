"""Lifetimes, timers and room, on both twins."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

Make = Callable[..., Any]


def test_entries_expire(make: Make, clock: Any) -> None:
    cache = make("TTLCache", 10, 2, timer=clock)
    cache["a"] = 1
    clock.tick()
    cache["b"] = 2
    assert cache.ttl_remaining("a") == 1
    clock.tick()
    assert "a" not in cache
    assert cache.get("a", "gone") == "gone"
    assert cache.peek("a") is None
    assert cache.ttl_remaining("a") is None
    assert list(cache) == ["b"]
    with pytest.raises(KeyError):
        del cache["a"]
    assert cache.expire() == []
    clock.tick()
    assert len(cache) == 0
    assert cache.stats().evictions["expired"] == 2


def test_an_explicit_lifetime(make: Make, clock: Any) -> None:
    for kind, args in (("LRUCache", ()), ("TTLCache", (5,)), ("TLRUCache", (lambda k, v, now: now + 5,))):
        clock.time = 0
        cache = make(kind, 10, *args, timer=clock)
        cache.set("brief", 1, ttl=1)
        cache.set("day", 2, ttl=timedelta(days=1))
        cache.set("ever", 3, ttl=math.inf)
        assert cache.ttl_remaining("day") == 86_400
        assert cache.ttl_remaining("ever") == math.inf
        assert cache.expire(86_400) == [("brief", 1), ("day", 2)]
        assert list(cache) == ["ever"]


def test_expire_returns_the_soonest_first(make: Make, clock: Any) -> None:
    cache = make("LRUCache", 100, timer=clock)
    for n in (5, 1, 4, 2, 3, 9, 7, 8, 6):
        cache.set(n, -n, ttl=n)
    cache.set(4, -4, ttl=50)
    del cache[2]
    cache.touch(1, ttl=30)
    assert [key for key, _ in cache.expire(7)] == [3, 5, 6, 7]
    assert [key for key, _ in cache.expire(60)] == [8, 9, 1, 4]


def test_expire_returns_the_soonest_first_after_many_new_lifetimes(make: Make, clock: Any) -> None:
    random, cache = Random(3), make("TTLCache", 50, 100, timer=clock)
    ends: dict[int, float] = {}
    for _ in range(3000):
        key, ttl = random.randrange(30), random.uniform(1, 100)
        cache.set(key, key, ttl=ttl)
        ends[key] = clock.time + ttl
        if random.random() < 0.1:
            clock.time += 1
            due = sorted((key for key, end in ends.items() if end <= clock.time), key=ends.__getitem__)
            assert [key for key, _ in cache.expire()] == due
            for key in due:
                del ends[key]
    cache._check()
    assert sorted(cache) == sorted(ends)


def test_touch_restarts_the_lifetime(make: Make, clock: Any) -> None:
    cache = make("TTLCache", 2, 10, timer=clock)
    cache.update(a=1, b=2)
    clock.tick(8)
    assert cache.touch("a") is True
    assert cache.ttl_remaining("a") == 10
    assert cache.touch("a", ttl=3) is True
    assert cache.ttl_remaining("a") == 3
    assert cache.touch("x") is False
    cache["c"] = 3
    assert list(cache) == ["a", "c"]
    clock.tick(5)
    assert cache.touch("a") is False


def test_expired_entries_are_evicted_first(make: Make, clock: Any) -> None:
    cache = make("TTLCache", 2, 10, timer=clock)
    cache["old"] = 1
    cache.set("brief", 2, ttl=1)
    clock.tick(2)
    cache["new"] = 3
    assert list(cache) == ["old", "new"]


def test_many_expired_entries_are_evicted_before_one_live_entry(make: Make, clock: Any) -> None:
    cache = make("TTLCache", 1000, 10, timer=clock)
    cache.set("living", 0, ttl=100)
    cache.update((n, n) for n in range(999))
    clock.tick(10)
    cache.set("large", 1, weight=900)
    assert list(cache) == ["living", "large"]
    assert cache.stats().evictions["size"] == 0


def test_keys_that_cluster_at_the_end_of_the_index(make: Make) -> None:
    """Ints whose mixed bits are the greatest there are, a thousand of them: they overflow every spare cell."""
    modulus = 1 << 64
    inverse = pow(0x9E3779B97F4A7C15, -1, modulus)
    products = (n * inverse % modulus for n in range(modulus - 4000, modulus))
    signed = (n - modulus if n >= modulus // 2 else n for n in products)
    keys = [n for n in signed if abs(n) < (1 << 61) - 1]  # such an int is its own hash
    assert len(keys) > 500
    keys += range(500)
    cache = make("TTLCache", 5000, 60)
    for position, key in enumerate(keys):
        cache[key] = position
        if position % 50 == 0:
            cache._check()
    assert all(cache[key] == position for position, key in enumerate(keys))
    for key in keys[::2]:
        del cache[key]
    cache._check()
    cache.resize(100)
    cache._check()
    assert [cache.get(key) for key in keys[1::2]][-100:] == list(range(len(keys)))[1::2][-100:]


def test_resizing_keeps_expiries_and_weights(make: Make, clock: Any) -> None:
    cache = make("TTLCache", 10_000, 50, timer=clock)
    for n in range(2000):
        cache.set(n, n, ttl=(n * 37) % 91 + 1, weight=n % 3)
    cache.resize(150)
    cache._check()
    kept = list(cache)
    assert sum(n % 3 for n in kept) <= 150
    assert [cache.ttl_remaining(n) for n in kept] == [(n * 37) % 91 + 1 for n in kept]
    clock.tick(45)
    assert {key for key, _ in cache.expire()} == {n for n in kept if (n * 37) % 91 + 1 <= 45}
    cache.resize(0)
    cache.resize(10)
    cache.update((n, n) for n in range(30))
    assert list(cache) == list(range(20, 30))


def test_updates_of_a_full_cache_take_no_more_memory(make: Make) -> None:
    cache = make("TTLCache", 1000, 60)
    cache.update((n, n) for n in range(1000))
    size = sys.getsizeof(cache)
    for _ in range(5):
        cache.update((n, n) for n in range(1000))
    assert sys.getsizeof(cache) == size
    cache.update((n, n) for n in range(5000))
    assert sys.getsizeof(cache) == size
    cache.resize(10)
    assert sys.getsizeof(cache) <= size
    cache._check()


def test_datetime_timers(make: Make) -> None:
    now = datetime(2024, 3, 1, 12, 30, 0, 123_457)
    cache = make("TTLCache", 1, timedelta(days=1), timer=lambda: now)
    cache[1] = 1
    assert cache.ttl == timedelta(days=1)
    assert cache.ttl_remaining(1) == 86_400
    assert cache.expire(now + timedelta(days=1, microseconds=-1)) == []
    assert cache.expire(now + timedelta(days=1)) == [(1, 1)]


def test_a_timer_can_be_frozen(make: Make) -> None:
    readings = iter(range(100))
    cache = make("TTLCache", 10, 5, timer=lambda: next(readings))
    with cache.timer as time:
        assert cache.timer() == time
        cache["a"] = 1
        assert cache.ttl_remaining("a") == 5
    assert cache.timer() == time + 1
    assert make("TTLCache", 10, 5).timer() > 0


def test_time_to_use(make: Make, clock: Any) -> None:
    cache = make("TLRUCache", 10, lambda key, value, now: now + value, timer=clock)
    cache["a"] = 1
    cache["b"] = 3
    cache["dead"] = 0
    assert list(cache) == ["a", "b"]
    cache["b"] = -1
    assert list(cache) == ["a"]
    clock.tick()
    assert list(cache) == []
    assert cache.ttu("k", 2, 40) == 42


@pytest.mark.parametrize(
    ("ttl", "error", "text"),
    [
        ("5", TypeError, "ttl: expected a number of seconds, a timedelta or None, got str"),
        (math.nan, ValueError, "ttl: expected a number of seconds, got nan"),
        ([], TypeError, "ttl: expected a number of seconds, a timedelta or None, got list"),
    ],
)
def test_wrong_lifetimes_are_refused(make: Make, ttl: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make("TTLCache", 10, ttl)
    cache = make("TTLCache", 10, 5)
    with pytest.raises(error, match=text):
        cache.set("a", 1, ttl=ttl)
    assert len(cache) == 0


@pytest.mark.parametrize("reading", [None, "12", math.nan, object()])
def test_wrong_timers_are_refused(make: Make, reading: Any) -> None:
    cache = make("TTLCache", 10, 5, timer=lambda: reading)
    with pytest.raises((TypeError, ValueError), match="timer: expected a number or a datetime, got"):
        cache["a"] = 1
    with pytest.raises(TypeError, match="timer: expected a callable or None, got int"):
        make("TTLCache", 10, 5, timer=3)


def test_real_time(make: Make) -> None:
    import time

    cache = make("TTLCache", 10, 0.05)
    cache["a"] = 1
    cache.set("b", 2, ttl=3600)
    assert dict(cache.items()) == {"a": 1, "b": 2}
    assert 0 < cache.ttl_remaining("a") <= 0.05 + 1e-6
    time.sleep(0.06)
    assert dict(cache.items()) == {"b": 2}
