"""What asv has measured: one value for each benchmark, backend and commit."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple

from asv import _stats
from asv.benchmarks import Benchmarks
from asv.config import Config
from asv.results import iter_results
from asv.util import human_value

__all__ = ["COUNT_FACTOR", "TIME_FACTOR", "Measured", "change", "measured", "shown"]

COUNT_FACTOR = 1.02
TIME_FACTOR = 1.15


class Measured(NamedTuple):
    """One benchmark with its parameters, on one backend of one commit.

    Attributes
    ----------
    benchmark : str
        ``bench_cache.time_lru_hit`` or ``bench_indicators.Call.time_call('ema', 30)``.
    backend : str
    commit : str
    value : float or None
        None where it failed, NaN where it was skipped.
    samples : list of float
        Of times; empty for what is counted.
    spread : tuple of float
        The quartiles of the samples, or the value twice.
    stats : dict or None
        asv's own statistics of the samples.
    unit : str
        ``seconds``, ``bytes``, ``instructions`` and so on.
    """

    benchmark: str
    backend: str
    commit: str
    value: float | None
    samples: list[float]
    spread: tuple[float, float]
    stats: dict[str, Any] | None
    unit: str

    @property
    def counted(self) -> bool:
        """Whether it is the same number in each run."""
        return self.unit not in ("seconds", "bytes")

    def differs(self, other: Measured) -> bool:
        """Whether the samples of both are unlikely to be of one distribution."""
        if not self.samples or not other.samples:
            return True
        different: bool = _stats.is_different(self.samples, other.samples, self.stats, other.stats)
        return different

    @property
    def least(self) -> float:
        return min(self.samples) if self.samples else float(self.value or 0.0)


def change(before: Measured, after: Measured) -> float:
    """How many times as slow `after` is by the look of it, 1.0 where that is within what the measure allows.

    Of times, the fastest runs must differ as much: a machine that does other things makes the others slower.
    """
    if not before.value or not after.value:
        return 1.0
    ratio = after.value / before.value
    least = after.least / before.least
    apart = after.spread[0] > before.spread[1] or after.spread[1] < before.spread[0]
    factor = COUNT_FACTOR if after.counted else TIME_FACTOR
    beyond = min(ratio, least) >= factor or max(ratio, least) <= 1 / factor
    return ratio if beyond and (apart or after.counted) else 1.0


def measured(conf: Config, machine: str = "") -> Iterator[Measured]:
    """Everything in the results folder, of one machine if it is named."""
    benchmarks = Benchmarks.load(conf)
    for result in iter_results(conf.results_dir):
        if machine and result.params.get("machine") != machine:
            continue
        backend = result.env_vars.get("FASTCORE_BACKEND", "")
        for name in result.get_result_keys(benchmarks):
            benchmark = benchmarks[name]
            params = benchmark["params"]
            values = result.get_result_value(name, params)
            stats = result.get_result_stats(name, params)
            samples = result.get_result_samples(name, params)
            unit = benchmark.get("unit", "")
            for combination, value, stat, sample in zip(itertools.product(*params), values, stats, samples):
                label = f"{name}({', '.join(combination)})" if combination else name
                yield Measured(
                    label, backend, result.commit_hash, value, sample or [], _spread(value, stat), stat, unit
                )


def _spread(value: float | None, stat: dict[str, Any] | None) -> tuple[float, float]:
    middle = statistics.fmean([value]) if value is not None else 0.0
    if stat is None or stat.get("q_25") is None:
        return middle, middle
    return stat["q_25"], stat["q_75"]


def shown(value: float | None, unit: str) -> str:
    """`value` as a person reads it."""
    if value is None:
        return "failed"
    if value != value:
        return "skipped"
    if unit in ("seconds", "bytes"):
        text: str = human_value(value, unit)
        return text
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"
