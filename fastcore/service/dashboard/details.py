"""Details over time: both arms of each Switch, each route, each cache; every ten seconds, in memory and bounded."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from fastcore import metrics
from fastcore.dispatch.state import HOT_PATHS
from fastcore.dispatch.switch import live
from fastcore.monitor.collect import EMPTY, window
from fastcore.service.dashboard.history import History
from fastcore.service.dashboard.observed import counts, label, latencies, route

__all__ = ["STEP", "Details"]

STEP = 10  # seconds between two samples
SWITCHES, ROUTES, CACHES = 24, 20, 20  # those of most calls; a part that was chosen stays
SERIES = 6 * SWITCHES + 4 * ROUTES + CACHES


class _Seen(NamedTuple):
    """The totals at the sample before."""

    counts: tuple[float, ...]
    latency: metrics.SketchState = EMPTY


class Details:
    """A :class:`History` of parts: at most 244 series, 1.8 MB."""

    def __init__(self) -> None:
        self._history = History(STEP, SERIES)
        self._seen: dict[str, _Seen] = {}
        self._chosen: dict[str, dict[str, None]] = {"switch": {}, "route": {}, "cache": {}}
        self._at: float | None = None
        self._new: _Seen | None = None  # counts of a part that appeared since the last sample

    def read(self, end: float, span: float, of: str) -> dict[str, Any]:
        """Return the history of one part, such as ``route/GET /prices``."""
        return self._history.read(end, span, f"{of}/")

    def sample(self, at: float, now: float) -> None:
        """Note all parts; `at` in seconds since the epoch, `now` by a clock that only grows."""
        passed, self._at = None if self._at is None else now - self._at, now
        values: dict[str, float | None] = {}
        self._arms(values)
        self._routes(values, passed)
        self._caches(values)
        self._new = _Seen((0.0, 0.0))
        self._history.add(at, values)

    def _kept(self, kind: str, calls: dict[str, float], most: int) -> list[str]:
        """Return the names to note: those noted before, and those of most calls while there is room."""
        chosen = self._chosen[kind]
        for name in sorted(calls.keys() - chosen.keys(), key=lambda name: -calls[name])[: most - len(chosen)]:
            chosen[name] = None
        return [name for name in chosen if name in calls]

    def _since(self, key: str, counts: tuple[float, ...], latency: metrics.SketchState = EMPTY) -> _Seen | None:
        """Return what was added since the sample before; None at the first, and where counting began again."""
        before = self._seen.get(key, self._new)
        self._seen[key] = _Seen(counts, latency)
        if before is None or any(old > new for old, new in zip(before.counts, counts)):
            return None
        added = tuple(new - old for old, new in zip(before.counts, counts))
        return _Seen(added, window(before.latency, latency))

    def _arms(self, values: dict[str, float | None]) -> None:
        switches = {}
        for switch in live().values():
            if (calls := sum(calls for calls, _ in switch._calls())) and switch.flag not in HOT_PATHS:
                switches[switch.name] = (switch, float(calls))
        for name in self._kept("switch", {name: calls for name, (_, calls) in switches.items()}, SWITCHES):
            switch = switches[name][0]
            called = []
            for index, arm in enumerate(("control", "candidate")):
                calls, errors, latency = switch._counts(index)
                times = metrics.Sketch()  # one call in 64, and all that ran both arms
                times.merge(latency)
                times.merge(getattr(switch._stats, arm))
                added = self._since(f"{name}\0{arm}", (calls, errors), times.state())
                called.append(0.0 if added is None else added.counts[0])
                values |= _quantiles(f"switch/{name}/{arm} ", EMPTY if added is None else added.latency)
            stats = switch._stats
            pairs = self._since(f"{name}\0pairs", (stats.pairs - stats.unknown, stats.mismatches + stats.failures))
            compared = 0.0 if pairs is None else pairs.counts[0]
            values[f"switch/{name}/agreement"] = 1 - pairs.counts[1] / compared if pairs and compared else None
            values[f"switch/{name}/share"] = called[1] / sum(called) if sum(called) else None

    def _routes(self, values: dict[str, float | None], passed: float | None) -> None:
        requests: dict[str, float] = {}
        errors: dict[str, float] = {}
        for labels, count in counts("fastcore_http_requests_total"):
            name = " ".join(route(labels))
            requests[name] = requests.get(name, 0.0) + count
            if label(labels, "status").startswith("5"):
                errors[name] = errors.get(name, 0.0) + count
        kept = dict.fromkeys(self._kept("route", requests, ROUTES))
        times = {name: metrics.Sketch() for name in kept}
        for labels, sketch in latencies("fastcore_http_request_duration_seconds"):
            if (one := times.get(" ".join(route(labels)))) is not None:
                one.merge(sketch)
        for name, sketch in times.items():
            added = self._since(f"route\0{name}", (requests[name], errors.get(name, 0.0)), sketch.state())
            if added is not None and passed:
                values[f"route/{name}/requests"] = added.counts[0] / passed
                values[f"route/{name}/errors"] = added.counts[1] / passed
                values |= _quantiles(f"route/{name}/", added.latency)

    def _caches(self, values: dict[str, float | None]) -> None:
        from fastcore.cache.registry import named_caches

        stats = {name: cache.stats() for name, cache in named_caches().items()}
        for name in self._kept("cache", {name: float(one.hits + one.misses) for name, one in stats.items()}, CACHES):
            added = self._since(f"cache\0{name}", (float(stats[name].hits), float(stats[name].misses)))
            if added is not None and (asked := math.fsum(added.counts)):
                values[f"cache/{name}/hit_ratio"] = added.counts[0] / asked


def _quantiles(name: str, state: metrics.SketchState) -> dict[str, float | None]:
    sketch = metrics.Sketch()
    sketch.merge(state)
    return {f"{name}p{q}": sketch.quantile(q / 100) if sketch.count else None for q in (50, 95)}
