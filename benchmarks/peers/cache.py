"""Caches compared with cachetools, cachebox, functools.lru_cache and a plain dict.

One interleaved run. A contender is a loop over prepared keys, so the cost of the loop itself is measured and taken off
every figure. ``python benchmarks/peers/cache.py [--quick] [part ...]``: parts are named as the functions below.
"""

from __future__ import annotations

import functools
import gc
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import cachebox
import cachetools
from harness import Ratio, Report, Timing, interleave, versions

from fastcore.dispatch import backends

QUICK = "--quick" in sys.argv
CALLS = 2_000
TTL = 3600.0

KEYS: dict[str, Callable[[int], Any]] = {
    "str": lambda n: f"symbol:{n}",
    "int": lambda n: n * 7919,
    "tuple": lambda n: (f"symbol:{n}", n % 60),
}


def contenders(size: int) -> dict[str, Any]:
    """Return every cache, empty, with room for `size`."""
    return {
        "fastcore": backends.twin("cache", "compiled").TTLCache(size, TTL),
        "cachebox": cachebox.TTLCache(size, TTL),
        "cachetools": cachetools.TTLCache(size, TTL),
        "dict": {},
    }


def draw(keys: Sequence[Any], law: str, count: int, rng: random.Random) -> list[Any]:
    """Draw keys by popularity: ranks of a Zipf law in an arbitrary order, or all alike."""
    if law == "uniform":
        return rng.choices(keys, k=count)
    weights = list(accumulate(1 / rank for rank in range(1, len(keys) + 1)))
    order = list(keys)
    rng.shuffle(order)
    return rng.choices(order, cum_weights=weights, k=count)


def getter(cache: Any, asked: list[Any]) -> Callable[[], None]:
    get = cache.get

    def run() -> None:
        for key in asked:
            get(key)

    return run


def setter(cache: Any, asked: list[Any]) -> Callable[[], None]:
    def run() -> None:
        for key in asked:
            cache[key] = None

    return run


def inserter(cache: Any, fresh: Any) -> Callable[[], None]:
    """Insert keys that were never there: a ring of them twice as long as the cache, so that each evicts."""
    position = 0

    def run() -> None:
        nonlocal position
        start, position = position, (position + CALLS) % len(fresh)
        for key in fresh[start : start + CALLS]:
            cache[key] = None

    return run


def empty(asked: list[Any]) -> Callable[[], None]:
    def run() -> None:
        for _key in asked:
            pass

    return run


def measure(cases: dict[str, Callable[[], None]], asked: list[Any]) -> dict[str, Timing]:
    """Time the loops of `cases`, less the loop over the keys itself."""
    timings = interleave(
        {**cases, "loop": empty(asked)}, rounds=7 if QUICK else 15, target=0.004 if QUICK else 0.01, per_call=CALLS
    )
    loop = timings.pop("loop").median
    return {
        name: Timing(max(t.median - loop, 1e-10), t.low - loop, t.high - loop, t.rounds) for name, t in timings.items()
    }


def ratios(timings: dict[str, Timing], hit: bool) -> dict[str, Ratio]:
    ours = timings["fastcore"].median
    found = {"cachebox / fastcore": Ratio(timings["cachebox"].median / ours, 1.0)}
    if hit:
        found["cachetools / fastcore"] = Ratio(timings["cachetools"].median / ours, 15.0)
        found["fastcore / dict.get"] = Ratio(ours / timings["dict"].median, 2.0, at_least=False)
    return found


def mapping_cases(report: Report) -> None:
    rng = random.Random(1)
    sizes = (1_000, 100_000) if QUICK else (1_000, 1_000_000)
    against: list[float] = []
    for size in sizes:
        for kind, key_of in KEYS.items():
            keys = [key_of(n) for n in range(size)]
            others = [key_of(n) for n in range(size, 2 * size if size < 100_000 else size + 50_000)]
            caches = contenders(size)
            for cache in caches.values():
                for key in keys:
                    cache[key] = None
            gc.collect()
            gc.freeze()
            for law in ("zipf", "uniform"):
                asked = draw(keys, law, CALLS, rng)
                timings = measure({name: getter(cache, asked) for name, cache in caches.items()}, asked)
                against.append(timings["cachebox"].median / timings["fastcore"].median)
                report.add(f"hit, {kind}, {law}, {size:,}", timings, ratios(timings, hit=True))
            asked = draw(others, "uniform", CALLS, rng)
            timings = measure({name: getter(cache, asked) for name, cache in caches.items()}, asked)
            report.add(f"miss, {kind}, {size:,}", timings, ratios(timings, hit=False))
            asked = draw(keys, "uniform", CALLS, rng)
            timings = measure({name: setter(cache, asked) for name, cache in caches.items()}, asked)
            report.add(f"update, {kind}, uniform, {size:,}", timings, ratios(timings, hit=False))
            caches.pop("dict")
            fresh = others[: len(others) // CALLS * CALLS] or others
            if size == 1_000:
                fresh = [key_of(n) for n in range(10_000, 10_000 + 20 * CALLS)]
            timings = measure({name: inserter(cache, fresh) for name, cache in caches.items()}, fresh[:CALLS])
            report.add(f"evicting insert, {kind}, {size:,}", timings, ratios(timings, hit=False))
            gc.unfreeze()
            del caches, keys, others, fresh, asked
    report.conclude("hits, geometric mean of cachebox / fastcore", Ratio(statistics.geometric_mean(against), 1.0))


def decorator_cases(report: Report) -> None:
    from fastcore.cache import cached

    def function(x: Any) -> Any:
        return x

    def pair(x: Any, y: Any) -> Any:
        return x

    for label, wrapped, arguments in (
        ("one str", function, [(f"symbol:{n}",) for n in range(500)]),
        ("one int", function, [(n,) for n in range(500)]),
        ("two", pair, [(f"symbol:{n}", n) for n in range(500)]),
    ):
        made = {
            "fastcore": cached(maxsize=1024, ttl=TTL)(wrapped),
            "lru_cache": functools.lru_cache(1024)(wrapped),
            "cachebox": cachebox.cached(cachebox.TTLCache(1024, TTL))(wrapped),
            "cachetools": cachetools.cached(cachetools.TTLCache(1024, TTL))(wrapped),
        }
        asked = random.Random(2).choices(arguments, k=CALLS)

        def caller(call: Callable[..., Any], asked: list[Any] = asked) -> Callable[[], None]:
            if len(asked[0]) == 1:

                def run() -> None:
                    for (x,) in asked:
                        call(x)

            else:

                def run() -> None:
                    for x, y in asked:
                        call(x, y)

            return run

        timings = interleave(
            {name: caller(call) for name, call in made.items()}, rounds=15, target=0.01, per_call=CALLS
        )
        ours = timings["fastcore"].median
        report.add(
            f"decorated hit, {label}",
            timings,
            {
                "fastcore / lru_cache": Ratio(ours / timings["lru_cache"].median, 1.2, at_least=False),
                "cachebox / fastcore": Ratio(timings["cachebox"].median / ours, 5.0),
            },
        )


def ordinary_hits(report: Report) -> None:
    """Hits as services make them: by name, of methods, awaited, and with the options of `@cached`."""
    from fastcore.cache import cached

    def bars(symbol: Any, days: int = 5, adjusted: bool = True) -> Any:
        return symbol

    class Desk:
        fastcore = cached(maxsize=1024, ttl=TTL)(bars_of)
        lru_cache = functools.lru_cache(1024)(bars_of)

    lru, peer = functools.lru_cache(1024)(bars), cachebox.cached(cachebox.TTLCache(1024, TTL))(bars)
    symbols = random.Random(5).choices([f"symbol:{n}" for n in range(500)], k=CALLS)
    plain, desk = cached(maxsize=1024, ttl=TTL)(bars), Desk()
    three = {"fastcore": plain, "lru_cache": lru, "cachebox": peer}
    rows: list[tuple[str, dict[str, Any], Callable[[Any, Any], None], str, float]] = [
        ("three by position", three, by_position, "lru_cache", 3.0),
        ("one keyword", three, one_keyword, "lru_cache", 3.0),
        ("two keywords", three, two_keywords, "lru_cache", 3.0),
        ("all by name", three, all_by_name, "lru_cache", 3.0),
        ("method", {"fastcore": desk.fastcore, "lru_cache": desk.lru_cache}, one_argument, "lru_cache", 3.0),
        (
            "method, two keywords",
            {"fastcore": desk.fastcore, "lru_cache": desk.lru_cache},
            two_keywords,
            "lru_cache",
            3.0,
        ),
    ]
    options: dict[str, dict[str, Any]] = {
        "typed": {"typed": True},
        "stale": {"stale": 60},
        "tags": {"tags": "bars"},
        "early": {"early": True},
        "normalize": {"normalize": True},
        "all of them": {"typed": True, "stale": 60, "tags": "bars", "early": True, "normalize": True},
    }
    for label, given in options.items():
        made = {"fastcore": cached(maxsize=1024, ttl=TTL, **given)(bars), "cachebox": peer}
        rows.append((label, made, one_argument, "cachebox", 1.0))
        rows.append((f"{label}, two keywords", made, two_keywords, "cachebox", 1.0))
    for label, made, loop, other, goal in rows:
        timings = measure({name: functools.partial(loop, call, symbols) for name, call in made.items()}, symbols)
        ratio = Ratio(timings["fastcore"].median / timings[other].median, goal, at_least=False)
        report.add(f"decorated hit, {label}", timings, {f"fastcore / {other}": ratio})


def bars_of(self: Any, symbol: Any, days: int = 5, adjusted: bool = True) -> Any:
    return symbol


def one_argument(call: Any, symbols: list[Any]) -> None:
    for symbol in symbols:
        call(symbol)


def by_position(call: Any, symbols: list[Any]) -> None:
    for symbol in symbols:
        call(symbol, 9, False)


def one_keyword(call: Any, symbols: list[Any]) -> None:
    for symbol in symbols:
        call(symbol, adjusted=False)


def two_keywords(call: Any, symbols: list[Any]) -> None:
    for symbol in symbols:
        call(symbol, days=9, adjusted=False)


def all_by_name(call: Any, symbols: list[Any]) -> None:
    for symbol in symbols:
        call(symbol=symbol, adjusted=False, days=9)


def awaited_hits(report: Report) -> None:
    """Hits of a coroutine function, each awaited; and of the function itself, which returns at once."""
    import asyncio

    from fastcore.cache import cached

    async def bars(symbol: Any, days: int = 5) -> Any:
        return symbol

    symbols = random.Random(6).choices([f"symbol:{n}" for n in range(500)], k=CALLS)
    calls = {
        "fastcore": cached(maxsize=1024, ttl=TTL)(bars),
        "cachebox": cachebox.cached(cachebox.TTLCache(1024, TTL))(bars),
        "uncached": bars,
    }
    loop = asyncio.new_event_loop()

    async def run(call: Any) -> None:
        for symbol in symbols:
            await call(symbol)

    def runner(call: Any) -> Callable[[], None]:
        return lambda: loop.run_until_complete(run(call))

    timings = measure({name: runner(call) for name, call in calls.items()}, symbols)
    loop.close()
    ours = timings["fastcore"].median
    report.add(
        "decorated hit, coroutine function",
        timings,
        {
            "fastcore / cachebox": Ratio(ours / timings["cachebox"].median, 1.0, at_least=False),
            "fastcore / uncached": Ratio(ours / timings["uncached"].median, 5.0, at_least=False),
        },
    )


MEMORY = """
import gc, psutil, sys
kind, count = sys.argv[1], int(sys.argv[2])
keys = [f"symbol:{n}" for n in range(count)]
if kind == "cachebox":
    import cachebox
    make = lambda n: cachebox.TTLCache(n, 3600.0)
elif kind == "cachetools":
    import cachetools
    make = lambda n: cachetools.TTLCache(n, 3600.0)
else:
    from fastcore.dispatch import backends
    make = lambda n: backends.twin("cache", "compiled").TTLCache(n, 3600.0)
small = make(10)
for key in keys[:20]:
    small[key] = None
gc.collect()
before = psutil.Process().memory_info().rss
cache = make(count)
for key in keys:
    cache[key] = None
print((psutil.Process().memory_info().rss - before) / count)
"""


def memory_cases(report: Report) -> None:
    """Resident bytes per entry without keys and values; each cache in a separate process."""
    for count in (100_000, 1_000_000, 1_500_000):
        taken = {}
        for kind in ("fastcore", "cachebox", "cachetools"):
            if kind == "cachetools" and count > 100_000:
                continue
            done = subprocess.run(
                [sys.executable, "-c", MEMORY, kind, str(count)], capture_output=True, text=True, check=True
            )
            taken[kind] = float(done.stdout)
        cells = ", ".join(f"{kind} {size:.1f} B" for kind, size in taken.items())
        report.notes.append(f"memory an entry, {count:,}: {cells}")
        print(report.notes[-1])
        report.conclude(
            f"memory an entry, {count:,}: fastcore / cachebox",
            Ratio(taken["fastcore"] / taken["cachebox"], 1.0, at_least=False),
        )


def hit_ratio(report: Report) -> None:
    """A replay of requests for market data: Zipf over 5,000 symbols, 600 s to live, fifty requests a second."""
    clock = 0.0
    cache = backends.twin("cache", "compiled").TTLCache(5_000, 600, timer=lambda: clock)
    rng = random.Random(3)
    for symbol in draw([f"symbol:{n}" for n in range(5_000)], "zipf", 150_000, rng):
        clock += 0.02
        cache.get_or_compute(symbol, lambda: None)
    report.conclude("hit ratio of a market-data replay", Ratio(cache.stats().hit_ratio, 0.85))


def content_keys(report: Report) -> None:
    """Bytes a second that a content key reads, of a frame of prices as pandas makes it from columns."""
    import time

    import numpy as np
    import pandas as pd

    from fastcore.cache import dataframe_key

    rng = np.random.default_rng(4)
    columns = {name: rng.random(1_000_000) for name in ("open", "high", "low", "close", "volume")}
    frames = {"of columns": pd.DataFrame(columns), "of one matrix": pd.DataFrame(rng.random((1_000_000, 5)))}
    for label, frame in frames.items():
        best = 1e9
        for _ in range(5):
            start = time.perf_counter()
            dataframe_key(frame)
            best = min(best, time.perf_counter() - start)
        speed = frame.memory_usage(index=False).sum() / best / 1e9
        report.conclude(f"content key of a frame {label}, GB/s", Ratio(float(speed), 2.0))


def small_keys(report: Report) -> None:
    """Content keys of a small frame and of a column of text, as other libraries make them."""
    import hashlib
    import pickle

    import numpy as np
    import pandas as pd

    from fastcore.cache import dataframe_key

    rng = np.random.default_rng(5)
    prices = {name: rng.random(30) for name in ("open", "high", "low", "close", "volume")}
    names = [f"symbol:{n}" for n in range(50_000)]
    drawn = rng.choice(["AAPL", "MSFT", "IBM"], 50_000).tolist()
    frames = {
        "30 bars x 5": pd.DataFrame(prices, index=pd.date_range("2024", periods=30, freq="min")),
        "50,000 texts, 3 distinct": pd.DataFrame({"symbol": drawn}),
        "50,000 texts, all distinct": pd.DataFrame({"symbol": names}),
        "50,000 texts in objects": pd.DataFrame({"symbol": pd.Series(drawn, dtype=object)}),
    }
    for label, frame in frames.items():
        makers: dict[str, Callable[[], object]] = {
            "fastcore": lambda frame=frame: dataframe_key(frame),
            "hash_pandas_object": lambda frame=frame: pd.util.hash_pandas_object(frame),
            "md5(pickle)": lambda frame=frame: hashlib.md5(pickle.dumps(frame, 5)).digest(),
        }
        timings = interleave(makers, rounds=7 if QUICK else 15, target=0.005)
        ours = timings["fastcore"].median
        ratio = Ratio(timings["hash_pandas_object"].median / ours, 1.0)
        report.add(f"content key, {label}", timings, {"hash_pandas_object / fastcore": ratio})
        if len(frame) == 30:
            report.conclude(f"content key, {label}, us", Ratio(ours * 1e6, 50.0, at_least=False))


def copies_of_results(report: Report) -> None:
    """Hits whose result each caller gets as its own, on write and in full."""
    import numpy as np
    import pandas as pd

    from fastcore.cache import cached

    frame = pd.DataFrame(np.random.default_rng(6).random((50_000, 5)), columns=list("abcde"))
    for label, value in (("frame of 50,000 x 5", frame), ("array of 50,000 x 5", frame.to_numpy())):
        makers = {
            f"copy={mode!r}": cached(copy=mode)(lambda x, value=value: value) for mode in ("on-write", True, False)
        }
        calls = {name: functools.partial(call, "AAPL") for name, call in makers.items()}
        timings = interleave(calls, rounds=7 if QUICK else 15, target=0.005)
        ratio = Ratio(timings["copy=True"].median / timings["copy='on-write'"].median, 5.0)
        report.add(f"decorated hit, {label}", timings, {"copy=True / copy='on-write'": ratio})


def main() -> None:
    os.environ.setdefault("PYTHONHASHSEED", "0")
    report = Report("cache", "Caches, one operation", versions("fastcore-native", "cachebox", "cachetools"))
    report.notes.append("loop overhead is taken off; keys are the stored objects themselves, as in a service")
    parts = (
        mapping_cases,
        decorator_cases,
        ordinary_hits,
        awaited_hits,
        memory_cases,
        hit_ratio,
        content_keys,
        small_keys,
        copies_of_results,
    )
    report.run(parts, [name for name in sys.argv[1:] if name != "--quick"])


if __name__ == "__main__":
    main()
