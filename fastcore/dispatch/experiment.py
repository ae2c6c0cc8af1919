"""The evidence about a candidate: its compared calls and its failures. Without clocks, threads or flags."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Literal, NamedTuple

from fastcore import metrics
from fastcore.dispatch.guard import Guard
from fastcore.dispatch.sequential_test import Detector, Evidence, excluded

__all__ = ["Answer", "Cause", "Decision", "Kind", "Pair", "Trial", "Wait"]

Cause = Literal["mismatches", "failures", "slower", "agreement", "inconclusive", "incomparable"]
Kind = Literal["shadow", "canary", "live"]
Answer = Literal["same", "differs", "failed", "unknown"]

PATIENCE = 20  # times its least samples a step may take before it says that it cannot tell
UNKNOWN_SECONDS = 30.0  # of a step in which hardly an answer compares, after which it says so
WARM_UP = 3  # first pairs of a trial whose times are not used


class Pair(NamedTuple):
    """One call that ran both arms.

    Attributes
    ----------
    answer : str
        ``same``, ``differs``, ``failed`` where only the candidate raised, ``unknown`` where they do not compare.
    control, candidate : float
        Seconds; NaN where an arm raised.
    note : str
        What differs, or how the candidate failed.

    Examples
    --------
    >>> from fastcore.rollout import Pair
    >>> Pair("differs", control=0.010, candidate=0.002, note="answer: 4 instead of 3").answer
    'differs'
    """

    answer: Answer
    control: float
    candidate: float
    note: str


class Decision(NamedTuple):
    """The decision of an experiment: ``advance`` to `percent`, ``promote``, ``rollback`` or ``pause``, and its cause.

    `cause` is for programs; `why` is for people.

    Examples
    --------
    >>> from fastcore.rollout import Decision
    >>> decision = Decision("advance", "agreed", 5.0, "200 calls agreed", {})
    >>> decision.what, decision.percent
    ('advance', 5.0)
    """

    what: Literal["advance", "promote", "rollback", "pause"]
    cause: Cause
    percent: float
    why: str
    evidence: dict[str, Any]


class Wait(NamedTuple):
    """A condition for the next step of a canary: met where `have` is at least `need`."""

    what: str
    have: float
    need: float


class Trial:
    """The evidence about one candidate.

    Parameters
    ----------
    guard : Guard
    kind : str
        ``canary`` advances, promotes and rolls back; ``live`` only rolls back, by a detector; ``shadow`` decides
        nothing.
    now : float
        Seconds of any clock that does not go back.
    percent : float
        The step to begin at: 0 is the shadow step.

    Examples
    --------
    >>> from fastcore import Guard
    >>> from fastcore.rollout import Pair, Trial
    >>> trial = Trial(Guard(), "live", now=0.0)
    >>> decision = trial.pair(Pair("differs", 0.010, 0.002, "answer: 4 instead of 3"), 1.0)
    >>> decision.what
    'rollback'
    """

    def __init__(self, guard: Guard, kind: Kind, now: float, percent: float = 0.0) -> None:
        self.guard = guard
        self.kind: Kind = kind
        self.pairs = self.timed = self.mismatches = self.failures = self.unknown = 0
        self.notes: deque[str] = deque(maxlen=5)
        self.ended = False
        make = Detector if kind == "live" else Evidence
        self.slower: Evidence = make()
        self._rates = {
            "mismatches": make(guard.mismatch_rate) if guard.mismatch_rate else None,
            "failures": make(guard.error_rate) if guard.error_rate else None,
        }
        self._ratios = metrics.Sketch()
        self._lately: deque[float] = deque(maxlen=1000)  # ratios since the evidence of slowness began to grow
        self.jump(percent, now)

    def jump(self, percent: float, now: float) -> None:
        """Begin the step of `percent`, with evidence of its own."""
        self.percent = percent
        self.began = now
        self.here = self.unknown_here = 0  # calls of this step that were compared, and that could not be
        self.paused = False
        self._not_slower = Evidence()

    def pair(self, pair: Pair, now: float) -> Decision | None:
        """Record a call that ran both arms; return the decision, if any."""
        self.pairs += 1
        self.here += pair.answer != "unknown"
        if pair.answer == "unknown":
            self.unknown += 1
            self.unknown_here += 1
        if pair.answer == "differs":
            self.mismatches += 1
        if pair.answer == "failed":
            self.failures += 1
        if pair.note:
            self.notes.append(pair.note)
        if pair.answer != "unknown":
            self._count("mismatches", pair.answer == "differs")
            self._count("failures", pair.answer == "failed")
        if pair.control == pair.control and pair.candidate == pair.candidate:
            self._time(pair.control, pair.candidate)
        return self._decide(now)

    def failed(self, note: str, succeeded: int, now: float) -> Decision | None:
        """Record a failure for which the control answered, after `succeeded` unpaired calls."""
        self.failures += 1
        self.notes.append(note)
        rate = self._rates["failures"]
        if rate is not None:
            rate.miss(max(0, succeeded))
        self._count("failures", True)
        return self._decide(now)

    @property
    def ratio(self) -> float:
        """The median of candidate over control, within 1 %; NaN before there are pairs."""
        return self._ratios.quantile(0.5)

    def evidence(self) -> dict[str, Any]:
        """Return what is known, as plain values."""
        ratio = self.ratio
        return {
            "percent": self.percent,
            "pairs": self.pairs,
            "mismatches": self.mismatches,
            "failures": self.failures,
            "unknown": self.unknown,
            "excludes": float(f"{excluded(self.pairs - self.unknown):.3g}") if not self.mismatches else None,
            "ratio": None if ratio != ratio else round(ratio, 4),
            "slower": float(f"{self.slower.value:.4g}"),
            "not_slower": float(f"{self._not_slower.value:.4g}"),
            "notes": list(self.notes),
        }

    def waits(self, now: float) -> list[Wait]:
        """Return what the step of a canary waits for before it is left upwards, and how much of it is there."""
        if self.kind != "canary" or self.ended:
            return []
        guard = self.guard
        evidence = max(0.0, math.log(self._not_slower.value) / math.log(guard.enough))
        return [
            Wait("compared calls", self.here, guard.min_samples),
            Wait("seconds", now - self.began, guard.min_seconds),
            Wait(f"evidence that it is not over {guard.slowdown:.0%} slower", min(1.0, evidence), 1.0),
        ]

    def _time(self, control: float, candidate: float) -> None:
        self.timed += 1
        if self.timed <= WARM_UP:
            return
        slow = candidate > control * (1 + self.guard.slowdown)
        self.slower.add(slow)
        self._not_slower.add(not slow)
        if self.slower.value <= 1:
            self._lately.clear()
        if control > 0:
            self._ratios.observe(candidate / control)
            self._lately.append(candidate / control)

    def _count(self, what: str, hit: bool) -> None:
        rate = self._rates[what]
        if rate is not None:
            rate.add(hit)

    def _exceeded(self, what: str, count: int) -> bool:
        rate = self._rates[what]
        return count > 0 if rate is None else rate.value >= self._enough

    @property
    def _enough(self) -> float:
        return self.guard.run_length if self.kind == "live" else self.guard.enough

    def _decide(self, now: float) -> Decision | None:
        if self.ended or self.kind == "shadow":
            return None
        guard = self.guard
        if self._exceeded("mismatches", self.mismatches):
            why = f"{self.mismatches} of {self.pairs} answers differ: {self._last()}"
            return self._end("rollback", "mismatches", why)
        if self._exceeded("failures", self.failures):
            return self._end("rollback", "failures", f"the candidate raised {self.failures} times: {self._last()}")
        if self.slower.value >= self._enough:
            return self._end("rollback", "slower", f"over {guard.slowdown:.0%} slower{self._slowdown()}")
        if self.kind == "live":
            return None
        if self._cannot_compare(now):
            why = f"{self.unknown_here} of {self.unknown_here + self.here} answers do not compare: {self._last()}"
            return self._pause("incomparable", why)
        if self.here < guard.min_samples or now - self.began < guard.min_seconds:
            return None
        if self._not_slower.value >= guard.enough:
            following = next((step for step in guard.steps if step > self.percent), None)
            if following is None and not guard.sure(self.mismatches, self.pairs - self.unknown):
                return None
            if following is None:
                time = "" if self.ratio != self.ratio else f", {self.ratio - 1:+.0%} time"  # too fast for the clock
                return self._end("promote", "agreement", f"{self.pairs} pairs agree{time}")
            why = f"{self.here} pairs agree, not slower"
            decision = Decision("advance", "agreement", following, why, self.evidence())
            self.jump(following, now)
            return decision
        if not self.paused and self.here >= guard.min_samples * PATIENCE:
            why = f"inconclusive: {self.here} pairs do not show whether it is over {guard.slowdown:.0%} slower"
            return self._pause("inconclusive", why)
        return None

    def _cannot_compare(self, now: float) -> bool:
        """Whether most calls of this step could not be compared: nothing more is to be expected of it."""
        waited = self.unknown_here >= self.guard.min_samples or now - self.began >= UNKNOWN_SECONDS
        return not self.paused and waited and self.unknown_here > 9 * self.here

    def _pause(self, cause: Literal["inconclusive", "incomparable"], why: str) -> Decision:
        self.paused = True
        return Decision("pause", cause, self.percent, why, self.evidence())

    def _slowdown(self) -> str:
        """The recent slowdown, which the average over the whole time may hide."""
        ratios = sorted(self._lately)
        return f" ({ratios[len(ratios) // 2] - 1:+.0%} by {len(ratios)} pairs)" if ratios else ""

    def _last(self) -> str:
        return self.notes[-1] if self.notes else "no more is known"

    def _end(self, what: Literal["promote", "rollback"], cause: Cause, why: str) -> Decision:
        self.ended = True
        return Decision(what, cause, self.percent, why, self.evidence())
