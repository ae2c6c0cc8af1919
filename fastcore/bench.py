"""``python -m fastcore bench``: the hot paths on this machine, compared with what a user would pick instead.

The short form of the peer benchmarks: contenders take turns, and the medians and their spread are printed.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from fastcore._command_line import known_name, remark, whole
from fastcore.dispatch.colours import painted
from fastcore.dispatch.formatting import human, table
from fastcore.dispatch.status import status

__all__ = ["command"]

Work = Callable[[], object]
ROUNDS = 15
TARGET = 0.004  # seconds of one turn


class Row(NamedTuple):
    """A contender against ours."""

    part: str
    task: str
    contender: str
    ours: float
    theirs: float
    spread: float
    """Half of the range between the quartiles of theirs over ours, in shares of the ratio."""

    @property
    def ratio(self) -> float:
        """How often ours does it in the time that theirs takes once."""
        return self.theirs / self.ours


def command(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    """Prepare ``python -m fastcore bench``."""
    parser.add_argument("part", nargs="*", metavar="PART", help=f"all by default: {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=whole, default=ROUNDS, metavar="N", help=f"turns of each contender ({ROUNDS})")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return _run


def _run(options: argparse.Namespace) -> int:
    rows: list[Row] = []
    for part in options.part:
        known_name("part", part, PARTS, "the parts")
    chosen = [part for part in PARTS if part in options.part] or [*PARTS]
    for place, part in enumerate(chosen):
        for task, works in PARTS[part]().items():
            _show(f"{part}: {task}", place / len(chosen))
            rows += _compare(part, task, works, options.rounds)
    _show("", 1.0)
    if options.json:
        found = [{**row._asdict(), "ratio": round(row.ratio, 3)} for row in rows]
        runs = {path.name: path.runs for path in status().paths}
        print(json.dumps({"python": sys.version.split()[0], "runs": runs, "rows": found}, indent=1))
        return 0
    cells: list[tuple[str, ...]] = [("part", "task", "compared with", "ours", "theirs", "ratio", "")]
    for row in rows:
        word = "faster" if row.ratio > 1 + row.spread else "slower" if row.ratio < 1 - row.spread else "as fast"
        ratio = f"{row.ratio:.2f}x +-{row.spread:.0%}"
        cells.append((row.part, row.task, row.contender, human(row.ours), human(row.theirs), ratio, word))
    print(painted(table(cells, numbers=0)))
    for path in status().paths:
        if path.name in chosen and path.runs != "compiled":
            remark(f"{path.name} ran in Python: {path.why}", apart=False)
    remark("benchmarks/peers in the repository has all comparisons and how they are made", apart=False)
    return 0


def _show(what: str, share: float) -> None:
    """Show how far it is, on a terminal only."""
    if not sys.stderr.isatty():
        return
    bar = "#" * round(20 * share)
    line = f"[{bar:.<20}] {what}" if what else ""
    print(f"\r{line:<78}" + ("" if line else "\r"), end="", file=sys.stderr, flush=True)


def _compare(part: str, task: str, works: Mapping[str, Work], rounds: int) -> list[Row]:
    """Have the contenders take turns; ours is the first."""
    times: dict[str, list[float]] = {name: [] for name in works}
    repeats = {name: _repeats(work) for name, work in works.items()}
    collecting = gc.isenabled()
    gc.disable()
    try:
        order = list(works)
        for _ in range(rounds):
            random.shuffle(order)
            for name in order:
                times[name].append(_timed(works[name], repeats[name]))
    finally:
        if collecting:
            gc.enable()
    ours, *others = works
    rows = []
    for other in others:
        ratios = sorted(b / a for a, b in zip(times[ours], times[other]))
        low, high = ratios[len(ratios) // 4], ratios[(3 * len(ratios)) // 4]
        middle = statistics.median(ratios)
        medians = statistics.median(times[ours]), statistics.median(times[other])
        rows.append(Row(part, task, other, *medians, round((high - low) / 2 / middle, 3)))
    return rows


def _repeats(work: Work) -> int:
    repeats = 1
    while (took := _timed(work, repeats) * repeats) < TARGET / 4:  # one call alone is mostly the clock
        repeats *= 4
    return max(1, round(repeats * TARGET / took))


def _timed(work: Work, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def _installed(*names: str) -> dict[str, Any]:
    """Return those of some modules that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.import_module(name)
        except ImportError:
            continue
    return found


def _indicators() -> dict[str, dict[str, Work]]:
    import numpy as np
    import pandas as pd

    from fastcore import indicators as ta

    rng = np.random.default_rng(7)
    close = 100 + np.cumsum(rng.normal(0, 0.1, 10_000))
    series = pd.Series(close)
    tasks: dict[str, dict[str, Work]] = {
        "SMA of 10,000 bars": {"ours": lambda: ta.sma(close, 20), "pandas": lambda: series.rolling(20).mean()},
        "RSI of 10,000 bars": {"ours": lambda: ta.rsi(close, 14), "pandas": lambda: _pandas_rsi(series)},
    }
    if talib := _installed("talib").get("talib"):
        tasks["SMA of 10,000 bars"]["TA-Lib"] = lambda: talib.SMA(close, 20)
        tasks["RSI of 10,000 bars"]["TA-Lib"] = lambda: talib.RSI(close, 14)
    return tasks


def _pandas_rsi(series: Any) -> Any:
    change = series.diff()
    gain = change.clip(lower=0).ewm(alpha=1 / 14, min_periods=14).mean()
    loss = (-change.clip(upper=0)).ewm(alpha=1 / 14, min_periods=14).mean()
    return 100 - 100 / (1 + gain / loss)


def _cache() -> dict[str, dict[str, Work]]:
    import functools

    from fastcore.cache import LRUCache, cached

    keys = [random.Random(7).randrange(2000) for _ in range(2000)]

    def call(function: Callable[[int], int]) -> Work:
        return lambda: [function(key) for key in keys]

    def square(n: int) -> int:
        return n * n

    ours: Any = cached(maxsize=1000)(square)
    tasks: dict[str, dict[str, Work]] = {
        "2,000 calls, some misses": {"ours": call(ours), "lru_cache": call(functools.lru_cache(1000)(square))}
    }
    if other := _installed("cachetools").get("cachetools"):
        store, theirs = LRUCache(1000), other.LRUCache(1000)
        tasks["2,000 calls, some misses"]["cachetools"] = call(other.cached(other.LRUCache(1000))(square))
        tasks["2,000 writes"] = {"ours": _writes(store, keys), "cachetools": _writes(theirs, keys)}
    return tasks


def _writes(store: Any, keys: list[int]) -> Work:
    def work() -> None:
        for key in keys:
            store[key] = key

    return work


def _heap() -> dict[str, dict[str, Work]]:
    import heapq

    from fastcore.heap import PriorityQueue

    items = [(random.Random(n).random(), n) for n in range(1000)]

    def ours() -> None:
        queue: Any = PriorityQueue()
        for priority, item in items:
            queue.put(item, priority)
        while not queue.empty():
            queue.get()

    def lists() -> None:
        heap: list[tuple[float, int]] = []
        for one in items:
            heapq.heappush(heap, one)
        while heap:
            heapq.heappop(heap)

    def standard() -> None:
        import queue as queues

        queue: queues.PriorityQueue[tuple[float, int]] = queues.PriorityQueue()
        for one in items:
            queue.put(one)
        while not queue.empty():
            queue.get()

    return {
        "1,000 in and out, between threads": {"ours": ours, "queue.PriorityQueue": standard, "heapq, no lock": lists}
    }


def _framing() -> dict[str, dict[str, Work]]:
    from fastcore.framing import packb, unpackb

    message = {"symbol": "ACME", "price": 101.25, "size": 300, "bids": [[101.2, 5], [101.1, 9]], "live": True}
    packed, text = packb(message), json.dumps(message)
    tasks: dict[str, dict[str, Work]] = {
        "pack a message": {"ours": lambda: packb(message), "json": lambda: json.dumps(message)},
        "unpack a message": {"ours": lambda: unpackb(packed), "json": lambda: json.loads(text)},
    }
    for name, module in _installed("msgpack", "ormsgpack").items():
        tasks["pack a message"][name] = partial(module.packb, message)
        tasks["unpack a message"][name] = partial(module.unpackb, packed)
    return tasks


PARTS: dict[str, Callable[[], dict[str, dict[str, Work]]]] = {
    "indicators": _indicators,
    "cache": _cache,
    "heap": _heap,
    "framing": _framing,
}
