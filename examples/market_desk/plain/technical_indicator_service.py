"""The existing indicator service: plain pandas, recomputed from the frame at every call."""

from __future__ import annotations

import pandas as pd

__all__ = ["COLUMNS", "TechnicalIndicatorService"]

COLUMNS = (
    "sma",
    "ema",
    "rsi",
    "macd",
    "macd_signal",
    "macd_hist",
    "bb_upper",
    "bb_middle",
    "bb_lower",
    "atr",
    "stoch_k",
    "stoch_d",
    "obv",
    "stddev",
    "min",
    "max",
    "vwap",
)


class TechnicalIndicatorService:
    """Twelve indicators of one symbol, by their textbook definitions."""

    def calculate_indicators(self, df: pd.DataFrame) -> pd.DataFrame:
        """Return the indicators of `df`, which has the columns open, high, low, close and volume, one row a bar."""
        high, low, close, volume = df["high"], df["low"], df["close"], df["volume"]
        out = pd.DataFrame(index=df.index)
        out["sma"] = close.rolling(20).mean()
        out["ema"] = smooth(close, 2 / 21, 20)
        out["rsi"] = relative_strength(close, 14)

        macd = smooth(close, 2 / 13, 12, first=25) - smooth(close, 2 / 27, 26)
        signal = smooth(macd, 2 / 10, 9, first=33)
        out["macd"] = macd.where(signal.notna())
        out["macd_signal"] = signal
        out["macd_hist"] = macd - signal

        middle, width = close.rolling(20).mean(), 2 * close.rolling(20).std(ddof=0)
        out["bb_upper"], out["bb_middle"], out["bb_lower"] = middle + width, middle, middle - width

        previous = close.shift()
        reach = pd.concat([high - low, (high - previous).abs(), (low - previous).abs()], axis=1)
        out["atr"] = smooth(reach.max(axis=1, skipna=False), 1 / 14, 14, first=14)

        lowest, highest = low.rolling(5).min(), high.rolling(5).max()
        fast_k = 100 * (close - lowest) / (highest - lowest)
        slow_k = fast_k.rolling(3).mean()
        slow_d = slow_k.rolling(3).mean()
        out["stoch_k"], out["stoch_d"] = slow_k.where(slow_d.notna()), slow_d

        direction = (close.diff() > 0).astype(float) - (close.diff() < 0).astype(float)
        direction.iloc[:1] = 1.0
        out["obv"] = (direction * volume).cumsum()
        out["stddev"] = close.rolling(20).std(ddof=0)
        out["min"], out["max"] = close.rolling(20).min(), close.rolling(20).max()
        out["vwap"] = ((high + low + close) / 3 * volume).cumsum() / volume.cumsum()
        return out


def smooth(series: pd.Series, alpha: float, period: int, first: int | None = None) -> pd.Series:
    """Exponential smoothing that starts at position `first` with the mean of the `period` values up to it."""
    first = period - 1 if first is None else first
    started = series.copy()
    started.iloc[:first] = float("nan")
    started.iloc[first : first + 1] = series.iloc[first + 1 - period : first + 1].mean()
    return started.ewm(alpha=alpha, adjust=False).mean()


def relative_strength(close: pd.Series, period: int) -> pd.Series:
    """Wilder's relative strength index, 0 to 100; 0 where nothing moved."""
    change = close.diff()
    gain = smooth(change.clip(lower=0), 1 / period, period, first=period)
    loss = smooth(-change.clip(upper=0), 1 / period, period, first=period)
    total = gain + loss
    return (100 * gain / total).where(total != 0, 0.0).where(total.notna())
