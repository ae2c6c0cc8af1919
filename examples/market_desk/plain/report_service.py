"""The daily comprehensive report: one HTML page with a chart for each symbol, made while the caller waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from examples.market_desk.data.market import Market
from examples.market_desk.data.store import Store
from examples.market_desk.plain.signal_generator_service import SignalGeneratorService

__all__ = ["ReportService"]

BARS = 500
YEAR = 252  # bars, for the yearly volatility
WIDTH, HEIGHT = 640, 180
STYLE = "body{font:14px sans-serif}table{border-collapse:collapse}td,th{padding:2px 8px;text-align:right}"


class ReportService:
    """Reports over the last bars of some symbols.

    Parameters
    ----------
    market : Market
    store : Store
        Keeps every report.
    calculate : callable
        Computes a table of indicators from a table of bars.
    """

    def __init__(self, market: Market, store: Store, calculate: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        self.market = market
        self._store = store
        self._calculate = calculate
        self._signals = SignalGeneratorService()

    def generate(
        self, symbols: Sequence[str], progress: Callable[[int, int], object] = lambda done, total: None
    ) -> dict[str, Any]:
        """Return the report, and store it; `progress` is told how many symbols are done, of how many."""
        frames = {symbol: self.market.frame(symbol, BARS) for symbol in symbols}
        rows, sections = [], []
        for done, df in enumerate(frames.values(), 1):
            indicators = self._calculate(df)
            row = self.summary(df, indicators)
            rows.append(row)
            sections.append(section(row, df, indicators))
            progress(done, len(frames))
        bar = max(df.attrs["bar"] for df in frames.values())
        html = page(bar, rows, sections, self.correlation(frames))
        self._store.insert("reports", [(bar, ",".join(symbols), html)])
        return {"bar": bar, "symbols": list(symbols), "rows": rows, "html": html}

    def summary(self, df: pd.DataFrame, indicators: pd.DataFrame) -> dict[str, Any]:
        """Return the figures of one symbol."""
        close, last = df["close"], indicators.iloc[-1]
        moves = close.pct_change()
        signal = self._signals.generate_signal(df, indicators)
        return {
            "symbol": df.attrs["symbol"],
            "origin": df.attrs["origin"],
            "close": float(close.iloc[-1]),
            "return": float(close.iloc[-1] / close.iloc[0] - 1),
            "volatility": float(moves.std() * np.sqrt(YEAR)),
            "drawdown": float((close / close.cummax() - 1).min()),
            "rsi": float(last["rsi"]),
            "overbought": int((indicators["rsi"] > 70).sum()),
            "oversold": int((indicators["rsi"] < 30).sum()),
            "above_average": int((close > indicators["sma"]).sum()),
            "mean_true_range": float(indicators["atr"].mean()),
            "action": signal["action"],
            "strength": signal["strength"],
        }

    def correlation(self, frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """Return how the symbols moved together."""
        return pd.DataFrame({symbol: df["close"].pct_change() for symbol, df in frames.items()}).corr()


def page(bar: int, rows: list[dict[str, Any]], sections: list[str], together: pd.DataFrame) -> str:
    """Return the whole page."""
    body = [f"<h1>Daily report at bar {bar}</h1>", table(rows), "<h2>Correlation</h2>", matrix(together), *sections]
    return f"<!doctype html><meta charset=utf-8><title>Daily report</title><style>{STYLE}</style>" + "\n".join(body)


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows of figures as an HTML table."""
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in rows[0])
    lines = ["".join(f"<td>{shown(value)}</td>" for value in row.values()) for row in rows]
    return f"<table><tr>{head}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def matrix(together: pd.DataFrame) -> str:
    """Return a correlation matrix as an HTML table."""
    head = "".join(f"<th>{escape(str(name))}</th>" for name in together.columns)
    lines = []
    for name, row in together.iterrows():
        cells = "".join(f"<td>{shown(float(value))}</td>" for value in row)
        lines.append(f"<tr><th>{escape(str(name))}</th>{cells}</tr>")
    return f"<table><tr><th></th>{head}</tr>" + "".join(lines) + "</table>"


def shown(value: Any) -> str:
    """Return a value as a reader wants it."""
    return f"{value:.4f}" if isinstance(value, float) else escape(str(value))


def section(row: dict[str, Any], df: pd.DataFrame, indicators: pd.DataFrame) -> str:
    """Return the chapter of one symbol: prices with average and bands, and the relative strength."""
    note = " (bootstrapped from real returns)" if row["origin"] == "bootstrapped" else ""
    lines = {
        "#000": df["close"],
        "#06c": indicators["sma"],
        "#999": indicators["bb_upper"],
        "#998": indicators["bb_lower"],
    }
    return (
        f"<h2>{escape(row['symbol'])}{note}: {row['action']}, strength {row['strength']:.2f}</h2>"
        + chart(lines)
        + chart({"#c30": indicators["rsi"]}, 0.0, 100.0)
    )


def chart(lines: dict[str, pd.Series], low: float | None = None, high: float | None = None) -> str:
    """Return lines as an SVG picture, by colour."""
    low = min(float(line.min()) for line in lines.values()) if low is None else low
    high = max(float(line.max()) for line in lines.values()) if high is None else high
    scale = HEIGHT / (high - low or 1.0)
    paths = []
    for colour, line in lines.items():
        points = []
        for place, value in enumerate(line.tolist()):
            if value == value:  # not a NaN
                points.append(f"{place * WIDTH / len(line):.1f},{HEIGHT - (value - low) * scale:.1f}")
        paths.append(f'<polyline fill="none" stroke="{colour}" points="{" ".join(points)}"/>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">{"".join(paths)}</svg>'
