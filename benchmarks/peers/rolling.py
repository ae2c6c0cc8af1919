"""Rolling statistics compared with pandas and bottleneck, as a service calls them, and how they grow with the window.

Each on a random walk of 100,000 bars, with windows of 20, 200 and 2,000; pandas on a Series, the others on an array.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bottleneck
import harness
import numpy as np
import pandas as pd

from fastcore import indicators as ta

BARS = 100_000
WINDOWS = (20, 200, 2_000)
GOALS = {"pandas": 3.0, "bottleneck": 1.0}


def contenders(window: int) -> dict[str, dict[str, Callable[[], object]]]:
    """By statistic, each one's ways to the same numbers."""
    rng = np.random.default_rng(0)
    x = 100.0 * np.exp(np.cumsum(rng.standard_normal(BARS) * 1e-3))
    y = x + rng.standard_normal(BARS)
    series, other = pd.Series(x), pd.Series(y)
    rolled = series.rolling(window)

    def ours(name: str, *args: Any) -> partial[object]:
        return partial(getattr(ta, name), *args)

    return {
        "median": {
            "fastcore": ours("median", x, window),
            "pandas": rolled.median,
            "bottleneck": partial(bottleneck.move_median, x, window),
        },
        "quantile": {"fastcore": ours("quantile", x, window, 0.3), "pandas": partial(rolled.quantile, 0.3)},
        "rank": {"fastcore": ours("rank", x, window), "pandas": rolled.rank},
        "rank from -1 to 1": {
            "fastcore": ours("rank", x, window, 2),
            "bottleneck": partial(bottleneck.move_rank, x, window),
        },
        "skew": {"fastcore": ours("skew", x, window), "pandas": rolled.skew},
        "kurt": {"fastcore": ours("kurt", x, window), "pandas": rolled.kurt},
        "zscore": {
            "fastcore": ours("zscore", x, window),
            "pandas": lambda: (series - rolled.mean()) / rolled.std(),
        },
        "cov": {"fastcore": ours("cov", x, y, window), "pandas": lambda: rolled.cov(other)},
        "argmin": {"fastcore": ours("argmin", x, window), "bottleneck": partial(bottleneck.move_argmin, x, window)},
        "argmax": {"fastcore": ours("argmax", x, window), "bottleneck": partial(bottleneck.move_argmax, x, window)},
        "argmax, min_count=10": {
            "fastcore": ours("argmax", x, window, 10),
            "bottleneck": partial(bottleneck.move_argmax, x, window, min_count=10),
        },
    }


def main() -> None:
    report = harness.Report(
        "rolling",
        "Rolling statistics compared with pandas and bottleneck",
        harness.versions("bottleneck", "pandas", "numpy"),
        notes=[f"{BARS:,} bars of a random walk. Times are per call."],
    )
    took: dict[str, list[float]] = {}
    for window in WINDOWS:
        for name, ways in contenders(window).items():
            timings = harness.interleave(ways, rounds=7, target=0.005)
            mine = timings["fastcore"].median
            ratios = {
                f"{peer} / fastcore": harness.Ratio(timings[peer].median / mine, goal)
                for peer, goal in GOALS.items()
                if peer in timings
            }
            report.add(f"{name}, window {window}", timings, ratios)
            took.setdefault(name, []).append(mine)
    for name, times in took.items():
        report.conclude(
            f"{name}: time with a window of {WINDOWS[-1]:,} / with one of {WINDOWS[0]}",
            harness.Ratio(times[-1] / times[0]),
        )
    report.write()


if __name__ == "__main__":
    main()
