"""Many symbols: plans over panels, boards tick by tick, live updates, and an indicator of the user's own.

TA-Lib is called in a loop over symbols, as its users do; its stream functions compute the last value of the bars that
they are given, here as many as the indicators need to settle. Peers that are not installed are left out; the notes say
which.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import talib
from harness import Ratio, Report, Timing, interleave, versions

from fastcore import indicators as ta
from fastcore.dispatch import backends

SYMBOLS, BARS = 500, 2000
BOARD, TICKS = 10_000, 2000
STREAM_BARS = 250
PEERS = ("TA-Lib", "pandas", "polars", "numpy", "screamer", "polars-talib", "numbagg")

# Twenty common indicators: ours, and TA-Lib's function with its inputs and parameters.
COMMON: dict[str, tuple[Any, str, tuple[str, ...], tuple[Any, ...]]] = {
    "sma": (ta.SMA(20), "SMA", ("close",), (20,)),
    "ema": (ta.EMA(12), "EMA", ("close",), (12,)),
    "wma": (ta.WMA(20), "WMA", ("close",), (20,)),
    "dema": (ta.DEMA(20), "DEMA", ("close",), (20,)),
    "macd": (ta.MACD(12, 26, 9), "MACD", ("close",), (12, 26, 9)),
    "rsi": (ta.RSI(14), "RSI", ("close",), (14,)),
    "bbands": (ta.BBANDS(20), "BBANDS", ("close",), (20,)),
    "stddev": (ta.STDDEV(20), "STDDEV", ("close",), (20,)),
    "mom": (ta.MOM(10), "MOM", ("close",), (10,)),
    "roc": (ta.ROC(10), "ROC", ("close",), (10,)),
    "stoch": (ta.STOCH(), "STOCH", ("high", "low", "close"), ()),
    "atr": (ta.ATR(14), "ATR", ("high", "low", "close"), (14,)),
    "natr": (ta.NATR(14), "NATR", ("high", "low", "close"), (14,)),
    "adx": (ta.ADX(14), "ADX", ("high", "low", "close"), (14,)),
    "plus_di": (ta.PLUS_DI(14), "PLUS_DI", ("high", "low", "close"), (14,)),
    "minus_di": (ta.MINUS_DI(14), "MINUS_DI", ("high", "low", "close"), (14,)),
    "cci": (ta.CCI(14), "CCI", ("high", "low", "close"), (14,)),
    "willr": (ta.WILLR(14), "WILLR", ("high", "low", "close"), (14,)),
    "obv": (ta.OBV(), "OBV", ("close", "volume"), ()),
    "mfi": (ta.MFI(14), "MFI", ("high", "low", "close", "volume"), (14,)),
}
PLAN = ta.Plan(**{name: one[0] for name, one in COMMON.items()})


def panel(symbols: int, bars: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.normal(size=(symbols, bars)) * 0.01, axis=1))
    high, low = close * (1.0 + 0.01 * rng.random(close.shape)), close * (1.0 - 0.01 * rng.random(close.shape))
    return {"close": close, "high": high, "low": low, "volume": rng.random(close.shape) * 1e5}


def talib_loop(data: dict[str, Any]) -> Callable[[], None]:
    calls = [(getattr(talib, name), inputs, params) for _, name, inputs, params in COMMON.values()]

    def run() -> None:
        for symbol in range(SYMBOLS):
            for function, inputs, params in calls:
                function(*[data[name][symbol] for name in inputs], *params)

    return run


# The same by screamer: its classes and their parameters.
SCREAMER: dict[str, tuple[str, dict[str, Any]]] = {
    "sma": ("RollingMean", {"window_size": 20}),
    "ema": ("EwMean", {"span": 12}),
    "wma": ("WMA", {"window_size": 20}),
    "dema": ("DEMA", {"span": 20}),
    "macd": ("MACD", {"fast": 12, "slow": 26, "signal": 9}),
    "rsi": ("RollingRSI", {"window_size": 14}),
    "bbands": ("BollingerBands", {"window_size": 20}),
    "stddev": ("RollingStd", {"window_size": 20}),
    "mom": ("Momentum", {"window_size": 10}),
    "roc": ("ROC", {"window_size": 10}),
    "stoch": ("Stoch", {}),
    "atr": ("ATR", {"window_size": 14}),
    "natr": ("NATR", {"window_size": 14}),
    "adx": ("ADX", {"window_size": 14}),
    "plus_di": ("PlusDI", {"window_size": 14}),
    "minus_di": ("MinusDI", {"window_size": 14}),
    "cci": ("CCI", {"window_size": 14}),
    "willr": ("WilliamsR", {"window_size": 14}),
    "obv": ("OBV", {}),
    "mfi": ("MFI", {"window_size": 14}),
}


def by_screamer(data: dict[str, Any]) -> Callable[[], object]:
    import screamer

    columns = {name: np.ascontiguousarray(x.T) for name, x in data.items()}
    calls = [(getattr(screamer, SCREAMER[name][0]), SCREAMER[name][1], COMMON[name][2]) for name in COMMON]
    return lambda: [make(**params)(*[columns[name] for name in inputs]) for make, params, inputs in calls]


def by_polars(data: dict[str, Any]) -> Callable[[], object]:
    import polars
    import polars_talib

    symbols, bars = data["close"].shape
    frame = polars.DataFrame({"symbol": np.repeat(np.arange(symbols), bars), **{k: x.ravel() for k, x in data.items()}})
    expressions = [
        getattr(polars_talib, function.lower())(*[polars.col(x) for x in inputs], *params).over("symbol").alias(name)
        for name, (_, function, inputs, params) in COMMON.items()
    ]
    return lambda: frame.select(expressions)


def installed(**contenders: Callable[[], Callable[[], object]]) -> dict[str, Callable[[], object]]:
    """The contenders, by the module that each needs, whose module is installed."""
    return {name.replace("_", "-"): make() for name, make in contenders.items() if importlib.util.find_spec(name)}


def plans(report: Report) -> None:
    """Twenty indicators of all symbols."""
    data = panel(SYMBOLS, BARS)
    core = backends.twin("indicators", "compiled").Plan(
        [(*d.row.core(d.values), d.columns) for d, *_ in COMMON.values()]
    )
    arrays = [data[name] for name in core.columns]
    by_columns = {name: np.asfortranarray(x) for name, x in data.items()}
    peers = installed(screamer=lambda: by_screamer(data), polars_talib=lambda: by_polars(data))
    timings = interleave(
        {
            "fastcore Plan": lambda: PLAN(data),
            "one thread": lambda: core(arrays, 1),
            "two threads": lambda: core(arrays, 2),
            "columns of symbols": lambda: PLAN(by_columns),
            "TA-Lib": talib_loop(data),
            **peers,
        },
        rounds=7,
    )
    ours = timings["fastcore Plan"].median
    report.add(
        f"{len(COMMON)} indicators, {SYMBOLS} x {BARS:,}",
        timings,
        {
            "TA-Lib / fastcore": Ratio(timings["TA-Lib"].median / ours, 6.0),
            "one thread / two": Ratio(timings["one thread"].median / timings["two threads"].median, 1.8),
            "columns of symbols / fastcore": Ratio(timings["columns of symbols"].median / ours),
            **{f"{name} / fastcore": Ratio(timings[name].median / ours) for name in peers},
        },
    )
    long = pd.DataFrame({name: data[name][:, :500].ravel() for name in data})
    symbol = np.repeat(np.arange(SYMBOLS), 500)
    some = ta.Plan(sma=ta.SMA(20), sd=ta.STDDEV(20), top=ta.MAX(14), roc=ta.ROC(10))
    small = {"close": np.ascontiguousarray(data["close"][:, :500])}

    def grouped() -> None:
        close = long["close"].groupby(symbol)
        close.rolling(20).mean(), close.rolling(20).std(ddof=0), close.rolling(14).max(), close.pct_change(10)

    def by_numbagg() -> Callable[[], object]:
        import numbagg

        close = small["close"]
        return lambda: (numbagg.move_mean(close, 20), numbagg.move_std(close, 20))

    by_column = installed(numbagg=by_numbagg)
    timings = interleave({"fastcore Plan": lambda: some(small), "pandas groupby": grouped, **by_column}, rounds=5)
    ours = timings["fastcore Plan"].median
    ratios = {"pandas / fastcore": Ratio(timings["pandas groupby"].median / ours)}
    if by_column:
        ratios["numbagg, the mean and the deviation only / fastcore"] = Ratio(timings["numbagg"].median / ours)
    report.add(f"4 indicators, {SYMBOLS} x 500", timings, ratios)


def ticks_of(plan: Any, symbols: int, count: int, clock: Callable[[], float] = time.perf_counter) -> Any:
    """The seconds of each of `count` ticks, ordered."""
    history = panel(symbols, 64)
    board = plan.live(symbols=symbols)
    ticks = [{name: np.ascontiguousarray(history[name][:, t]) for name in plan.columns} for t in range(64)]
    times = []
    for t in range(count + 100):
        start = clock()
        board.update(**ticks[t % 64])
        times.append(clock() - start)
    return np.sort(times[100:])


def boards(report: Report) -> None:
    """A tick of all symbols, each timed by itself."""
    taken = ticks_of(PLAN, BOARD, TICKS)
    half = ticks_of(PLAN, BOARD // 2, TICKS)  # so few that one thread takes them
    low, median, high = (float(x) for x in np.quantile(taken, [0.25, 0.5, 0.75]))
    one = {name: x[0, :STREAM_BARS] for name, x in panel(1, STREAM_BARS).items()}
    calls = [
        (getattr(talib.stream, name), [one[i] for i in inputs], params) for _, name, inputs, params in COMMON.values()
    ]

    def stream() -> None:
        for function, inputs, params in calls:
            function(*inputs, *params)

    streamed = interleave({"TA-Lib stream": stream}, rounds=7)["TA-Lib stream"].median * BOARD
    each = float(taken.mean()) / BOARD / len(COMMON)
    report.add(
        f"a tick, {BOARD:,} x {len(COMMON)}",
        {"fastcore board": Timing(median, low, high, TICKS), "TA-Lib stream": Timing(streamed, streamed, streamed, 7)},
        {
            "TA-Lib stream / fastcore": Ratio(streamed / float(taken.mean()), 25.0),
            "ns an indicator and symbol": Ratio(each * 1e9, 5.0, at_least=False),
            f"ns an indicator and symbol, {BOARD // 2:,} on one thread": Ratio(
                float(half.mean()) / (BOARD // 2) / len(COMMON) * 1e9
            ),
            "slowest tick / median": Ratio(float(taken[-1]) / median, 3.0, at_least=False),
        },
    )


def bars_of(definition: Any, count: int) -> float:
    """The least time that one of `count` bars takes, of several runs through them, bar by bar."""
    data = panel(1, count)
    bars = list(zip(*[data[column][0].tolist() for column in definition.columns]))
    update = definition.live(*[data[column][0] for column in definition.columns]).update
    times = []
    for _ in range(7):
        start = time.thread_time()
        for bar in bars:
            update(*bar)
        times.append((time.thread_time() - start) / count)
    return min(times)


def periods(report: Report) -> None:
    """What a tick costs by the period of the window, on a board of many symbols and of one symbol."""

    def add(name: str, taken: Callable[[Any, int], float]) -> None:
        short, long = (taken(getattr(ta, name.split(",")[0])(period), period) for period in (20, 500))
        timings = {f"period {n}": Timing(t, t, t, 2000 + n) for n, t in ((20, short), (500, long))}
        report.add(name, timings, {"period 500 / 20": Ratio(long / short)})

    def on_board(definition: Any, period: int) -> float:
        return float(np.median(ticks_of(ta.Plan(x=definition), 1000, 2000 + period, time.thread_time)))

    for name in ("SMA", "STDDEV", "MAX", "WMA", "LINEARREG", "AVGDEV", "CCI", "MEDIAN"):
        add(f"{name}, 1,000 symbols", on_board)
    for name in ("AVGDEV", "CCI", "MEDIAN"):
        add(f"{name}, live", lambda definition, period: bars_of(definition, 2000 + period))


def lives(report: Report) -> None:
    """One bar of one symbol."""
    one = {name: x[0] for name, x in panel(1, STREAM_BARS).items()}
    for name in ("ema", "rsi", "macd", "bbands", "atr", "stoch", "adx"):
        definition, theirs, inputs, params = COMMON[name]
        arrays = [one[column] for column in inputs]
        live = definition.live(*arrays)
        bar = [float(x[-1]) for x in arrays]
        function = getattr(talib.stream, theirs)
        timings = interleave(
            {
                "fastcore": lambda update=live.update, bar=bar: update(*bar),
                "TA-Lib stream": lambda f=function, a=arrays, p=params: f(*a, *p),
            },
            rounds=9,
            target=0.01,
        )
        ratio = timings["TA-Lib stream"].median / timings["fastcore"].median
        report.add(f"live {name}", timings, {"TA-Lib stream / fastcore": Ratio(ratio, 2.0)})


@ta.indicator
def pressure(o: Any, close: Any, volume: Any, timeperiod: int = 20) -> Any:
    """Ten operators."""
    mean, spread = o.mean(close, timeperiod), o.deviation(close, timeperiod)
    change = close - o.lag(close, 1)
    money = o.sum(change * volume, timeperiod) / o.sum(volume, timeperiod)
    return (close - mean) / spread * money


@ta.indicator
def own_dema(o: Any, real: Any, timeperiod: int = 30) -> Any:
    """As the built-in one."""
    average = o.ema(real, timeperiod)
    return average * 2.0 - o.ema(average, timeperiod)


def own(report: Report) -> None:
    """An indicator of the user's own."""
    close, volume = (panel(1, 100_000)[name][0] for name in ("close", "volume"))
    frame = pd.DataFrame({"close": close, "volume": volume})

    def by_pandas() -> Any:
        c, v = frame["close"], frame["volume"]
        money = ((c - c.shift(1)) * v).rolling(20).sum() / v.rolling(20).sum()
        return (c - c.rolling(20).mean()) / c.rolling(20).std(ddof=0) * money

    np.testing.assert_allclose(pressure(close, volume, 20), by_pandas().to_numpy(), rtol=1e-5, atol=1e-5)
    timings = interleave({"fastcore": lambda: pressure(close, volume, 20), "pandas": by_pandas}, rounds=9)
    ratio = timings["pandas"].median / timings["fastcore"].median
    report.add("ten operators, 100,000 bars", timings, {"pandas / fastcore": Ratio(ratio, 20.0)})
    timings = interleave({"own": lambda: own_dema(close, 30), "built-in": lambda: ta.dema(close, 30)}, rounds=9)
    ratio = timings["own"].median / timings["built-in"].median
    report.add("DEMA of one's own", timings, {"own / built-in": Ratio(ratio, 1.3, at_least=False)})


def main() -> None:
    report = Report("panel", "Many symbols", versions(*PEERS))
    absent = [name for name in ("screamer", "polars_talib", "numbagg") if importlib.util.find_spec(name) is None]
    if absent:
        report.notes.append(f"Not installed, and left out: {', '.join(absent)}.")
    report.run([plans, boards, periods, lives, own], sys.argv[1:])


if __name__ == "__main__":
    main()
