"""Detects that a service became slower than its live control, or than its baseline on this machine."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fastcore import metrics
from fastcore._snapshot import SketchState
from fastcore.dispatch.sequential_test import Detector
from fastcore.monitor.baseline import Baselines
from fastcore.monitor.collect import EMPTY, ServiceMetrics

__all__ = ["Degradation", "DegradationDetector", "SlowdownDetector"]

Against = Literal["control", "baseline"]

_ENOUGH = 30  # calls of a window below which it says nothing
_MOST = 2_000  # calls of a window that are looked at
_WELL = 1e3  # evidence that ends an alarm
_LOOKS = 60  # windows that are put together at most: what is older says nothing of now
_LOG_GAMMA = math.log(1.01 / 0.99)


@dataclass(frozen=True)
class Degradation:
    """The result for one service.

    Attributes
    ----------
    service : str
    against : {'control', 'baseline'}
    degraded : bool
    ratio : float
        The window's median latency as a multiple of what it is held against.
    evidence : float
        That of the detector; it alarms at ``1 / alpha``.
    reference : float
        Seconds: the median it is held against.

    Examples
    --------
    >>> from fastcore.monitor import Degradation
    >>> found = Degradation("desk", against="control", degraded=True, ratio=1.5, evidence=2e6, reference=0.010)
    >>> found.ratio > 1.2
    True
    """

    service: str
    against: Against
    degraded: bool
    ratio: float
    evidence: float
    reference: float

    def __str__(self) -> str:
        what = "slower than" if self.degraded else "held against"
        percent = (self.ratio - 1) * 100
        return (
            f"{self.service}: {what} its {self.against}: {percent:+.0f} % at the median (evidence {self.evidence:.3g})"
        )


class SlowdownDetector:
    """An e-CUSUM over calls: finds that more than half of them take over ``1 + slowdown`` times a reference.

    While no more than half do, the mean number of calls until it falsely alarms is at least ``1 / alpha``. An alarm
    ends by the same kind of evidence that more than half of the calls take at most half of the slowdown, so that a
    service that stays at the limit does not flap.

    Parameters
    ----------
    slowdown : float, default 0.20
    alpha : float, default 1e-6
        As services are looked at call by call and forever, this is one false alarm in a million calls or fewer.
    rng : random.Random, optional
        In what order the calls of a window are taken: a sketch has forgotten it.

    Examples
    --------
    >>> from fastcore.monitor import SlowdownDetector
    >>> detector = SlowdownDetector(slowdown=0.2, alpha=1e-3)
    >>> detector.evidence < 1000
    True
    """

    def __init__(self, slowdown: float = 0.20, alpha: float = 1e-6, *, rng: random.Random | None = None) -> None:
        if not 0 < slowdown < math.inf:
            raise ValueError(f"slowdown: expected a number above 0, got {slowdown!r}")
        if not 0 < alpha < 1:
            raise ValueError(f"alpha: expected a number above 0 and below 1, got {alpha!r}")
        self._slowdown, self._alarm = slowdown, 1 / alpha
        self._rng = random.Random(0) if rng is None else rng
        self._slower, self._well = Detector(0.5), Detector(0.5)
        self.degraded = False

    @property
    def evidence(self) -> float:
        return self._slower.value

    def look(self, latency: SketchState, reference: float) -> float:
        """Add a window of calls; return its median as a multiple of the reference, NaN if it has too few calls."""
        if latency[0] < _ENOUGH or not reference > 0:
            return math.nan
        slow = self._above(latency, reference * (1 + self._slowdown))
        unwell = self._above(latency, reference * (1 + self._slowdown / 2))
        sketch = metrics.Sketch()
        sketch.merge(latency)
        ratio = sketch.quantile(0.5) / reference
        total = latency[0]
        for call in self._rng.sample(range(total), min(total, _MOST)):  # the slowest first, as they are numbered
            if not self.degraded:
                # Both are asked: the evidence for a change, and that what is seen now is one.
                if self._slower.add(call < slow) >= self._alarm and ratio > 1 + self._slowdown:
                    self.degraded = True
                    self._well.clear()
            elif self._well.add(call >= unwell) >= _WELL:
                self.degraded = False
                self._slower.clear()
        return ratio

    def _above(self, latency: SketchState, limit: float) -> int:
        edge = math.log(limit)
        return sum(number for key, number in latency[5].items() if (key - 0.5) * _LOG_GAMMA > edge)


class DegradationDetector:
    """Compares services with their live control and their baseline; one detector for each.

    Parameters
    ----------
    slowdown, alpha : float
        As of :class:`SlowdownDetector`.
    baselines : Baselines, optional
        By default those of ``FASTCORE_BASELINE_FILE``.

    Notes
    -----
    The live control is the better yardstick: it meets the same load at the same time. It is there while a flag ramps,
    is in shadow, or is promoted and watched. Without calls of both arms, and without a baseline, nothing is concluded.
    Windows with too few calls are put together, up to sixty of them.

    Examples
    --------
    >>> from fastcore.monitor import DegradationDetector, MetricsCollector
    >>> detector = DegradationDetector(slowdown=0.2)
    """

    def __init__(
        self,
        slowdown: float = 0.20,
        alpha: float = 1e-6,
        *,
        baselines: Baselines | None = None,
        rng: Callable[[], random.Random] = lambda: random.Random(0),
    ) -> None:
        SlowdownDetector(slowdown, alpha)  # refuses what is no limit
        self._slowdown, self._alpha, self._rng = slowdown, alpha, rng
        self.baselines = Baselines() if baselines is None else baselines
        self._detectors: dict[tuple[str, Against], SlowdownDetector] = {}
        self._small: dict[tuple[str, Against], tuple[int, list[metrics.Sketch]]] = {}

    def look(self, found: ServiceMetrics) -> list[Degradation]:
        """Add what a service did; return the degradations that can be judged now."""
        out = []
        control, candidate = found.arms.get("control", EMPTY), found.arms.get("candidate", EMPTY)
        both = self._enough(found.service_name, "control", candidate, control)
        if both is not None:
            reference = metrics.Sketch()
            reference.merge(both[1])
            out.append(self._held(found.service_name, "control", both[0], reference.quantile(0.5)))
        baseline = self.baselines.get(found.service_name)
        if baseline is not None:
            alone = self._enough(found.service_name, "baseline", found.latency)
            if alone is not None:
                out.append(self._held(found.service_name, "baseline", alone[0], baseline.p50))
        return out

    def _enough(self, service: str, against: Against, *states: SketchState) -> list[SketchState] | None:
        """Return the windows since it was last enough, put together; None while one of them is too small."""
        looks, kept = self._small.pop((service, against), (0, [metrics.Sketch() for _ in states]))
        for sketch, state in zip(kept, states):
            sketch.merge(state)
        if all(sketch.count >= _ENOUGH for sketch in kept):
            return [sketch.state() for sketch in kept]
        if looks + 1 < _LOOKS and any(sketch.count for sketch in kept):
            self._small[service, against] = looks + 1, kept
        return None

    def _held(self, service: str, against: Against, latency: SketchState, reference: float) -> Degradation:
        detector = self._detectors.get((service, against))
        if detector is None:
            detector = SlowdownDetector(self._slowdown, self._alpha, rng=self._rng())
            self._detectors[service, against] = detector
        ratio = detector.look(latency, reference)
        labels: dict[str, Any] = {"service": service, "against": against}
        if not math.isnan(ratio):
            metrics.gauge("fastcore_degradation_ratio", **labels).set(ratio)
        metrics.gauge("fastcore_degraded", **labels).set(float(detector.degraded))
        return Degradation(service, against, detector.degraded, ratio, detector.evidence, reference)
