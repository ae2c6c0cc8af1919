"""The existing signal service: what the newest indicators say, in words."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SignalGeneratorService"]


class SignalGeneratorService:
    """Signals from the indicators of the newest bar; an indicator that is still warming up gives none."""

    def generate_signals(self, close: float, latest: Mapping[str, float | None]) -> list[str]:
        """Return the signals that hold at `close`, in a fixed order."""
        found = []
        rsi, upper, lower = latest.get("rsi"), latest.get("bb_upper"), latest.get("bb_lower")
        if rsi is not None and rsi > 70:
            found.append("overbought")
        if rsi is not None and rsi < 30:
            found.append("oversold")
        histogram, average = latest.get("macd_hist"), latest.get("sma")
        if histogram is not None:
            found.append("momentum up" if histogram > 0 else "momentum down")
        if average is not None:
            found.append("above average" if close > average else "below average")
        if upper is not None and close > upper:
            found.append("above upper band")
        if lower is not None and close < lower:
            found.append("below lower band")
        return found
