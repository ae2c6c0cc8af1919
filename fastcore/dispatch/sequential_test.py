"""Tests that stay valid when evaluated after every sample: e-processes for trials, e-detectors for monitoring.

Both bet against "the rate of hits is at most `p0`": a bet f multiplies its capital by ``1 + f (1 - p0) / p0`` at a hit
and by ``1 - f`` at a miss, which on average does not grow while that is true. The evidence is the mean capital of
several bets. (Ville; Shafer and Vovk, *Game-Theoretic Foundations*; Shin, Ramdas and Rinaldo, *E-detectors*.)
"""

from __future__ import annotations

import math

__all__ = ["BETS", "Detector", "Evidence", "bets_for", "binomial_tail", "excluded"]

BETS = (0.1, 0.2, 0.4, 0.6, 0.8)
_LARGE = 600.0  # logarithms are held below, so that a mean of capitals does not overflow


def bets_for(p0: float) -> tuple[float, ...]:
    """The bets against a rate of `p0`: the grid for a median, multiples of the rate for a small one."""
    if p0 >= 0.25:
        return BETS
    return tuple(sorted({min(0.8, p0 * multiple) for multiple in (1, 3, 10, 30, 100)}))


class Evidence:
    """An e-process: the chance that it ever reaches ``1 / alpha`` while the rate of hits is at most `p0` is `alpha`.

    This holds for any number of evaluations and any dependence between hits, as long as each has at most that chance
    given those before. Never reset it and continue: that would be another test.

    Attributes
    ----------
    value : float
        The evidence: 1 says nothing, ``1 / alpha`` is enough at level alpha.
    count, hits : int
        Samples, and those that were hits.
    """

    def __init__(self, p0: float = 0.5) -> None:
        if not 0 < p0 < 1:
            raise ValueError(f"p0: expected a rate above 0 and below 1, got {p0!r}")
        bets = bets_for(p0)
        self._hit = [math.log1p(bet * (1 - p0) / p0) for bet in bets]
        self._miss = [math.log1p(-bet) for bet in bets]
        self._logs = [0.0] * len(bets)
        self.value = 1.0
        self.count = 0
        self.hits = 0

    def add(self, hit: bool) -> float:
        """Add one sample; return the evidence against the rate."""
        steps = self._hit if hit else self._miss
        self._logs = [min(log + step, _LARGE) for log, step in zip(self._logs, steps)]
        self.count += 1
        self.hits += hit
        self.value = self._mean()
        return self.value

    def miss(self, times: int) -> None:
        """Add `times` samples that were no hits."""
        self._logs = [log + times * step for log, step in zip(self._logs, self._miss)]
        self.count += times
        self.value = self._mean()

    def _mean(self) -> float:
        return math.fsum(map(math.exp, self._logs)) / len(self._logs)


class Detector(Evidence):
    """An e-CUSUM: finds that the rate has risen above `p0`, however long it was below.

    While the rate is at most `p0`, the mean number of samples before it falsely reaches c is at least c; a rate that
    is clearly below p0 makes that far longer (`docs/rollout.md` has the figures).
    """

    def add(self, hit: bool) -> float:
        self._logs = [max(0.0, log) for log in self._logs]
        return super().add(hit)

    def miss(self, times: int) -> None:
        if times > 0:  # after one miss every bet is below its floor
            self._logs = [max(0.0, max(0.0, log) + (times - 1) * step) for log, step in zip(self._logs, self._miss)]
            self.count += times - 1
            super().miss(1)

    def clear(self) -> None:
        """Start over, as after an alarm was handled."""
        self._logs = [0.0] * len(self._logs)
        self.value = 1.0


def binomial_tail(hits: int, count: int, rate: float) -> float:
    """Return the chance of at most `hits` hits in `count` samples that are each one with the chance `rate`."""
    if hits >= count:
        return 1.0
    log, odds = count * math.log1p(-rate), math.log(rate) - math.log1p(-rate)
    total, term = 0.0, log
    for k in range(hits + 1):
        total += math.exp(term)
        term += math.log(count - k) - math.log(k + 1) + odds
    return min(1.0, total)


def excluded(count: int, confidence: float = 0.95) -> float:
    """Return the rate of hits that `count` samples without one exclude at a confidence (1 where there are none)."""
    return 1.0 if count < 1 else 1.0 - (1.0 - confidence) ** (1.0 / count)
