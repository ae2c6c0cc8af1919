"""The limits of a candidate, and the parameters of its experiment."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from fastcore.dispatch.sequential_test import binomial_tail

__all__ = ["STEPS", "Guard"]

STEPS = (1.0, 5.0, 25.0, 50.0, 100.0)


@dataclass(frozen=True)
class Guard:
    """The limits of a candidate; its flag is rolled back when it exceeds one.

    It watches the modes in which the candidate serves callers: ``canary``, ``ramp:P``, ``candidate``.

    Parameters
    ----------
    slowdown : float, default 0.20
        How much slower than the control the candidate's typical call may be: 0.20 is 20 %.
    mismatch_rate : float, default 0.0
        The share of compared calls whose answers may differ. At 0 the first one rolls back.
    error_rate : float, default 0.0
        The share of calls in which the candidate may raise where the control does not. At 0 the first one rolls back.
    alpha : float, default 0.01
        The chance that a canary is rolled back for slowness (or for a rate above 0) though it keeps the limit, over
        its whole length and any number of evaluations; also the confidence that a step needs before the next.
    min_samples : int, default 100
        Compared calls that a step of a canary takes at least.
    min_seconds : float, default 10.0
        Seconds that a step takes at least.
    mismatch_confidence : float, default 0.0
        How sure a canary must be, before it is promoted, that answers differ in less than `mismatch_limit` of the
        calls: 0.99 with the default limit takes 919 compared calls that agree, 0.999 takes 1,379. At 0 the compared
        calls of its steps are enough, 600 of them by default, which exclude 0.5 % at 95 %.
    mismatch_limit : float, default 0.005
        See `mismatch_confidence`; above `mismatch_rate`.
    steps : tuple of float, default (1, 5, 25, 50, 100)
        Percent of the keys. A shadow step comes before them.
    sample : float, default 10.0
        Percent of the control's calls that also run the candidate, during a canary.
    verify : float or "all", default 10.0
        Percent of the candidate's calls that also run the control, during a canary or a ramp. ``"all"``: every one, in
        every mode and after promotion too, and only answers that agree are served.
    live : float, default 1.0
        Percent of the candidate's calls that also run the control after promotion, unless `verify` is ``"all"``.
    run_length : int, default 3000
        Compared calls between false alarms after promotion, on average and at least, for a candidate exactly at the
        limit of `slowdown` (or of a rate above 0).
    dry_run : bool, default False
        Journal decisions without applying them: a canary serves the control throughout.
    budget : float, default 1.0
        Seconds that a caller of an async function waits at most for an arm that is not the one to answer.
    failures : int, default 5
        Failures in a row that open the breaker: calls go to the control until a probe succeeds.
    backoff, backoff_cap : float, default 1.0 and 300.0
        Seconds before the first probe, doubled from one to the next, up to the cap.
    workers : int, optional
        Processes that try the candidate at the same time, each on what it sees itself; `alpha` is divided among them.
        By default ``WEB_CONCURRENCY``, or 1.
    recover : int, default 0
        Probes in a row that must succeed for a rollback for errors to end by itself, in the process that made it.
        At 0 it waits for ``resume``.

    Examples
    --------
    >>> from fastcore import Guard, Switch, flags
    >>> guard = Guard(slowdown=0.5, live=100.0)      # compare every call; by default one in a hundred
    >>> total = Switch("guarded_total", control=sum, candidate=lambda values: sum(values) + 1, guard=guard)
    >>> flags.set("guarded_total", "candidate").mode
    'candidate'
    >>> total([1, 2])                                # they differ: the control's answer
    3
    >>> flags.get("guarded_total").source
    'guard'
    """

    slowdown: float = 0.20
    mismatch_rate: float = 0.0
    error_rate: float = 0.0
    alpha: float = 0.01
    min_samples: int = 100
    min_seconds: float = 10.0
    steps: tuple[float, ...] = STEPS
    sample: float = 10.0
    verify: float | Literal["all"] = 10.0
    live: float = 1.0
    run_length: int = 3000
    dry_run: bool = False
    budget: float = 1.0
    failures: int = 5
    backoff: float = 1.0
    backoff_cap: float = 300.0
    workers: int | None = None
    recover: int = 0
    mismatch_confidence: float = 0.0
    mismatch_limit: float = 0.005

    def __post_init__(self) -> None:
        _number("slowdown", self.slowdown, 0, math.inf)
        for name in ("mismatch_rate", "error_rate"):
            _number(name, getattr(self, name), 0, 0.5)
        _number("alpha", self.alpha, 1e-12, 0.5)
        _number("mismatch_confidence", self.mismatch_confidence, 0, 1 - 1e-12)
        _number("mismatch_limit", self.mismatch_limit, 1e-9, 0.5)
        if self.mismatch_confidence and self.mismatch_limit <= self.mismatch_rate:
            raise ValueError(
                f"mismatch_limit: expected a number above mismatch_rate ({self.mismatch_rate:g}), "
                f"got {self.mismatch_limit!r}"
            )
        _number("min_seconds", self.min_seconds, 0, math.inf)
        for name in ("sample", "live"):
            _number(name, getattr(self, name), 0, 100)
        if self.verify != "all":
            _number("verify", self.verify, 0, 100)
        for name, low in (("min_samples", 1), ("run_length", 2), ("failures", 1), ("recover", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
            if value < low:
                raise ValueError(f"{name}: expected an int >= {low}, got {value}")
        if self.workers is None:
            text = os.environ.get("WEB_CONCURRENCY", "")
            object.__setattr__(self, "workers", max(1, int(text)) if text.isdecimal() else 1)
        elif isinstance(self.workers, bool) or not isinstance(self.workers, int) or self.workers < 1:
            raise ValueError(f"workers: expected an int >= 1, got {self.workers!r}")
        for name in ("budget", "backoff", "backoff_cap"):
            _number(name, getattr(self, name), 0, math.inf)
        steps = tuple(self.steps)
        for step in steps:
            _number("steps", step, 0, 100)
        if not steps or steps[0] <= 0 or steps[-1] != 100 or any(a >= b for a, b in pairwise(steps)):
            raise ValueError(f"steps: expected rising percentages that end with 100, got {self.steps!r}")
        object.__setattr__(self, "steps", tuple(float(step) for step in steps))

    @property
    def enough(self) -> float:
        """The evidence that decides a canary, in each worker."""
        return (self.workers or 1) / self.alpha

    @property
    def verified(self) -> float:
        """Percent of the candidate's calls that are verified."""
        return 100.0 if self.verify == "all" else float(self.verify)

    @property
    def watched(self) -> float:
        """Percent of the candidate's calls that are verified after promotion."""
        return 100.0 if self.verify == "all" else float(self.live)

    def sure(self, mismatches: int, pairs: int) -> bool:
        """Whether `pairs` compared calls, of which some differ, are enough for `mismatch_confidence`."""
        if not self.mismatch_confidence:
            return True
        return binomial_tail(mismatches, pairs, self.mismatch_limit) <= 1 - self.mismatch_confidence


def _number(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not low <= value <= high or math.isnan(value) or (math.isinf(value) and name != "backoff_cap"):
        upper = f" in {low}..{high}" if math.isfinite(high) else f" >= {low}"
        raise ValueError(f"{name}: expected a number{upper}, got {value!r}")
