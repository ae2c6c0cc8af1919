"""The indicators of many symbols at once, in numpy: bars go down, symbols go across."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from examples.market_desk.plain.technical_indicator_service import COLUMNS

__all__ = ["calculate_indicators", "calculate_tail"]

Matrix = NDArray[np.float64]  # bars x symbols


def calculate_indicators(df: pd.DataFrame) -> pd.DataFrame:
    """Return the same as `TechnicalIndicatorService.calculate_indicators`."""
    fields = {name: df[name].to_numpy()[:, None] for name in ("high", "low", "close", "volume")}
    found = calculate_tail(fields, len(df))
    return pd.DataFrame({name: found[name][:, 0] for name in COLUMNS}, index=df.index)


def calculate_tail(fields: Mapping[str, Matrix], tail: int) -> dict[str, Matrix]:
    """Return the last `tail` rows of every indicator, by column, of at least 50 bars."""
    high, low, close, volume = (fields[name] for name in ("high", "low", "close", "volume"))
    change = np.diff(close, axis=0)
    before = close[:-1]
    reach = np.maximum(np.maximum(high[1:] - low[1:], np.abs(high[1:] - before)), np.abs(low[1:] - before))
    gain = smooth(np.maximum(change, 0), 1 / 14, 14, 13)
    loss = smooth(np.maximum(-change, 0), 1 / 14, 14, 13)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = gain + loss
        rsi = np.where(total == 0, 0.0, 100 * gain / total)
        typical = np.cumsum((high + low + close) / 3 * volume, axis=0)
        vwap = typical / np.cumsum(volume, axis=0)
    line = smooth(close, 2 / 13, 12, 25) - smooth(close, 2 / 27, 26, 25)
    signal = smooth(line, 2 / 10, 9, 33)
    obv = np.cumsum(np.vstack((np.ones_like(close[:1]), np.sign(change))) * volume, axis=0)
    windows = last(close, 20, tail)
    mean, deviation = windows.mean(-1), windows.std(-1)
    slow_k, slow_d = stochastic(high, low, close, tail)
    found = {
        "sma": mean,
        "ema": smooth(close, 2 / 21, 20, 19),
        "rsi": rsi,
        "macd": np.where(np.isnan(signal), np.nan, line),
        "macd_signal": signal,
        "macd_hist": line - signal,
        "bb_upper": mean + 2 * deviation,
        "bb_middle": mean,
        "bb_lower": mean - 2 * deviation,
        "atr": smooth(reach, 1 / 14, 14, 13),
        "stoch_k": slow_k,
        "stoch_d": slow_d,
        "obv": obv,
        "stddev": deviation,
        "min": windows.min(-1),
        "max": windows.max(-1),
        "vwap": vwap,
    }
    return {name: rows(values, tail) for name, values in found.items()}


def rows(values: Matrix, tail: int) -> Matrix:
    """Return the last `tail` rows, those before the first as NaN."""
    missing = tail - len(values)
    return values[-tail:] if missing <= 0 else np.vstack((np.full((missing, values.shape[1]), np.nan), values))


def last(values: Matrix, period: int, tail: int) -> NDArray[np.float64]:
    """Return the windows of `period` values that end in the last `tail` rows: rows x symbols x period."""
    return sliding_window_view(values[-(tail + period - 1) :], period, axis=0)


def smooth(values: Matrix, alpha: float, period: int, first: int) -> Matrix:
    """Return exponential smoothing that starts in row `first` with the mean of the `period` rows up to it."""
    state = values[first + 1 - period : first + 1].mean(axis=0)
    if values.shape[1] == 1:  # one symbol: the loop over the bars is faster in pandas
        started = values[:, 0].copy()
        started[:first], started[first] = np.nan, state[0]
        smoothed: Matrix = pd.Series(started).ewm(alpha=alpha, adjust=False).mean().to_numpy()
        return smoothed[:, None]
    out = np.full_like(values, np.nan)
    out[first] = state
    for row in range(first + 1, len(values)):
        state = state + alpha * (values[row] - state)
        out[row] = state
    return out


def stochastic(high: Matrix, low: Matrix, close: Matrix, tail: int) -> tuple[Matrix, Matrix]:
    """Return the slow %K and %D of the last rows."""
    need = min(tail + 4, len(close) - 4)
    lowest, highest = last(low, 5, need).min(-1), last(high, 5, need).max(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        fast_k = 100 * (close[-need:] - lowest) / (highest - lowest)
    slow_k = last(fast_k, 3, need - 2).mean(-1)
    slow_d = last(slow_k, 3, need - 4).mean(-1)
    return slow_k[-len(slow_d) :], slow_d
