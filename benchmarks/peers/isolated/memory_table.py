"""One contender of ``../memory.py`` on one table, in a separate process; prints JSON.

The files that symbols and news are read from are made once, in the folder ``FASTCORE_BENCH_TABLES``.

Usage: python benchmarks/peers/isolated/memory_table.py desk|prices|symbols|news CONTENDER [errors|files]
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fastcore import indicators as ta
from fastcore.memory import frame_bytes, indicator_error, optimize_dataframe
from fastcore.memory.shrinkers import trim
from fastcore.memory.usage import peak_resident_bytes, resident_bytes

HELD = {"desk": 5, "prices": 10, "symbols": 5, "news": 5}  # tables a process keeps
BOUND = 0.001
TICK = 0.01
Frame = pd.DataFrame


def bars(rng: np.random.Generator, rows: int, start: float) -> dict[str, Any]:
    """A walk over ticks of 0.01, its steps in proportion to the price, as feeds give it: two decimals."""
    steps = rng.normal(0, start * 100 * 3e-4, rows)
    walk = start * 100 + np.cumsum(steps - 0.0005 * np.cumsum(steps) / np.arange(1, rows + 1))
    close = np.rint(np.maximum(walk, start * 20))
    spread = np.rint(np.abs(rng.normal(0, start * 100 * 3e-4, (2, rows))))
    opened = np.concatenate(([close[0]], close[:-1]))
    return {
        "open": opened / 100,
        "high": (np.maximum(opened, close) + spread[0]) / 100,
        "low": (np.minimum(opened, close) - spread[1]) / 100,
        "close": close / 100,
        "volume": rng.integers(100, 5_000_000, rows),
    }


def desk(seed: int) -> Frame:
    """Real daily bars of one symbol, as a service that reads them from a file keeps them."""
    from bokeh_sampledata import stocks

    raw = getattr(stocks, ("FB", "GOOG", "MSFT", "IBM", "AAPL")[seed])
    columns = {name: np.array(raw[name], dtype=np.float64) for name in ("open", "high", "low", "close", "volume")}
    return Frame(columns, index=pd.Index(list(raw["date"]), name="date"))


def prices(seed: int) -> Frame:
    rows = 100_000
    time_of_bar = pd.date_range("2023-01-02", periods=rows, freq="min")
    return Frame({"time": time_of_bar, **bars(np.random.default_rng(seed), rows, 185.23)})


def symbols(seed: int) -> Frame:
    """As read from a file: pandas' parser lets rows of one symbol share its text."""
    return pd.read_csv(file(f"symbols-{seed}.csv", seed, symbols_text), parse_dates=["time"])


def news(seed: int) -> Frame:
    """As crawled: JSON lines, every text a separate object."""
    with open(file(f"news-{seed}.jsonl", seed, news_text), encoding="utf-8") as lines:
        return Frame([json.loads(line) for line in lines])


def file(name: str, seed: int, text: Callable[[int], str]) -> Path:
    """The file, made if it is not there."""
    path = Path(os.environ.get("FASTCORE_BENCH_TABLES") or tempfile.gettempdir()) / name
    if not path.exists():
        path.write_text(text(seed), encoding="utf-8")
    return path


def symbols_text(seed: int) -> str:
    rng = np.random.default_rng(seed)
    names = ["".join(rng.choice(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 4)) for _ in range(200)]
    starts = np.exp(rng.uniform(np.log(8), np.log(900), 200))
    rows = 500
    parts = [
        Frame(
            {
                "time": pd.date_range("2023-01-02", periods=rows, freq="min"),
                "symbol": name,
                **bars(rng, rows, start),
                "trades": rng.integers(1, 20_000, rows),
            }
        )
        for name, start in zip(names, starts)
    ]
    return str(pd.concat(parts).to_csv(index=False))


def news_text(seed: int) -> str:
    rng = np.random.default_rng(seed)
    words = ["".join(chr(97 + c) for c in rng.integers(0, 26, rng.integers(3, 10))) for _ in range(3_000)]
    sources = ["Reuters", "Investing.com", "Yahoo Finance", "Bloomberg", "CNBC", "MarketWatch", "Benzinga", "AP"]
    topics = ["earnings", "markets", "economy", "commodities", "currencies", "technology", "crypto", "opinion"]
    authors = [f"{words[i].title()} {words[-i - 1].title()}" for i in range(300)]
    tickers = [word.upper()[:4] for word in words[:200]]

    def phrase(count: int) -> str:
        return " ".join(words[i] for i in rng.integers(0, len(words), count))

    lines = []
    for number in range(5_000):
        headline = phrase(9).capitalize()
        at = int(rng.integers(0, 500_000)) * 60
        lines.append(
            json.dumps(
                {
                    "source": sources[rng.integers(len(sources))],
                    "topic": topics[rng.integers(len(topics))],
                    "language": ("en", "de", "ko")[rng.integers(3)],
                    "symbol": tickers[rng.integers(len(tickers))],
                    "author": None if rng.random() < 0.2 else authors[rng.integers(len(authors))],
                    "headline": headline,
                    "summary": phrase(24).capitalize() + ".",
                    "url": f"https://www.example.com/news/{number}/{headline.lower().replace(' ', '-')}",
                    "published": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_704_067_200 + at)),
                    "sentiment": round(float(rng.normal()), 4),
                    "views": int(rng.integers(0, 10**7)),
                }
            )
        )
    return "\n".join(lines) + "\n"


def to_numeric(df: Frame) -> Frame:
    """What one writes by hand, and packages do: the narrowest of each kind, text that repeats as categories."""
    made = df.copy(deep=False)
    for name in df.columns:
        column = df[name]
        if pd.api.types.is_integer_dtype(column.dtype):
            made[name] = pd.to_numeric(column, downcast="unsigned" if (column >= 0).all() else "integer")
        elif pd.api.types.is_float_dtype(column.dtype):
            made[name] = pd.to_numeric(column, downcast="float")
            if made[name].dtype == np.float64:
                made[name] = column.astype("float32")
        elif pd.api.types.is_string_dtype(column.dtype) and column.nunique() / len(column) < 0.5:
            made[name] = column.astype("category")
    return made


def of_prices(df: Frame) -> dict[str, Any]:
    """Indicators whose arithmetic is made of differences, on arrays as the service would hold them."""
    c, h, low = (df[name].to_numpy(dtype=np.float64) for name in ("close", "high", "low"))
    macd, bands = ta.macd(c, 12, 26, 9), ta.bbands(c, 20, 2.0)
    return {
        "rsi": ta.rsi(c, 14),
        "macd": macd.macd,
        "hist": macd.hist,
        "upper": bands.upper,
        "std": ta.stddev(c, 20),
        "atr": ta.atr(h, low, c, 14),
        "change": np.diff(c),
        "stoch": ta.stoch(h, low, c, 14, 3, 0, 3, 0),
    }


def of_symbols(df: Frame) -> dict[str, Any]:
    out = {}
    for name, part in df.groupby("symbol", observed=True):
        out.update({f"{name} {key}": values for key, values in of_prices(part).items()})
    return out


def of_news(df: Frame) -> dict[str, Any]:
    day = pd.to_datetime(df["published"], utc=True).dt.floor("D")
    groups = df.groupby(["source", "topic"], observed=True)
    return {
        "sentiment": groups["sentiment"].mean().to_numpy(),
        "views": groups["views"].sum().to_numpy(),
        "spread": df.groupby(day)["sentiment"].std().to_numpy(),
        "of_symbol": df.groupby("symbol", observed=True)["sentiment"].mean().sort_index().to_numpy(),
    }


MAKE: dict[str, Callable[[int], Frame]] = {"desk": desk, "prices": prices, "symbols": symbols, "news": news}
INDICATORS: dict[str, Callable[[Frame], dict[str, Any]]] = {
    "desk": of_prices,
    "prices": of_prices,
    "symbols": of_symbols,
    "news": of_news,
}


def optimised(table: str, contender: str, df: Frame) -> tuple[Frame, Callable[[Frame], Frame]]:
    """The smaller table, and what has to be done before values are read again: ticks are a form for storage."""
    if contender == "pandas":
        return df, lambda made: made
    if contender == "to_numeric":
        return to_numeric(df), lambda made: made
    if contender == "float32":
        return optimize_dataframe(df, BOUND, certify=INDICATORS[table])[0], lambda made: made
    if contender in ("ticks", "ticks, decimals found"):
        made, report = optimize_dataframe(df, tick_size=TICK if contender == "ticks" else "auto")
        return made, report.restore
    return optimize_dataframe(df)[0], lambda made: made


def errors(table: str, contender: str) -> float:
    df = MAKE[table](0)
    made, back = optimised(table, contender, df)
    return indicator_error(INDICATORS[table], df, back(made))


def held(table: str, contender: str) -> dict[str, float]:
    """Some tables, one after the other, each optimised as it comes; only what is made of them stays."""
    start = resident_bytes()
    tables, times = [], []
    size = deep = 0
    for seed in range(HELD[table]):
        df = MAKE[table](seed)
        began = time.perf_counter()
        made, _ = optimised(table, contender, df)
        times.append(time.perf_counter() - began)
        tables.append(made)
        del df
    size, deep = frame_bytes(made), int(made.memory_usage(deep=True).sum())
    gc.collect()
    trim()
    end = resident_bytes()
    return {
        "bytes": size,
        "deep": deep,
        "took": statistics.median(times),
        "held": end - start,
        "peak": peak_resident_bytes() - start,
    }


if __name__ == "__main__":
    chosen, who = sys.argv[1], sys.argv[2]
    if sys.argv[3:] == ["files"]:
        print(json.dumps({"files": len([MAKE[chosen](seed) for seed in range(HELD[chosen])])}))
    elif sys.argv[3:] == ["errors"]:
        print(json.dumps({"error": errors(chosen, who)}))
    else:
        print(json.dumps(held(chosen, who)))
