"""What a Switch has measured of its two arms, side by side."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fastcore import metrics
from fastcore.dispatch.text import human, table

__all__ = ["ArmReport", "Comparison"]

Verdict = Literal["pass", "fail", "inconclusive"]

SLOWDOWN = 0.20  # the candidate's median may be this much above the control's
ENOUGH = 30  # timed calls of each arm below which nothing is concluded


@dataclass(frozen=True)
class ArmReport:
    """One arm: its calls, how many of them raised, and the latency of those that were timed.

    Latencies are in seconds, within 1 % of the true quantiles of the timed calls; NaN when none was timed.
    """

    name: str
    calls: int
    errors: int
    timed: int
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, name: str, calls: int, errors: int, latency: metrics.SketchState) -> ArmReport:
        sketch = metrics.Sketch()
        sketch.merge(latency)
        quantiles = [sketch.quantile(q) for q in (0.5, 0.95, 0.99)]
        return cls(name, calls, errors, sketch.count, *quantiles)

    @property
    def error_rate(self) -> float:
        """Errors per call; NaN without calls."""
        return self.errors / self.calls if self.calls else math.nan


@dataclass(frozen=True)
class Comparison:
    """Both arms of a Switch since it was made.

    It describes; it tests nothing. The arms have met different calls, and the verdict holds for those.

    Attributes
    ----------
    name : str
        The Switch.
    mode : str
        The mode of its flag at the time of the report.
    control, candidate : ArmReport
    """

    name: str
    mode: str
    control: ArmReport
    candidate: ArmReport

    @property
    def improvement(self) -> float:
        """Percent of the control's median latency that the candidate saves; negative when it is slower."""
        if not self.control.p50:  # too fast for the clock
            return math.nan
        return (1 - self.candidate.p50 / self.control.p50) * 100

    @property
    def verdict(self) -> Verdict:
        """``fail`` if the candidate raises more often or its median is over 20 % slower, ``pass`` if neither.

        ``inconclusive`` while either arm has fewer than 30 timed calls, unless the candidate raises where the
        control never has.
        """
        ours, theirs = self.candidate, self.control
        if ours.errors and theirs.calls >= ENOUGH and ours.calls >= ENOUGH and ours.error_rate > theirs.error_rate:
            return "fail"
        if min(ours.timed, theirs.timed) < ENOUGH or math.isnan(self.improvement):
            return "inconclusive"
        return "fail" if ours.p50 > theirs.p50 * (1 + SLOWDOWN) else "pass"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        improvement = None if math.isnan(self.improvement) else self.improvement
        return {**asdict(self), "improvement": improvement, "verdict": self.verdict}

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("arm", "calls", "errors", "timed", "p50", "p95", "p99")]
        for arm in (self.control, self.candidate):
            latencies = (human(arm.p50), human(arm.p95), human(arm.p99))
            rows.append((arm.name, f"{arm.calls:,}", f"{arm.errors:,}", f"{arm.timed:,}", *latencies))
        gain = "" if math.isnan(self.improvement) else f", improvement {self.improvement:+.1f} %"
        return f"{self.name} ({self.mode}): {self.verdict}{gain}\n{table(rows)}"
