"""How often a guard errs, and how soon it is right: the table of docs/rollout.md, by simulation of the shipped classes.

    python tools/guard_rates.py
    python tools/guard_rates.py --runs 2000 --pairs 500000      # in a minute

Latencies are lognormal, one in fifty ten times as long, drifting to the double and back; every pair is looked at.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fastcore import Guard
from fastcore.dispatch.sequential_test import Detector
from tests.dispatch.simulation import alarms, boundary, chance, first, slow

GUARD = Guard(workers=1)
LOOKS = 2000  # pairs of a canary
RATIOS = (1.0, 1.1, 1.2, 1.3, 1.5, 2.0)
SPREADS = (0.15, 0.40)


def canary(ratio: float, sd: float, runs: int, least: np.ndarray) -> tuple[float, float]:
    """The share of the canaries that are rolled back for slowness, and the median pair at which they are."""
    rng = np.random.default_rng(1)
    found = np.concatenate([first(slow(rng, (500, LOOKS), ratio, sd), least) for _ in range(runs // 500)])
    rolled_back = found[found > 0]
    return len(rolled_back) / len(found), float(np.median(rolled_back)) if len(rolled_back) else np.nan


def length(arguments: tuple[float, float, int]) -> float:
    """Pairs between false alarms after promotion, of a `Detector` that never stops. More than this, if negative."""
    ratio, sd, pairs = arguments
    rng = np.random.default_rng(2)
    found = sum(alarms(slow(rng, (10, 10_000), ratio, sd).ravel(), GUARD.run_length) for _ in range(pairs // 100_000))
    return pairs / found if found else -float(pairs)


def delay(arguments: tuple[float, float, int]) -> float:
    """The median number of pairs to the alarm, after 1,000 healthy ones."""
    ratio, sd, runs = arguments
    rng = np.random.default_rng(3)
    before, after = slow(rng, (runs, 1000), 1.0, sd).tolist(), slow(rng, (runs, 3000), ratio, sd).tolist()
    found = []
    for healthy, worse in zip(before, after):
        detector = Detector()
        for hit in healthy:
            detector.add(hit)
        at = (i for i, hit in enumerate(worse, 1) if detector.add(hit) >= GUARD.run_length)
        found.append(next(at, 10**9))
    return float(np.median(found))


def main() -> None:
    parser = argparse.ArgumentParser(description="simulate the error rates of a guard")
    parser.add_argument("--runs", type=int, default=20_000, help="canaries of each row")
    parser.add_argument("--pairs", type=int, default=3_000_000, help="compared calls after promotion of each row")
    options = parser.parse_args()
    least = boundary(LOOKS, GUARD.enough)
    print(f"alpha {GUARD.alpha}, run_length {GUARD.run_length}, limit {GUARD.slowdown:.0%} slower")
    exact = chance(boundary(10_000, GUARD.enough), 0.5)
    print(f"exactly at the limit, 10,000 looks, any latencies: rolled back in {exact:.2%} of canaries (goal <= 1 %)\n")
    cells = [(ratio, sd) for sd in SPREADS for ratio in RATIOS]
    with multiprocessing.Pool(2) as pool:
        lengths = pool.map(length, [(ratio, sd, options.pairs) for ratio, sd in cells if ratio <= 1.2], 1)
        delays = pool.map(delay, [(ratio, sd, 400) for ratio, sd in cells if ratio > 1.2], 1)
    print("| candidate takes | log-sd | canaries rolled back | median pair | after promotion |")
    print("| --- | --- | --- | --- | --- |")
    for ratio, sd in cells:
        share, pair = canary(ratio, sd, options.runs, least)
        if ratio <= 1.2:
            pairs = lengths.pop(0)
            after = f"no alarm in {-pairs:,.0f} pairs" if pairs < 0 else f"a false alarm each {pairs:,.0f} pairs"
        else:
            after = f"found after {delays.pop(0):,.0f} pairs"
        print(f"| {ratio:.1f}x | {sd:.2f} | {share:.2%} | {'-' if np.isnan(pair) else f'{pair:.0f}'} | {after} |")


if __name__ == "__main__":
    main()
