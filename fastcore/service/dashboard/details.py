"""Details over time: both arms of each Switch, each route, each cache; every ten seconds, in memory and bounded."""

from __future__ import annotations

import heapq
import math
from typing import Any, NamedTuple

from fastcore import metrics
from fastcore._snapshot import PackedState
from fastcore.dispatch.state import HOT_PATHS
from fastcore.dispatch.switch import live
from fastcore.monitor.collect import EMPTY, since
from fastcore.service.dashboard.history import History
from fastcore.service.dashboard.observed import counts, label, latencies, route

__all__ = ["STEP", "Details"]

STEP = 10  # seconds between two samples
SWITCHES, ROUTES, CACHES = 24, 20, 20  # the busiest of late
SERIES = 6 * SWITCHES + 4 * ROUTES + CACHES
HALF_LIFE = 300.0  # seconds after which a call counts half
PINNED, PINNED_FOR = 4, 600.0  # parts of a kind that were read last, and seconds for which they are noted


class _Seen(NamedTuple):
    """The totals at the sample before."""

    counts: tuple[float, ...]
    latency: PackedState | None = None


class _Added(NamedTuple):
    """What was added since the sample before."""

    counts: tuple[float, ...]
    latency: metrics.SketchState


class _Choice:
    """The parts of one kind that are noted: those that were read last, and the busiest of late."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._totals: dict[str, float] = {}
        self._traffic: dict[str, float] = {}
        self._read: dict[str, float] = {}
        self._at = -math.inf
        self.names: frozenset[str] = frozenset()

    def pin(self, name: str, at: float) -> None:
        """Note a part for a while, however few its calls: its history is looked at."""
        others = {one: when for one, when in self._read.items() if one != name}
        self._read = {**dict([*others.items()][1 - PINNED :]), name: at}

    def update(self, at: float, totals: dict[str, float]) -> dict[str, bool]:
        """Choose by the calls so far; returns which of the chosen parts have appeared since the last update."""
        fade = 0.5 ** (max(0.0, at - self._at) / HALF_LIFE)
        traffic = {
            name: fade * self._traffic.get(name, 0.0) + max(0.0, total - self._totals.get(name, 0.0))
            for name, total in totals.items()
        }
        pinned = {name for name, when in self._read.items() if at - when < PINNED_FOR and name in totals}

        def rank(name: str) -> tuple[bool, float, bool]:
            was = name in self.names
            return name in pinned, traffic.get(name, 0.0) * (1 + was), was  # twice as busy as one that it replaces

        self.names = frozenset(heapq.nlargest(self._most, sorted(totals.keys() | self.names), key=rank))
        appeared = {name: name not in self._totals for name in self.names if name in totals}
        self._totals, self._traffic, self._at = totals, traffic, at
        return appeared


class Details:
    """A :class:`History` of parts: at most 244 series, 1.8 MB."""

    def __init__(self) -> None:
        self._history = History(STEP, SERIES)
        self._seen: dict[str, _Seen] = {}
        self._chosen = {"switch": _Choice(SWITCHES), "route": _Choice(ROUTES), "cache": _Choice(CACHES)}
        self._at: float | None = None
        self._new: _Seen | None = None  # counts of a part that appeared since the last sample

    def read(self, end: float, span: float, of: str) -> dict[str, Any]:
        """Return the history of one part, such as ``route/GET /prices``; a part that is read is noted from now on."""
        kind, _, name = of.partition("/")
        if kind in self._chosen and name:
            self._chosen[kind].pin(name, end)
        return self._history.read(end, span, f"{of}/")

    def sample(self, at: float, now: float) -> None:
        """Note all parts; `at` in seconds since the epoch, `now` by a clock that only grows."""
        passed, self._at = None if self._at is None else now - self._at, now
        values: dict[str, float | None] = {}
        self._arms(values, at)
        self._routes(values, at, passed)
        self._caches(values, at)
        self._new = _Seen((0.0, 0.0))
        self._history.add(at, values)

    def _kept(self, kind: str, at: float, calls: dict[str, float]) -> dict[str, bool]:
        """Return the parts to note, each with whether it has appeared since the sample before; forget the others."""
        chosen = self._chosen[kind]
        before = chosen.names
        kept = chosen.update(at, calls)
        for name in before - chosen.names:
            self._history.forget(f"{kind}/{name}/")
            for key in [key for key in self._seen if key.startswith(f"{kind}/{name}\0")]:
                del self._seen[key]
        return kept

    def _since(
        self, key: str, appeared: bool, counts: tuple[float, ...], latency: metrics.SketchState = EMPTY
    ) -> _Added | None:
        """Return what was added since the sample before; None where that is not known, or counting began again."""
        before = self._seen.get(key, self._new if appeared else None)
        self._seen[key] = _Seen(counts, PackedState(latency) if latency[0] else None)
        if before is None or any(old > new for old, new in zip(before.counts, counts)):
            return None
        added = tuple(new - old for old, new in zip(before.counts, counts))
        return _Added(added, since(before.latency, latency))

    def _arms(self, values: dict[str, float | None], at: float) -> None:
        switches = {}
        for switch in live().values():
            if (calls := sum(calls for calls, _ in switch._calls())) and switch.flag not in HOT_PATHS:
                switches[switch.name] = (switch, float(calls))
        kept = self._kept("switch", at, {name: calls for name, (_, calls) in switches.items()})
        for name, appeared in kept.items():
            switch = switches[name][0]
            called = []
            for index, arm in enumerate(("control", "candidate")):
                calls, errors, latency = switch._counts(index)
                times = metrics.Sketch()  # one call in 64, and all that ran both arms
                times.merge(latency)
                times.merge(getattr(switch._stats, arm))
                added = self._since(f"switch/{name}\0{arm}", appeared, (calls, errors), times.state())
                called.append(0.0 if added is None else added.counts[0])
                values |= _quantiles(f"switch/{name}/{arm} ", EMPTY if added is None else added.latency)
            stats = switch._stats
            compared, differing = stats.pairs - stats.unknown, stats.mismatches + stats.failures
            pairs = self._since(f"switch/{name}\0pairs", appeared, (compared, differing))
            agreement = 1 - pairs.counts[1] / pairs.counts[0] if pairs and pairs.counts[0] else None
            values[f"switch/{name}/agreement"] = agreement
            values[f"switch/{name}/share"] = called[1] / sum(called) if sum(called) else None

    def _routes(self, values: dict[str, float | None], at: float, passed: float | None) -> None:
        requests: dict[str, float] = {}
        errors: dict[str, float] = {}
        for labels, count in counts("fastcore_http_requests_total"):
            name = " ".join(route(labels))
            requests[name] = requests.get(name, 0.0) + count
            if label(labels, "status").startswith("5"):
                errors[name] = errors.get(name, 0.0) + count
        kept = self._kept("route", at, requests)
        times = {name: metrics.Sketch() for name in kept}
        for labels, sketch in latencies("fastcore_http_request_duration_seconds"):
            if (one := times.get(" ".join(route(labels)))) is not None:
                one.merge(sketch)
        for name, sketch in times.items():
            total = (requests[name], errors.get(name, 0.0))
            added = self._since(f"route/{name}\0", kept[name], total, sketch.state())
            if added is not None and passed:
                values[f"route/{name}/requests"] = added.counts[0] / passed
                values[f"route/{name}/errors"] = added.counts[1] / passed
                values |= _quantiles(f"route/{name}/", added.latency)

    def _caches(self, values: dict[str, float | None], at: float) -> None:
        from fastcore.cache.registry import named_caches

        stats = {name: cache.stats() for name, cache in named_caches().items()}
        kept = self._kept("cache", at, {name: float(one.hits + one.misses) for name, one in stats.items()})
        for name, appeared in kept.items():
            total = (float(stats[name].hits), float(stats[name].misses))
            added = self._since(f"cache/{name}\0", appeared, total)
            if added is not None and (asked := math.fsum(added.counts)):
                values[f"cache/{name}/hit_ratio"] = added.counts[0] / asked


def _quantiles(name: str, state: metrics.SketchState) -> dict[str, float | None]:
    sketch = metrics.Sketch()
    sketch.merge(state)
    return {f"{name}p{q}": sketch.quantile(q / 100) if sketch.count else None for q in (50, 95)}
