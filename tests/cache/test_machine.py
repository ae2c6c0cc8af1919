"""State machines: both twins and a model do the same, step by step, under one clock; and threads, in a crowd."""

from __future__ import annotations

import math
import random
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fastcore import _ext
from fastcore.dispatch import backends

Make = Callable[..., Any]

TWINS = ["python"] if _ext.probe("cache").module is None else ["compiled", "python"]
KEYS = st.one_of(st.integers(0, 9), st.sampled_from(["a", "b", 1.5, (1, "x"), None, 1 << 70]))
WEIGHTS = st.one_of(st.none(), st.sampled_from([0, 1, 2, 3.5]))
TTLS = st.one_of(st.none(), st.sampled_from([0, 1, 2, 5, 10, math.inf]))
DEFAULT = object()


class Model:
    """A cache by its definition: an ordered dict of (value, expires, weight), least recently used first."""

    def __init__(self, maxsize: float, ttl: float, clock: Callable[[], float]) -> None:
        self.maxsize, self.ttl, self.clock = maxsize, ttl, clock
        self.rows: OrderedDict[Any, tuple[Any, float, float]] = OrderedDict()
        self.hits = self.misses = 0
        self.left: list[tuple[Any, Any, str]] = []

    def total(self) -> float:
        return sum(weight for _, _, weight in self.rows.values())

    def live(self, key: Any) -> bool:
        return key in self.rows and self.clock() < self.rows[key][1]

    def drop(self, key: Any, cause: str) -> Any:
        own = next(k for k in self.rows if k == key)
        value = self.rows.pop(key)[0]
        self.left.append((own, value, cause))
        return value

    def expire(self, now: float) -> dict[Any, Any]:
        due = [key for key, (_, expires, _) in self.rows.items() if not now < expires]
        return {key: self.drop(key, "expired") for key in due}

    def set(self, key: Any, value: Any, ttl: float | None, weight: float | None) -> None:
        size = 1 if weight is None else weight
        self.expire(self.clock())
        if size > self.maxsize:
            raise ValueError("value too large")
        if key in self.rows:
            old, _, old_size = self.rows[key]
            own = next(k for k in self.rows if k == key)
            self.rows.move_to_end(key)
            spare = self.total() - old_size
        else:
            own, spare = None, self.total()
        for other in list(self.rows):
            if spare + size <= self.maxsize:
                break
            if other != key:
                spare -= self.rows[other][2]
                self.drop(other, "size")
        if key in self.rows:
            self.left.append((own, old, "replaced"))
        self.rows[key] = (value, self.clock() + (self.ttl if ttl is None else ttl), size)

    def get(self, key: Any) -> Any:
        if not self.live(key):
            self.misses += 1
            return DEFAULT
        self.hits += 1
        self.rows.move_to_end(key)
        return self.rows[key][0]


class CacheMachine(RuleBasedStateMachine):
    """Every operation on both twins and the model; what it gives, what it reports and what remains agree."""

    @initialize(maxsize=st.sampled_from([0, 1, 3, 6, 12, math.inf]), ttl=st.sampled_from([1, 3, 10, math.inf]))
    def begin(self, maxsize: float, ttl: float) -> None:
        self.time = 0.0
        self.heard: dict[str, list[Any]] = {name: [] for name in TWINS}
        self.caches = {
            name: backends.twin("cache", name).TTLCache(
                maxsize, ttl, timer=lambda: self.time, on_evict=lambda *entry, name=name: self.heard[name].append(entry)
            )
            for name in TWINS
        }
        self.model = Model(maxsize, ttl, lambda: self.time)

    def each(self, operation: Callable[[Any], Any], expected: Any) -> None:
        for name, cache in self.caches.items():
            assert operation(cache) == expected, name

    @rule(by=st.sampled_from([0.5, 1, 2, 7]))
    def tick(self, by: float) -> None:
        self.time += by

    @rule(key=KEYS, value=st.integers(), ttl=TTLS, weight=WEIGHTS)
    def set(self, key: Any, value: int, ttl: float | None, weight: float | None) -> None:
        def outcome(operation: Callable[[], object]) -> str:
            try:
                operation()
            except ValueError as error:
                return str(error)
            return "stored"

        expected = outcome(lambda: self.model.set(key, value, ttl, weight))
        self.each(lambda cache: outcome(lambda: cache.set(key, value, ttl=ttl, weight=weight)), expected)

    @rule(key=KEYS)
    def get(self, key: Any) -> None:
        expected = self.model.get(key)
        self.each(lambda cache: cache.get(key, DEFAULT), expected)

    @rule(key=KEYS)
    def peek(self, key: Any) -> None:
        live = self.model.live(key)
        self.each(lambda cache: cache.peek(key, DEFAULT), self.model.rows[key][0] if live else DEFAULT)
        self.each(lambda cache: key in cache, live)
        remaining = self.model.rows[key][1] - self.time if live else None
        self.each(lambda cache: cache.ttl_remaining(key), remaining)

    @rule(key=KEYS)
    def pop(self, key: Any) -> None:
        live = self.model.live(key)
        expected = self.model.drop(key, "explicit") if live else DEFAULT  # what has expired is left for expire()
        self.each(lambda cache: cache.pop(key, DEFAULT), expected)

    @rule()
    def popitem(self) -> None:
        self.model.expire(self.time)
        expected: Any = "empty"
        if self.model.rows:
            key = next(iter(self.model.rows))
            expected = (key, self.model.drop(key, "explicit"))

        def take(cache: Any) -> Any:
            try:
                return cache.popitem()
            except KeyError:
                return "empty"

        self.each(take, expected)

    @rule(key=KEYS, ttl=TTLS)
    def touch(self, key: Any, ttl: float | None) -> None:
        live = self.model.live(key)
        if live:
            value, _, weight = self.model.rows[key]
            self.model.rows[key] = (value, self.time + (self.model.ttl if ttl is None else ttl), weight)
            self.model.rows.move_to_end(key)
        self.each(lambda cache: cache.touch(key, ttl=ttl), live)

    @rule(ahead=st.sampled_from([0, 1, 5]))
    def expire(self, ahead: float) -> None:
        due = {key: row[1] for key, row in self.model.rows.items()}
        expected = self.model.expire(self.time + ahead)
        for cache in self.caches.values():
            items = cache.expire(self.time + ahead)
            assert dict(items) == expected
            times = [due[key] for key, _ in items]
            assert times == sorted(times)

    @rule(maxsize=st.sampled_from([0, 1, 4, 9, 30]))
    def resize(self, maxsize: float) -> None:
        self.model.maxsize = maxsize
        while self.model.rows and self.model.total() > maxsize:
            self.model.drop(next(iter(self.model.rows)), "size")
        for cache in self.caches.values():
            cache.resize(maxsize)

    @rule()
    def clear(self) -> None:
        for key in list(self.model.rows):
            self.model.drop(key, "explicit")
        for cache in self.caches.values():
            cache.clear()

    @rule(data=st.data())
    def change_twins(self, data: Any) -> None:
        from fastcore.cache import migrate

        for name in TWINS:
            other = data.draw(st.sampled_from(TWINS))
            moved = migrate(migrate(self.caches[name], other), name)
            assert type(moved) is type(self.caches[name])
            self.caches[name] = moved
        for key in [key for key, row in self.model.rows.items() if not self.time < row[1]]:
            self.model.rows.pop(key)  # what has expired does not move
        for cache in self.caches.values():
            cache.on_evict, heard = None, cache.on_evict
            cache.expire()
            cache.on_evict = heard

    @invariant()
    def all_agree(self) -> None:
        if not hasattr(self, "caches"):
            return
        living = [(key, row[0]) for key, row in self.model.rows.items() if self.time < row[1]]
        for name, cache in self.caches.items():
            cache._check()
            assert list(iter(cache.items())) == living  # list() would ask for the length, which expires
            assert cache._weight == pytest.approx(self.model.total())
            assert sorted(map(repr, self.heard[name])) == sorted(map(repr, self.model.left))
            hits, misses, *_ = cache._counters()
            assert (hits, misses) == (self.model.hits, self.model.misses)


CacheMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestCacheMachine = CacheMachine.TestCase


def test_a_million_operations_by_eight_threads_keep_every_invariant(make: Make, backend: str) -> None:
    total = 1_000_000 if backend == "compiled" else 160_000
    cache = make("TTLCache", 300, 0.05)
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        draw = rng.random
        try:
            for step in range(total // 8):
                key = int(draw() * 500)
                action = draw()
                if action < 0.5:
                    value = cache.get(key)
                    assert value is None or value[0] == key
                elif action < 0.85:
                    cache.set(key, (key, step), ttl=None if action < 0.8 else draw() / 10)
                elif action < 0.93:
                    cache.pop(key, None)
                elif action < 0.98:
                    cache.get_or_compute(key, lambda key=key: (key, 0))
                elif action < 0.99:
                    assert len(cache) <= 300
                elif action < 0.995:
                    cache.expire()
                elif action < 0.9999:
                    assert all(key == value[0] for key, value in cache.items())
                else:
                    cache.clear()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    cache._check()
    assert len(cache) <= 300


def test_a_market_day_is_mostly_hits(make: Make, clock: Any) -> None:
    """Zipf requests over 5,000 symbols with a lifetime of 600 s: the ratio is printed, and above 85 %."""
    rng = random.Random(11)
    weights = [1 / rank for rank in range(1, 5001)]
    cache = make("TTLCache", 5000, 600, timer=clock)
    for symbol in rng.choices(range(5000), weights, k=150_000):
        clock.tick(0.02)  # fifty requests a second
        cache.get_or_compute(symbol, lambda symbol=symbol: symbol)
    ratio = cache.stats().hit_ratio
    print(f"hit ratio over 150,000 requests in 50 minutes: {ratio:.1%}")
    assert ratio > 0.85
