"""Latencies to judge guards by, and what the statistics of `fastcore.dispatch` make of very many of them."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt

from fastcore.dispatch.sequential_test import BETS, Detector, Evidence

Bits = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def times(rng: np.random.Generator, shape: tuple[int, int], factor: float, sd: float) -> Floats:
    """Latencies with a heavy tail: lognormal, one in fifty ten times as long; drifting to the double and back."""
    pairs = shape[1]
    drift = 1.5 + 0.5 * np.sin(np.linspace(0, 7, pairs))
    x: Floats = factor * drift * np.exp(rng.normal(0, sd, shape))
    x[rng.random(shape) < 0.02] *= 10
    return x


def slow(rng: np.random.Generator, shape: tuple[int, int], ratio: float, sd: float) -> Bits:
    """Whether each pair's candidate takes over 1.2 times what its control takes."""
    found: Bits = times(rng, shape, ratio, sd) > 1.2 * times(rng, shape, 1.0, sd)
    return found


def boundary(pairs: int, enough: float) -> Ints:
    """How many hits among the first n samples an `Evidence` needs to reach `enough`, for every n up to `pairs`.

    Computed by the class itself for each n. The order of hits and misses makes no difference to it.
    """
    test = Evidence()
    found = []
    for n in range(1, pairs + 1):
        with_a_miss = copy.deepcopy(test)
        if with_a_miss.add(False) >= enough:
            test = with_a_miss
        else:
            test.add(True)
        found.append(test.hits if test.value >= enough else n + 1)
    return np.array(found)


def first(hits: Bits, least: Ints) -> Ints:
    """In each run, the number of the pair at which the evidence is enough; 0 where it never is."""
    over = np.cumsum(hits, axis=1) >= least
    return np.where(over.any(axis=1), over.argmax(axis=1) + 1, 0)


def chance(least: Ints, p: float) -> float:
    """The exact chance that the evidence is ever enough, looked at after each sample; a hit has the chance `p`."""
    at = np.zeros(len(least) + 2)
    at[0] = 1.0  # by the number of hits, of the runs that go on
    crossed = 0.0
    for need in least:
        at[1:] = at[1:] * (1 - p) + at[:-1] * p
        at[0] *= 1 - p
        crossed += at[need:].sum()
        at[need:] = 0.0
    return float(crossed)


def steps(hits: Bits) -> Floats:
    """What each bet's logarithm gains: bets x the shape of `hits`."""
    bets = np.array(BETS).reshape(-1, *[1] * hits.ndim)
    return np.where(hits, np.log1p(bets), np.log1p(-bets))


def detections(hits: Bits, threshold: float) -> Bits:
    """Alarms of the e-CUSUM by its formula, pairs x chains, which begins again after each."""
    logs = np.zeros((len(BETS), hits.shape[1]))
    alarms = np.zeros(hits.shape, dtype=bool)
    for i, row in enumerate(hits):
        np.maximum(logs, 0, out=logs)
        logs += steps(row)
        alarms[i] = np.exp(logs).mean(axis=0) >= threshold
        logs[:, alarms[i]] = 0
    return alarms


def alarms(hits: Bits, threshold: float) -> int:
    """How often a `Detector` is set off by samples that go on and on, begun again after each alarm."""
    detector, found = Detector(), 0
    for hit in hits.tolist():
        if detector.add(hit) >= threshold:
            found += 1
            detector.clear()
    return found
