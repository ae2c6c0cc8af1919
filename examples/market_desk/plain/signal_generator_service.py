"""Signals: crossings and thresholds vote, confirmations weigh the votes, and the sum is buy, sell or hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

__all__ = ["SignalGeneratorService"]

DECISIVE = 0.25  # the share of the votes from which on a signal is not hold


class SignalGeneratorService:
    """Buy, sell or hold, with a strength from 0 to 1 and the reasons."""

    def generate_signal(self, df: pd.DataFrame, indicators: pd.DataFrame) -> dict[str, Any]:
        """Return the signal of the newest bar; indicators that are still warming up do not vote.

        Parameters
        ----------
        df : DataFrame
            Bars, the newest last.
        indicators : DataFrame
            Of the same bars, as `TechnicalIndicatorService` gives them.
        """
        close, volume = df["close"], df["volume"]
        return self.decide(
            (float(close.iloc[-2]), float(close.iloc[-1])),
            (float(volume.tail(20).mean()), float(volume.iloc[-1])),
            indicators.iloc[-2].to_dict(),
            indicators.iloc[-1].to_dict(),
        )

    def decide(
        self,
        closes: tuple[float, float],
        volumes: tuple[float, float],
        before: Mapping[str, float],
        last: Mapping[str, float],
    ) -> dict[str, Any]:
        """Return the signal of the last two closes and indicators, and of the mean and the last volume."""
        close = closes[1]
        votes = self.crossings(closes, before, last) + self.thresholds(close, last)
        score = sum(weight for _, weight in votes)
        confirmed = self.confirmations(close, volumes, last, score)
        total = sum(abs(weight) for _, weight in votes)
        share = abs(score) / total if total else 0.0
        action = "hold" if share < DECISIVE else ("buy" if score > 0 else "sell")
        strength = 0.0 if action == "hold" else round(share * (1 + len(confirmed)) / 4, 4)
        return {
            "action": action,
            "strength": strength,
            "reasons": [name for name, _ in votes],
            "confirmations": confirmed,
        }

    def crossings(
        self, closes: tuple[float, float], before: Mapping[str, float], last: Mapping[str, float]
    ) -> list[tuple[str, float]]:
        """Return the votes of lines that crossed at the newest bar; a crossing weighs 2."""
        pairs = (
            ("macd", last["macd"], last["macd_signal"], before["macd"], before["macd_signal"]),
            ("average", closes[1], last["sma"], closes[0], before["sma"]),
            ("stochastic", last["stoch_k"], last["stoch_d"], before["stoch_k"], before["stoch_d"]),
        )
        found = []
        for name, line, other, line_before, other_before in pairs:
            if line > other and line_before <= other_before:
                found.append((f"{name} crossed up", 2.0))
            elif line < other and line_before >= other_before:
                found.append((f"{name} crossed down", -2.0))
        return found

    def thresholds(self, close: float, last: Mapping[str, float]) -> list[tuple[str, float]]:
        """Return the votes of values beyond a threshold; each weighs 1."""
        rules = (
            ("oversold", last["rsi"] < 30, 1.0),
            ("overbought", last["rsi"] > 70, -1.0),
            ("below lower band", close < last["bb_lower"], 1.0),
            ("above upper band", close > last["bb_upper"], -1.0),
            ("momentum up", last["macd_hist"] > 0, 1.0),
            ("momentum down", last["macd_hist"] < 0, -1.0),
            ("above average", close > last["sma"], 1.0),
            ("below average", close < last["sma"], -1.0),
        )
        return [(name, weight) for name, holds, weight in rules if holds]

    def confirmations(
        self, close: float, volumes: tuple[float, float], last: Mapping[str, float], score: float
    ) -> list[str]:
        """Return what confirms a score: volume, trend and the average price weighted by volume."""
        found = []
        if volumes[1] > volumes[0]:
            found.append("volume")
        if (last["ema"] > last["sma"] and score > 0) or (last["ema"] < last["sma"] and score < 0):
            found.append("trend")
        if (close > last["vwap"] and score > 0) or (close < last["vwap"] and score < 0):
            found.append("vwap")
        return found
