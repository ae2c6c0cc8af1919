"""The indicators compared with TA-Lib, bottleneck and pandas, as a service calls them: through the public functions.

pandas and polars are imported, as they are in a service; TA-Lib's functions then look at every argument for their
types. Each row is one indicator with its default parameters at one length, then one shape of data; then pandas Series,
data with gaps and halts compared with clean data, panels of symbols, live updates and boards.

The whole takes longer than five minutes; parts are named as arguments: ``indicators.py series gaps``.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
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

LENGTHS = (30, 500, 100_000)
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
Columns = dict[str, "np.ndarray[Any, np.dtype[np.float64]]"]


def columns(close: Any) -> Columns:
    rng = np.random.default_rng(1)
    n = len(close)
    spread = np.abs(close) * 1e-3
    return {
        "close": close,
        "high": close + spread * rng.random(n),
        "low": close - spread * rng.random(n),
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


def peers_of(name: str, data: Columns) -> dict[str, Callable[[], object]]:
    """Every way to the same numbers (pandas' ewm begins otherwise), each on its fastest input: arrays or a Series."""
    close = data["close"]
    series = pd.Series(close)
    found: dict[str, Callable[[], object]] = {
        "talib": partial(getattr(talib, name.upper()), *(data[key] for key in INPUTS[name]))
    }
    if name == "sma":
        found["bottleneck"] = partial(bottleneck.move_mean, close, 30)
        found["pandas"] = lambda: series.rolling(30).mean()
    elif name == "ema":
        found["pandas"] = lambda: series.ewm(span=30, adjust=False).mean()
    elif name == "stddev":
        found["bottleneck"] = partial(bottleneck.move_std, close, 5)
        found["pandas"] = lambda: series.rolling(5).std(ddof=0)
    elif name in ("min", "max"):
        found["bottleneck"] = partial(getattr(bottleneck, f"move_{name}"), close, 30)
        found["pandas"] = lambda: getattr(series.rolling(30), name)()
    return found


def compare(report: harness.Report, case: str, name: str, data: Columns, rounds: int) -> float:
    """Add a row; returns how many times faster than TA-Lib."""
    ours = partial(getattr(ta, name), *(data[key] for key in INPUTS[name]))
    timings = harness.interleave({"fastcore": ours, **peers_of(name, data)}, rounds=rounds, target=0.01)
    mine = timings["fastcore"].median
    peers = {key: value.median for key, value in timings.items() if key != "fastcore"}
    best = min(peers, key=peers.__getitem__)
    report.add(case, timings, {f"fastest peer ({best}) / fastcore": harness.Ratio(peers[best] / mine, 1.0)})
    return peers["talib"] / mine


def lengths(report: harness.Report) -> None:
    gains = []
    for n in LENGTHS:
        data = walk(n)
        gains += [compare(report, f"{name}, {n} bars", name, data, rounds=15) for name in INPUTS]
    mean = math.exp(math.fsum(map(math.log, gains)) / len(gains))
    report.conclude("talib / fastcore, geometric mean over the twelve at the three lengths", harness.Ratio(mean, 2.0))


def shapes(report: harness.Report) -> None:
    for shape, make in SHAPES.items():
        data = make(10_000)
        for name in INPUTS:
            compare(report, f"{name}, 10000 bars, {shape}", name, data, rounds=7)


def series(report: harness.Report) -> None:
    """Series of pandas in and out, as a service has them."""
    gains = []
    index = pd.date_range("2024-01-01", periods=30, freq="min")
    data = {key: pd.Series(column, index) for key, column in walk(30).items()}
    for name, keys in INPUTS.items():
        arguments = [data[key] for key in keys]
        contenders: dict[str, Callable[[], object]] = {
            "fastcore": partial(getattr(ta, name), *arguments),
            "talib": partial(getattr(talib, name.upper()), *arguments),
        }
        timings = harness.interleave(contenders, rounds=15, target=0.01)
        gains.append(timings["talib"].median / timings["fastcore"].median)
        report.add(f"{name}, Series of 30 bars", timings, {"talib / fastcore": harness.Ratio(gains[-1], 1.0)})
    mean = math.exp(math.fsum(map(math.log, gains)) / len(gains))
    report.conclude("talib / fastcore, geometric mean over Series of 30 bars", harness.Ratio(mean, 2.0))


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
    report.run((lengths, shapes, series, gaps, panels, live, boards, halts, ticks), sys.argv[1:])


if __name__ == "__main__":
    main()
