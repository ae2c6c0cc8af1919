"""The measurements of a Switch's two arms, compared."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from fastcore import metrics
from fastcore.dispatch.formatting import human, table
from fastcore.dispatch.guard import Guard

if TYPE_CHECKING:
    from fastcore.dispatch.controller import PairStats

__all__ = ["ArmReport", "Comparison", "Paired"]

Verdict = Literal["pass", "fail", "inconclusive"]

SLOWDOWN = 0.20  # the candidate's median may be this much above the control's
ENOUGH = 30  # timed calls of each arm below which nothing is concluded


@dataclass(frozen=True)
class ArmReport:
    """One arm: its calls, how many of them raised, and the latency of those that were timed.

    Latencies are in seconds, within 1 % of the true quantiles of the timed calls; NaN when none was timed.

    Examples
    --------
    >>> from fastcore import Switch
    >>> total = Switch("reported_total", control=sum, candidate=lambda values: sum(values))
    >>> total([1, 2])
    3
    >>> arm = total.report().control
    >>> arm.calls, arm.errors, arm.error_rate
    (1, 0, 0.0)
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
class Paired:
    """The calls that ran both arms on the same arguments.

    Attributes
    ----------
    pairs : int
    mismatches : int
        Answers that differ.
    failures : int
        The candidate raised and the control did not; in a pair.
    unknown : int
        Answers that do not compare, or whose comparison raised.
    dropped : int
        Calls that were not compared because too many were under way.
    rescued : int
        The candidate raised alone, and the control answered in its place.
    control_p50, candidate_p50 : float
        Medians of the pairs, in seconds.
    notes : tuple of str
        The last few differences and failures.
    evidence : dict
        The guard's current evidence about the flag's experiment; empty without one.

    Examples
    --------
    >>> from fastcore import Switch, flags
    >>> total = Switch("paired_total", control=sum, candidate=lambda values: sum(values) + 1)
    >>> flags.set("paired_total", "shadow:100").mode
    'shadow:100'
    >>> total([1, 2])                                # the control answers
    3
    >>> total.report().paired.mismatches
    1
    """

    pairs: int
    mismatches: int
    failures: int
    unknown: int
    dropped: int
    rescued: int
    control_p50: float
    candidate_p50: float
    notes: tuple[str, ...]
    evidence: dict[str, Any]

    @classmethod
    def of(cls, stats: PairStats, evidence: dict[str, Any] | None) -> Paired:
        medians = stats.control.quantile(0.5), stats.candidate.quantile(0.5)
        counts = stats.pairs, stats.mismatches, stats.failures, stats.unknown, stats.dropped, stats.rescued
        return cls(*counts, *medians, tuple(stats.notes), evidence or {})


@dataclass(frozen=True)
class Comparison:
    """Both arms of a Switch since it was made.

    It describes; it tests nothing. Where no calls were compared, the arms have met different ones, and the verdict
    holds for those.

    Attributes
    ----------
    name : str
        The Switch.
    mode : str
        The mode of its flag at the time of the report.
    control, candidate : ArmReport
    paired : Paired or None
        The calls that ran both arms, if there were any.
    guard : Guard or None
        The limits of the candidate, by which the verdict goes too; a slowdown of 20 % where there are none.

    Examples
    --------
    >>> from fastcore import Switch, flags
    >>> total = Switch("compared_total", control=sum, candidate=lambda values: sum(values))
    >>> flags.set("compared_total", "shadow:100").mode
    'shadow:100'
    >>> answers = [total([1, 2]) for _ in range(10)]
    >>> report = total.report()
    >>> report.paired.pairs, report.mismatches
    (10, 0)
    """

    name: str
    mode: str
    control: ArmReport
    candidate: ArmReport
    paired: Paired | None = None
    guard: Guard | None = None

    @property
    def mismatches(self) -> int:
        """Compared answers that differ."""
        return 0 if self.paired is None else self.paired.mismatches

    @property
    def errors(self) -> int:
        """Calls in which the candidate raised and the control did not."""
        return 0 if self.paired is None else self.paired.failures + self.paired.rescued

    @property
    def improvement(self) -> float:
        """Percent of the control's median latency that the candidate saves; negative when it is slower.

        By the compared calls where there are more than 30 of them, or than timed calls of an arm; else by the latter.
        """
        control, candidate = self._medians
        if not control:  # too fast for the clock
            return math.nan
        return (1 - candidate / control) * 100

    @property
    def _medians(self) -> tuple[float, float]:
        timed = min(self.control.timed, self.candidate.timed)
        paired = self.paired
        if paired is not None and paired.pairs > min(timed, ENOUGH) and not math.isnan(paired.control_p50):
            return paired.control_p50, paired.candidate_p50
        return self.control.p50, self.candidate.p50

    @property
    def verdict(self) -> Verdict:
        """``pass``, ``fail`` or ``inconclusive``, by the limits of the guard.

        What the guard has decided goes first: ``fail`` after a rollback, ``pass`` after a promotion. Otherwise ``fail``
        if the candidate differs or raises more often than the guard allows, or its median is slower than allowed.

        ``inconclusive`` while fewer than 30 calls were compared and either arm has fewer than 30 timed ones, unless the
        candidate raises where the control never has; and where most answers do not compare.
        """
        ours, theirs, paired = self.candidate, self.control, self.paired
        guard = self.guard
        decided = "" if paired is None else paired.evidence.get("decided", "")
        if decided in ("rollback", "promote"):
            return "fail" if decided == "rollback" else "pass"
        if self._beyond(self.mismatches, 0.0 if guard is None else guard.mismatch_rate):
            return "fail"
        if self._beyond(self.errors, 0.0 if guard is None else guard.error_rate):
            return "fail"
        limit = 1 + (SLOWDOWN if guard is None else guard.slowdown)
        control, candidate = self._medians
        compared = 0 if paired is None else paired.pairs - paired.unknown
        if compared >= ENOUGH and control:
            return "fail" if candidate > control * limit else "pass"
        if paired is not None and paired.unknown > compared:
            return "inconclusive"
        if ours.errors and theirs.calls >= ENOUGH and ours.calls >= ENOUGH and ours.error_rate > theirs.error_rate:
            return "fail"
        if min(ours.timed, theirs.timed) < ENOUGH or math.isnan(self.improvement):
            return "inconclusive"
        return "fail" if ours.p50 > theirs.p50 * limit else "pass"

    def _beyond(self, count: int, rate: float) -> bool:
        """Whether so many of the compared and rescued calls are more than a rate allows."""
        calls = 0 if self.paired is None else self.paired.pairs - self.paired.unknown + self.paired.rescued
        return count > rate * calls

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        improvement = None if math.isnan(self.improvement) else self.improvement
        body: dict[str, Any] = _finite(asdict(self))
        counts = {"mismatches": self.mismatches, "errors": self.errors}
        return {**body, **counts, "improvement": improvement, "verdict": self.verdict}

    def to_json(self) -> str:
        """Return everything as JSON; a latency that is not known is null."""
        return json.dumps(self.to_dict(), indent=1)

    def to_html(self) -> str:
        """Return a self-contained page: no script, no network."""
        from fastcore.dispatch.html_report import page

        return page(self)

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("arm", "calls", "errors", "timed", "p50", "p95", "p99")]
        for arm in (self.control, self.candidate):
            latencies = (human(arm.p50), human(arm.p95), human(arm.p99))
            rows.append((arm.name, f"{arm.calls:,}", f"{arm.errors:,}", f"{arm.timed:,}", *latencies))
        gain = "" if math.isnan(self.improvement) else f", improvement {self.improvement:+.1f} %"
        lines = [f"{self.name} ({self.mode}): {self.verdict}{gain}", table(rows)]
        if self.paired is not None:
            p = self.paired
            lines.append(
                f"{p.pairs:,} compared: {p.mismatches:,} differ, {p.failures:,} raised, {p.unknown:,} not comparable; "
                f"{p.rescued:,} answered by the control after an error, {p.dropped:,} dropped"
            )
            lines += [f"  {note}" for note in p.notes]
        return "\n".join(lines)


def _finite(value: Any) -> Any:
    """What JSON can hold: NaN is null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
