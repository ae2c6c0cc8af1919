"""Percentiles of latencies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

__all__ = ["Latency", "summarise"]


class Latency(NamedTuple):
    """Milliseconds over `n` measurements; None where there was none."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None
    mean: float | None


def summarise(seconds: Iterable[float]) -> Latency:
    """Return the percentiles of `seconds`."""
    values = np.fromiter(seconds, dtype=np.float64)
    if values.size == 0:
        return Latency(0, None, None, None, None)
    p50, p95, p99 = (float(v) for v in np.percentile(values, (50, 95, 99)) * 1e3)
    return Latency(int(values.size), p50, p95, p99, float(values.mean() * 1e3))
