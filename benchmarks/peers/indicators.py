"""The indicators compared with TA-Lib, bottleneck and pandas, as a service calls them: through the public functions.

pandas and polars are imported, as they are in a service; TA-Lib's functions then look at every argument for their
types. Each row is one function of the registry with its default parameters: arrays of three lengths, Series of
pandas, how time grows with bars and periods and depends on the data. For the most used ones then shapes of data, data
with gaps and halts compared with clean data, panels of symbols, live updates and boards.

The whole takes longer than five minutes; parts are named as arguments: ``indicators.py lengths series slopes``.
"""

from __future__ import annotations

import gc
import math
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bottleneck
import harness
import numpy as np
import pandas as pd
import polars  # noqa: F401  as a service has it, which TA-Lib notices
import talib
import talib.stream

from fastcore import indicators as ta
from fastcore.indicators.registry import INDICATORS as EVERY
from fastcore.indicators.registry import rolling

INDICATORS = {name: row for name, row in EVERY.items() if row.group != rolling.GROUP}  # rolling.py has the others
GOALS = {30: 6.0, 500: 4.0, 100_000: 3.0}  # geometric means over all functions, by bars
INPUTS = {
    "sma": ("close",),
    "ema": ("close",),
    "rsi": ("close",),
    "macd": ("close",),
    "bbands": ("close",),
    "atr": ("high", "low", "close"),
    "stoch": ("high", "low", "close"),
    "obv": ("close", "volume"),
    "stddev": ("close",),
    "min": ("close",),
    "max": ("close",),
    "vwap": ("high", "low", "close", "volume"),
}
# Rolling statistics: bars, and what they are called in pandas and in bottleneck.
ROLLING = {
    "sma": (30, "mean", "move_mean"),
    "sum": (30, "sum", "move_sum"),
    "stddev": (5, "std", "move_std"),
    "var": (5, "var", "move_var"),
    "min": (30, "min", "move_min"),
    "max": (30, "max", "move_max"),
}
Columns = dict[str, "np.ndarray[Any, np.dtype[np.float64]]"]


def columns(close: Any) -> Columns:
    rng = np.random.default_rng(1)
    n = len(close)
    spread = np.abs(close) * 1e-3
    return {
        "close": close,
        "high": close + spread * rng.random(n),
        "low": close - spread * rng.random(n),
        "open": close + spread * (rng.random(n) - 0.5),
        "volume": np.floor(rng.random(n) * 1e6) + 1.0,
    }


def walk(n: int) -> Columns:
    return columns(100.0 * np.exp(np.cumsum(np.random.default_rng(0).standard_normal(n) * 1e-3)))


def spiked(n: int) -> Columns:
    data = walk(n)
    for column in data.values():
        column[n // 3] = 1e16
    return data


SHAPES: dict[str, Callable[[int], Columns]] = {
    "rising": lambda n: columns(100.0 + np.arange(n) * 0.01),
    "falling": lambda n: columns(100.0 + n * 0.01 - np.arange(n) * 0.01),
    "constant": lambda n: columns(np.full(n, 100.0)),
    "one spike of 1e16": spiked,
}


def inputs_of(name: str, data: Columns) -> list[Any]:
    """The inputs of a function, in order; those of inverse functions are in -1..1."""
    real = data["close"] / 200.0 if name in ("acos", "asin") else data["close"]
    periods = np.resize(np.arange(5.0, 30.0), len(real))
    known = {**data, "real": real, "real0": data["close"], "real1": data["high"], "periods": periods}
    return [known[key] for key in EVERY[name].inputs]


def peers_of(name: str, inputs: list[Any]) -> dict[str, Callable[[], object]]:
    """Every way to the same numbers (pandas' ewm begins otherwise), each on its fastest input: arrays or a Series."""
    found: dict[str, Callable[[], object]] = {"talib": partial(getattr(talib, name.upper()), *inputs)}
    real = inputs[0]
    series = pd.Series(real)
    if name in ROLLING:
        window, pandas_name, bottleneck_name = ROLLING[name]
        options = {"ddof": 0} if pandas_name in ("std", "var") else {}
        found["pandas"] = lambda: getattr(series.rolling(window), pandas_name)(**options)
        found["bottleneck"] = partial(getattr(bottleneck, bottleneck_name), real, window)
    if name == "ema":
        found["pandas"] = lambda: series.ewm(span=30, adjust=False).mean()
    if name in ("sma", "ema"):
        found["copy"] = real.copy
    return found


def compare(report: harness.Report, case: str, name: str, data: Columns, rounds: int) -> float:
    """Add a row; returns how many times faster than TA-Lib."""
    inputs = inputs_of(name, data)
    timings = harness.interleave(
        {"fastcore": partial(getattr(ta, name), *inputs), **peers_of(name, inputs)}, rounds=rounds, target=0.005
    )
    mine = timings["fastcore"].median
    peers = {key: value.median for key, value in timings.items() if key not in ("fastcore", "copy")}
    best = min(peers, key=peers.__getitem__)
    ratios = {f"fastest peer ({best}) / fastcore": harness.Ratio(peers[best] / mine, 1.0)}
    if "copy" in timings and len(inputs[0]) == max(GOALS):
        ratios["fastcore / copy"] = harness.Ratio(mine / timings["copy"].median, 2.0, at_least=False)
    if name in ROLLING and len(inputs[0]) == max(GOALS):
        ratios["pandas / fastcore"] = harness.Ratio(peers["pandas"] / mine, 3.0)
    report.add(case, timings, ratios)
    return peers["talib"] / mine


def mean_of(gains: Iterable[float]) -> float:
    """The geometric mean."""
    logarithms = [math.log(gain) for gain in gains]
    return math.exp(math.fsum(logarithms) / len(logarithms))


def conclude(report: harness.Report, gains: dict[str, float], what: str, goal: float) -> None:
    """Print the geometric mean over all functions and those that lose."""
    label = f"talib / fastcore, geometric mean over {len(gains)} functions, {what}"
    report.conclude(label, harness.Ratio(mean_of(gains.values()), goal))
    losing = sorted((gain, name) for name, gain in gains.items() if gain < 1.0)
    report.conclude(f"slower than TA-Lib, {what}", harness.Ratio(len(losing), 0, at_least=False))
    print("  slower: " + (", ".join(f"{name} {gain:.2f}" for gain, name in losing) or "none"), flush=True)


def lengths(report: harness.Report) -> None:
    """Every function of the registry, on arrays."""
    of_twelve = []
    for n, goal in GOALS.items():
        data = walk(n)
        gains = {name: compare(report, f"{name}, {n} bars", name, data, rounds=9) for name in INDICATORS}
        of_twelve += [gains[name] for name in INPUTS]
        conclude(report, gains, f"{n} bars", goal)
    label = "talib / fastcore, geometric mean over the twelve at the three lengths"
    report.conclude(label, harness.Ratio(mean_of(of_twelve), 2.0))


def sizes(report: harness.Report) -> None:
    """Every function at lengths between those and beyond the caches.

    Up to some 50,000 bars the processor knows the branches of a series that it has taken before. Functions of TA-Lib
    that branch by the data are faster there than on a series that is new.
    """
    for n in (2_000, 20_000, 1_000_000):
        data = walk(n)
        gains = {name: compare(report, f"{name}, {n} bars", name, data, rounds=7) for name in INDICATORS}
        conclude(report, gains, f"{n} bars", 1.0)


def slopes(report: harness.Report) -> None:
    """How time grows: with eight times the bars (1 is in proportion), from a period of 10 bars to one of 1,000, where a
    function may go over to another method, and from there to one of 10,000.
    """
    few, many, short, long, longest = 12_500, 100_000, 10, 1_000, 10_000
    small, large = walk(few), walk(many)
    for name, row in INDICATORS.items():
        function = getattr(ta, name)
        inputs = inputs_of(name, large)
        contenders: dict[str, Callable[[], object]] = {
            f"{few} bars": partial(function, *inputs_of(name, small)),
            f"{many} bars": partial(function, *inputs),
        }
        periods = [param.name for param in row.params if param.kind == "int"]
        if periods:
            for bars in (short, long, longest):
                contenders[f"periods of {bars}"] = partial(function, *inputs, **dict.fromkeys(periods, bars))
        timings = harness.interleave(contenders, rounds=5, target=0.004)
        took = {what: timing.median for what, timing in timings.items()}
        grown = math.log(took[f"{many} bars"] / took[f"{few} bars"]) / math.log(many / few)
        ratios = {"exponent of bars": harness.Ratio(grown, 1.15, at_least=False)}
        if periods:
            ratio = took[f"periods of {long}"] / took[f"periods of {short}"]
            ratios[f"period {long} / {short}"] = harness.Ratio(ratio, 1.5, at_least=False)
            ratio = took[f"periods of {longest}"] / took[f"periods of {long}"]
            ratios[f"period {longest} / {long}"] = harness.Ratio(ratio, 1.5, at_least=False)
        report.add(f"{name}, slopes", timings, ratios)


def shapes(report: harness.Report) -> None:
    for shape, make in SHAPES.items():
        data = make(10_000)
        for name in INPUTS:
            compare(report, f"{name}, 10000 bars, {shape}", name, data, rounds=7)


def series(report: harness.Report) -> None:
    """Series of pandas in and out, as a service has them."""
    gains = {}
    index = pd.date_range("2024-01-01", periods=30, freq="min")
    data = walk(30)
    for name in INDICATORS:
        arguments = [pd.Series(column, index) for column in inputs_of(name, data)]
        contenders: dict[str, Callable[[], object]] = {
            "fastcore": partial(getattr(ta, name), *arguments),
            "talib": partial(getattr(talib, name.upper()), *arguments),
        }
        timings = harness.interleave(contenders, rounds=9, target=0.005)
        gains[name] = timings["talib"].median / timings["fastcore"].median
        report.add(f"{name}, Series of 30 bars", timings, {"talib / fastcore": harness.Ratio(gains[name], 1.0)})
    conclude(report, gains, "Series of 30 bars", 2.0)


def led(n: int) -> Columns:
    data = walk(n)
    for column in data.values():
        column[:14] = np.nan
    return data


def gapped(n: int) -> Columns:
    data = walk(n)
    for column in data.values():
        column[n // 2 : n // 2 + 5] = np.nan
    return data


def halted(n: int) -> Columns:
    data = {key: column.copy() for key, column in walk(n).items()}
    for key, column in data.items():
        column[n // 10 :] = 0.0 if key == "volume" else data["close"][n // 10]
    return data


def gaps(report: harness.Report) -> None:
    """The same bars with NaN before them, with a gap, and of a symbol that is halted, compared with clean ones."""
    n = 20_000
    for name in INPUTS:
        contenders: dict[str, Callable[[], object]] = {
            what: partial(getattr(ta, name), *(data[key] for key in INPUTS[name]))
            for what, data in (
                ("clean", walk(n)),
                ("leading NaN", led(n)),
                ("a gap", gapped(n)),
                ("halted", halted(n)),
            )
        }
        before = led(n)
        contenders["talib, leading NaN"] = partial(getattr(talib, name.upper()), *(before[key] for key in INPUTS[name]))
        timings = harness.interleave(contenders, rounds=15, target=0.01)
        clean = timings["clean"].median
        ratios = {
            f"{what} / clean": harness.Ratio(timings[what].median / clean, goal, at_least=False)
            for what, goal in (("leading NaN", 1.1), ("a gap", 3.0), ("halted", 1.5))
        }
        peer = timings["talib, leading NaN"].median / timings["leading NaN"].median
        ratios["talib / fastcore, leading NaN"] = harness.Ratio(peer, 1.0)
        report.add(f"{name}, {n} bars", timings, ratios)


def stopped(n: int) -> Columns:
    return {key: np.full(n, 1000.0 if key == "volume" else 100.0) for key in walk(1)}


def holed(n: int) -> Columns:
    data, missing = walk(n), np.random.default_rng(5).random(n) < 0.01
    for column in data.values():
        column[missing] = np.nan
    return data


def spread(report: harness.Report) -> None:
    """Every function on five more kinds of data, compared with a random walk."""
    n = 20_000
    kinds = {"rising": SHAPES["rising"], "constant": stopped, "halted": halted, "leading NaN": led, "1% NaN": holed}
    worst: dict[str, list[tuple[float, str]]] = {kind: [] for kind in kinds}
    data = {"walk": walk(n), **{kind: make(n) for kind, make in kinds.items()}}
    for name in EVERY:
        contenders: dict[str, Callable[[], object]] = {
            kind: partial(getattr(ta, name), *inputs_of(name, columns)) for kind, columns in data.items()
        }
        timings = harness.interleave(contenders, rounds=9, target=0.002)
        ratios = {}
        for kind in kinds:
            ratio = timings[kind].median / timings["walk"].median
            ratios[f"{kind} / walk"] = harness.Ratio(ratio, 1.2, at_least=False)
            worst[kind].append((ratio, name))
        report.add(f"{name}, {n} bars, kinds of data", timings, ratios)
    for kind, found in worst.items():
        over = sorted(((ratio, name) for ratio, name in found if ratio > 1.2), reverse=True)
        report.conclude(
            f"functions slower than on a walk, {kind}", harness.Ratio(len(over), len(EVERY) // 10, at_least=False)
        )
        print("  slower: " + (", ".join(f"{name} {ratio:.2f}" for ratio, name in over) or "none"), flush=True)


def ticks(report: harness.Report) -> None:
    """Ticks of a board one by one: the least of ten at each place in a period; the slowest place and the median."""
    symbols, period, periods = 10_000, 200, 10
    rows = [100.0 + np.random.default_rng(seed).normal(size=symbols) for seed in range(8)]
    for definition in (ta.SMA(period), ta.MAX(period), ta.STDDEV(period), ta.EMA(period)):
        board = ta.Plan(one=definition).live(symbols=symbols)
        took = []
        for i in range(2 * period + periods * period):
            start = time.perf_counter()
            board.update(close=rows[i % 8])
            took.append(time.perf_counter() - start)
        places = np.array(took[2 * period :]).reshape(periods, period).min(axis=0)
        median = float(np.median(places))
        low, high = np.quantile(places, [0.25, 0.75])
        ratio = harness.Ratio(float(places.max()) / median, 3.0, at_least=False)
        timing = harness.Timing(median, float(low), float(high), periods * period)
        report.add(f"{definition!r}, a tick of {symbols}", {"fastcore": timing}, {"slowest / median": ratio})


def halts(report: harness.Report) -> None:
    """Ticks of a board whose symbols move, and of one where none is traded any more."""
    symbols = 10_000
    prices = {key: np.tile(column[60:], (symbols, 1)) for key, column in walk(68).items()}
    history = {key: np.tile(column[:60], (symbols, 1)) for key, column in walk(68).items()}
    for name in INPUTS:
        contenders: dict[str, Callable[[], object]] = {}
        for what, places in (("moving", range(8)), ("halted", [7] * 8)):
            board = ta.Plan(one=getattr(ta, name.upper())()).live(symbols=symbols, history=history)
            bars = [{key: np.ascontiguousarray(prices[key][:, i]) for key in board.plan.columns} for i in places]
            contenders[what] = partial(_each_bar, board.update, bars)
        timings = harness.interleave(contenders, rounds=9, target=0.02, per_call=8 * symbols)
        ratio = harness.Ratio(timings["halted"].median / timings["moving"].median, 1.1, at_least=False)
        report.add(f"{name}, board of {symbols}, a symbol that is halted", timings, {"halted / moving": ratio})


def _each_bar(update: Callable[..., object], bars: list[Columns]) -> None:
    for bar in bars:
        update(**bar)


def panels(report: harness.Report) -> None:
    """Many symbols in one call; TA-Lib takes them one at a time, the others along an axis."""
    symbols, bars = 500, 1000
    panel = np.stack([walk(bars)["close"] * (1.0 + i / symbols) for i in range(symbols)])
    frame = pd.DataFrame(panel.T)
    work: dict[str, dict[str, Callable[[], object]]] = {
        "sma": {
            "bottleneck": lambda: bottleneck.move_mean(panel, 30, axis=1),
            "pandas": lambda: frame.rolling(30).mean(),
        },
        "rsi": {},
        "bbands": {},
    }
    for name, others in work.items():
        function = getattr(talib, name.upper())
        contenders = {
            "fastcore": partial(getattr(ta, name), panel),
            "talib, a loop": partial(_each_row, function, panel),
            **others,
        }
        timings = harness.interleave(contenders, rounds=7, target=0.05, per_call=symbols * bars)
        mine = timings["fastcore"].median
        best = min(value.median for key, value in timings.items() if key != "fastcore")
        ratio = harness.Ratio(best / mine, 1.0)
        report.add(f"{name}, {symbols} x {bars}, a bar", timings, {"fastest peer / fastcore": ratio})


def _each_row(function: Callable[..., Any], panel: Any) -> list[Any]:
    return [function(row) for row in panel]


def live(report: harness.Report) -> None:
    """One bar more, with a history behind it."""
    data = walk(500)
    for name, keys in INPUTS.items():
        definition = getattr(ta, name.upper())()
        history = [data[key] for key in keys]
        contenders: dict[str, Callable[[], object]] = {
            "fastcore": _repeated(definition.live(*history).update, [column.tolist() for column in history]),
        }
        stream = getattr(talib.stream, name.upper(), None)
        if stream is not None:
            contenders["talib.stream"] = _repeated(stream(*history).update, [column.tolist() for column in history])
        timings = harness.interleave(contenders, rounds=9, target=0.01, per_call=len(history[0]))
        ratios = {}
        if "talib.stream" in timings:
            ratio = timings["talib.stream"].median / timings["fastcore"].median
            ratios["talib.stream / fastcore"] = harness.Ratio(ratio, 1.0)
        report.add(f"{name}, live update", timings, ratios)


def _repeated(update: Callable[..., object], history: list[list[float]]) -> Callable[[], object]:
    """A contender that gives every bar of `history` to `update`."""
    bars = list(zip(*history))
    if len(history) == 1:
        series = history[0]

        def run() -> None:
            for value in series:
                update(value)

    else:

        def run() -> None:
            for bar in bars:
                update(*bar)

    return run


def boards(report: harness.Report) -> None:
    """A tick for every symbol in one call, and what the same takes with an object a symbol."""
    symbols = 10_000
    history = {key: np.tile(column, (symbols, 1)) for key, column in walk(60).items()}
    tick = {key: np.ascontiguousarray(panel[:, -1]) for key, panel in history.items()}
    for name, keys in INPUTS.items():
        definition = getattr(ta, name.upper())()
        board = ta.Plan(one=definition).live(symbols=symbols, history=history)
        arguments = {key: tick[key] for key in board.plan.columns}
        stream = getattr(talib.stream, name.upper(), None)
        contenders: dict[str, Callable[[], object]] = {"fastcore": partial(board.update, **arguments)}
        if stream is not None:
            objects = [stream(*(history[key][0] for key in keys)) for _ in range(symbols)]
            bars = list(zip(*(tick[key].tolist() for key in keys)))
            contenders["talib.stream, a loop"] = partial(_each_symbol, [one.update for one in objects], bars)
        timings = harness.interleave(contenders, rounds=7, target=0.02, per_call=symbols)
        ratios = {}
        if "talib.stream, a loop" in timings:
            ratio = timings["talib.stream, a loop"].median / timings["fastcore"].median
            ratios["talib.stream / fastcore"] = harness.Ratio(ratio, 1.0)
        report.add(f"{name}, board of {symbols}, a symbol", timings, ratios)


def _each_symbol(updates: list[Callable[..., object]], bars: list[tuple[float, ...]]) -> None:
    for update, bar in zip(updates, bars):
        update(*bar)


def main() -> None:
    report = harness.Report(
        "indicators",
        "Indicators compared with TA-Lib, bottleneck and pandas",
        harness.versions("TA-Lib", "bottleneck", "pandas", "polars", "numpy"),
        notes=["Default parameters; pandas and polars are imported, as in a service.", "Times are per call."],
    )
    gc.freeze()  # what was imported need not be looked through after every round
    report.run((lengths, sizes, series, slopes, shapes, gaps, spread, panels, live, boards, halts, ticks), sys.argv[1:])


if __name__ == "__main__":
    main()
