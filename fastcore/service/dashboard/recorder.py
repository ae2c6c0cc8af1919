"""Samples the service once a second, so that a page opened now shows the past."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fastcore import flags, metrics
from fastcore._snapshot import PackedState
from fastcore._threads import on_own_thread
from fastcore.dispatch.journal import Entry
from fastcore.dispatch.switch import live
from fastcore.monitor.collect import since
from fastcore.service.dashboard.details import Details
from fastcore.service.dashboard.history import History, Mark
from fastcore.service.dashboard.observed import counts, label, latencies
from fastcore.service.dashboard.paced import Paced
from fastcore.service.dashboard.sources import Sources

__all__ = ["Recorder"]

SHOWN = 100  # marks of an answer, the newest
FRESH = 1.0  # seconds for which an answer is given again
ANSWERS = 64  # kept
SLOWLY = 10  # samples between two looks at what costs more to read: tasks in their store, the Switches

_log = logging.getLogger("fastcore.dashboard")


class Recorder:
    """Turns the counters of a service into series of a :class:`History`.

    Parameters
    ----------
    sources : Sources
    clock, timer, cpu : callable, optional
        Seconds since the epoch, seconds that only grow, and the process's seconds of CPU.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self.history = History()
        self.details = Details()
        self._sources = sources
        self._clock, self._timer, self._cpu = clock, timer, cpu
        self._last: dict[str, float] = {}
        self._at: float | None = None
        self._latency: PackedState | None = None
        self._requests_at: float | None = None
        self._slow: dict[str, float | None] = {}
        self._samples = 0
        self._served: dict[str, int] = {}
        self._firing: dict[str, str] = {}
        self._paced_requests, self._paced_saved = (Paced(one, clock=timer) for one in (self._requests, self._saved))
        self._paced_details = Paced(lambda: self.details.sample(self._clock(), self._timer()), clock=timer)
        self._answers: dict[tuple[float, str], tuple[float, bytes]] = {}
        self._task: asyncio.Task[None] | None = None
        self._unfollow: Callable[[], None] = lambda: None
        self.history.mark(Mark(sources.started, "start", "the service started"))

    def start(self) -> None:
        """Sample once a second, in the running loop, and note failed attempts."""
        if self._sources.tasks is not None:
            self._unfollow = self._sources.attempts.follow(self._sources.tasks)
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Sample no more."""
        self._unfollow()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        due = self._timer()
        while True:
            try:
                hub = None if self._sources.hub is None else self._sources.hub.stats()._asdict()  # read in its loop
                await on_own_thread(self.sample, hub)
            except Exception:
                _log.exception("the service could not be sampled")
            due = max(due + 1.0, self._timer())
            await asyncio.sleep(due - self._timer())

    def sample(self, hub: Mapping[str, Any] | None = None) -> None:
        """Take one sample; `hub` holds the hub's counts."""
        from fastcore.memory import memory_usage
        from fastcore.memory.usage import resident_bytes

        now = self._timer()
        passed, self._at = None if self._at is None else now - self._at, now
        values: dict[str, float | None] = {
            "cpu": self._rate("cpu", self._cpu(), passed),
            "rss": resident_bytes(),
            "memory": memory_usage().fraction,
            **self._paced_requests(),
            **self._ended(passed),
            **self._hits(passed),
        }
        if hub is not None:
            values["clients"] = hub["clients"]
            for name in ("published", "delivered", "bytes_out"):
                values[name] = self._rate(name, hub[name], passed)
        if self._samples % SLOWLY == 0:
            self._slow = {**self._waiting(), **self._paced_saved()}
            self._paced_details()
        self._samples += 1
        self.history.add(self._clock(), {**values, **self._slow})
        self._alerts()

    def _rate(self, name: str, total: float, passed: float | None) -> float | None:
        """Return how much a total grew in a second; None at first, and where it began again."""
        before = self._last.get(name)
        self._last[name] = total
        if before is None or not passed or total < before:
            return None
        return (total - before) / passed

    def _requests(self) -> dict[str, float | None]:
        now = self._timer()
        passed, self._requests_at = None if self._requests_at is None else now - self._requests_at, now
        requests = errors = 0.0
        for labels, count in counts("fastcore_http_requests_total"):
            requests += count
            if label(labels, "status").startswith("5"):
                errors += count
        whole = metrics.Sketch()
        for _, sketch in latencies("fastcore_http_request_duration_seconds"):
            whole.merge(sketch)
        state = whole.state()
        recent = metrics.Sketch()
        recent.merge(since(self._latency, state))
        self._latency = PackedState(state)
        known = recent.count > 0 and passed is not None
        return {
            "requests": self._rate("requests", requests, passed),
            "errors": self._rate("errors", errors, passed),
            "p50": recent.quantile(0.5) if known else None,
            "p95": recent.quantile(0.95) if known else None,
        }

    def _ended(self, passed: float | None) -> dict[str, float | None]:
        if self._sources.tasks is None:
            return {}
        ended = failed = 0.0
        for labels, count in counts("fastcore_tasks_ended_total"):
            ended += count
            if label(labels, "state") in ("failed", "dead"):
                failed += count
        return {"tasks": self._rate("tasks", ended, passed), "tasks_failed": self._rate("failed", failed, passed)}

    def _hits(self, passed: float | None) -> dict[str, float | None]:
        from fastcore.cache.registry import named_caches

        stats = [cache.stats() for cache in named_caches().values()]
        hits = self._rate("hits", sum(one.hits for one in stats), passed)
        misses = self._rate("misses", sum(one.misses for one in stats), passed)
        if hits is None or misses is None or not hits + misses:
            return {"hit_ratio": None}
        return {"hit_ratio": hits / (hits + misses)}

    def _waiting(self) -> dict[str, float | None]:
        queue = self._sources.tasks
        if queue is None:
            return {}
        from fastcore.tasks import State

        states = list(queue.counts().values())
        waiting, running = (sum(one.get(state, 0) for one in states) for state in (State.QUEUED, State.RUNNING))
        return {"tasks_waiting": waiting, "tasks_running": running}

    def _saved(self) -> dict[str, float | None]:
        """Return the seconds that candidates saved their callers in a minute, by the medians of both arms."""
        saved, known = 0.0, False
        passed = self._timer() - self._last.get("saved at", self._timer())
        self._last["saved at"] = self._timer()
        for switch in live().values():
            calls = switch._calls()[1][0]
            if not calls:  # a report costs much, and hot paths have hundreds
                self._served[switch.name] = 0
                continue
            report = switch.report()
            new = calls - self._served.get(switch.name, calls)
            self._served[switch.name] = calls
            gain = report.control.p50 - report.candidate.p50  # NaN where an arm was not timed
            if gain == gain:
                saved, known = saved + new * gain, True
        return {"saved": saved / passed * 60 if known and passed else None}

    def _alerts(self) -> None:
        manager = self._sources.alerts
        if manager is None:
            return
        firing = {alert.fingerprint: f"{alert.rule}: {alert.summary}" for alert in manager.firing()}
        for fingerprint in firing.keys() - self._firing.keys():
            self.history.mark(Mark(self._clock(), "alert", firing[fingerprint]))
        for fingerprint in self._firing.keys() - firing.keys():
            self.history.mark(Mark(self._clock(), "resolved", self._firing[fingerprint]))
        self._firing = firing

    def answer(self, span: float, of: str = "") -> bytes:
        """Return :meth:`read` as JSON; what many pages ask for within a second is read once."""
        now = self._timer()
        known = self._answers.get((span, of))
        if known is not None and 0 <= now - known[0] < FRESH:
            return known[1]
        body = json.dumps(self.read(span, of), allow_nan=False).encode()
        if len(self._answers) >= ANSWERS:
            self._answers.clear()
        self._answers[span, of] = now, body
        return body

    def read(self, span: float, of: str = "") -> dict[str, Any]:
        """Return the history of the last `span` seconds, with what the flags' journal says of it.

        `of` is what has a history of its own, such as ``switch/NAME``; by default the service.
        """
        end = self._clock()
        found = self.details.read(end, span, of) if of else self.history.read(end, span)
        changes = [_change(entry) for entry in flags.journal() if entry.old.get("mode") != entry.new.get("mode")]
        marks = [*self.history.marks(end, span), *(mark for mark in changes if end - span < mark.at <= end)]
        return {"range": span, "end": end, **found, "marks": [mark._asdict() for mark in sorted(marks)[-SHOWN:]]}


def _change(entry: Entry) -> Mark:
    """Return an entry of the journal as a mark."""
    old, new = entry.old.get("mode", "–"), entry.new.get("mode", "–")
    kind = "rollback" if entry.what == "rollback" else "flag"
    return Mark(datetime.fromisoformat(entry.when).timestamp(), kind, f"{entry.flag}: {old} → {new} ({entry.who})")
