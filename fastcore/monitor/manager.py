"""AlertManager: evaluates rules on the metrics and notifies channels."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastcore import metrics
from fastcore._snapshot import Snapshot
from fastcore._text import storable
from fastcore.concurrency import Retry
from fastcore.dispatch import flags, process
from fastcore.dispatch.formatting import meant
from fastcore.monitor.alerts import Alert, AlertBook, AlertEvent, fingerprint, grouped, plain
from fastcore.monitor.channels import Channel, LogChannel
from fastcore.monitor.config import settings_of
from fastcore.monitor.delivery import Delivery
from fastcore.monitor.leader import Leader
from fastcore.monitor.rules import DEFAULT_RULES, SEVERITIES, Reader, Rule, seconds
from fastcore.monitor.shared_alerts import SharedAlerts
from fastcore.monitor.silences import Silence, Silences
from fastcore.monitor.workers import WorkerFiles

__all__ = ["AlertManager"]

HISTORY = 500  # alerts that began or ended, the latest

_log = logging.getLogger("fastcore.monitor")
_made: weakref.WeakSet[AlertManager] = weakref.WeakSet()


class AlertManager:
    """Evaluates rules and sends alerts to channels, on its own threads.

    Parameters
    ----------
    rules : iterable of Rule, default DEFAULT_RULES
    channels : iterable of Channel, default the log
    repeat : float or str, default "4h"
        Time after which an alert that still fires is sent again.
    group : int, default 5
        Alerts of one rule that begin or end at once are told one by one up to this number, and as one above it.
    retry, limit, per_minute
        As of :class:`Delivery`, for each channel.
    workers : WorkerFiles, optional
        Of several worker processes: the metrics of all are judged, and one worker at a time does it, another one as
        soon as that one has ended. It is to be started by the application.
    source : callable, default fastcore.metrics.snapshot
    clock : callable, default time.monotonic
    wall : callable
        Returns the time that notifications say.

    Notes
    -----
    A flag that is rolled back, or no longer is, has the rules of a `value` judged at once, not at the next look.
    Several workers without `workers` judge each for itself, and each tells; the fingerprints are the same.

    Examples
    --------
    >>> from fastcore import metrics
    >>> from fastcore.monitor import AlertManager, CallableChannel, Rule
    >>> depth = metrics.gauge("queue_depth")
    >>> rule = Rule(name="queue is deep", metric="queue_depth", above=100)
    >>> sent = []
    >>> manager = AlertManager([rule], [CallableChannel(sent.append)])
    >>> depth.set(500)
    >>> [alert.rule for alert in manager.evaluate()]       # `start()` does so every 15 seconds
    ['queue is deep']
    """

    def __init__(
        self,
        rules: Iterable[Rule] | None = None,
        channels: Iterable[Channel] | None = None,
        *,
        repeat: float | str = "4h",
        group: int = 5,
        retry: Retry | None = None,
        limit: int = 100,
        per_minute: int = 30,
        workers: WorkerFiles | None = None,
        source: Callable[[], Snapshot] = metrics.snapshot,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        chosen = DEFAULT_RULES if rules is None else tuple(rules)
        if len({rule.name for rule in chosen}) < len(chosen):
            raise ValueError("rules: expected rules of different names")
        if isinstance(group, bool) or not isinstance(group, int) or group < 1:
            raise ValueError(f"group: expected an int >= 1, got {group!r}")
        self._repeat, self._group = seconds(repeat, "repeat"), group
        # A rule that is silent while another fires comes after it, so that both of one moment are seen in order.
        self._rules = {rule.name: rule for rule in sorted(chosen, key=lambda rule: bool(rule.unless))}
        self._book, self._reader = AlertBook(self._repeat), Reader()
        self._source = source if workers is None else workers.gather
        self._leader = None if workers is None else Leader(workers.folder / "alerts.lock")
        self._clock, self._wall = clock, wall
        self._deliveries: dict[str, Delivery] = {}
        self._one_off: dict[str, float] = {}
        self._silences = Silences(None if workers is None else workers.folder / "silences.json", wall)
        self._shared = None if workers is None else SharedAlerts(workers.folder / "alerts.json")
        self._history: deque[AlertEvent] = deque(maxlen=HISTORY)
        self._told: set[str] = set()  # fingerprints of firing alerts that channels were told of
        self._unsaid: set[str] = set()  # and of those that a silence kept from them
        self._begin()
        for channel in [LogChannel()] if channels is None else channels:
            if channel.name in self._deliveries:
                raise ValueError(f"channels: expected different names, got {channel.name!r} twice")
            self._deliveries[channel.name] = Delivery(channel, limit=limit, retry=retry, per_minute=per_minute)
        for rule in chosen:
            if unknown := sorted(set(rule.channels) - set(self._deliveries)):
                raise ValueError(f"rule {rule.name}: channels: expected names of channels, got {unknown[0]!r}")
            if rule.unless and rule.unless not in self._rules:
                raise ValueError(f"rule {rule.name}: unless: expected the name of a rule, got {rule.unless!r}")
        _made.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._silences.begin()
        if self._shared is not None:
            self._shared.begin()
        self._wake = threading.Event()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    @classmethod
    def from_toml(cls, path: str | Path, **kwargs: Any) -> AlertManager:
        """Return a manager with the rules and channels of a file.

        ``[[rule]]`` as of :func:`load_rules`; ``default_rules = true`` to add :data:`DEFAULT_RULES`, of which
        a rule of the same name replaces one; ``[[channel]]`` with ``type`` (``log``, ``webhook``, ``slack``,
        ``email``) and the parameters of that channel; ``repeat``; ``group``. A value ``"env:NAME"`` of a channel is
        taken from the environment, so that no secret stands in the file.

        Raises
        ------
        ValueError, TypeError
            If the file is not as described; the text names the file, the line and what is wrong, and no secret.
        """
        return cls(**{**settings_of(path), **kwargs})

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that it judges."""
        return tuple(self._rules.values())

    def evaluate(self) -> list[Alert]:
        """Evaluate every rule once; returns the alerts handed to the channels."""
        return self._judge(list(self._rules.values()))

    @property
    def shared(self) -> bool:
        """Whether :meth:`firing` and :meth:`history` are those of all workers."""
        return self._shared is not None

    def firing(self) -> list[Alert]:
        """Return the firing alerts; with `workers` those of the process that evaluates for all."""
        if (followed := self._followed()) is not None:
            return followed.firing()
        with self._lock:
            return self._book.alerts(self._wall())

    def history(self, limit: int = 100) -> list[AlertEvent]:
        """Return what alerts began, were repeated or ended, the latest first; 500 are kept.

        With `workers` those of the process that evaluates for all, of others before it, and what this process sent by
        :meth:`send_alert`; otherwise those of this process.
        """
        with self._lock:
            events = list(self._history)
        if (followed := self._followed()) is not None:
            events = followed.with_events(events)
        return events[: -limit - 1 : -1]

    def silence(
        self,
        rule: str,
        duration: float | str,
        *,
        labels: Mapping[str, str] | None = None,
        reason: str = "",
        who: str = "operator",
    ) -> Silence:
        """Keep the alerts of a rule from the channels for a while; they are evaluated and shown all the same.

        An alert that still fires when its silence ends is sent then. The end of an alert is sent, silenced or not, if
        its beginning was. With `workers` a silence holds for all of them.

        Parameters
        ----------
        rule : str
            The name of a rule, or ``message`` for those of :meth:`send_alert`.
        duration : float or str
            Seconds, or text like ``2h``; at most 30 days.
        labels : mapping of str to str, optional
            Only alerts that have these.
        reason, who : str

        Raises
        ------
        LookupError
            If there is no such rule.
        ValueError
            If the duration is not valid, or a text has over 500 characters.
        """
        if rule not in self._rules and rule != "message":
            raise LookupError(f"rule: expected one of {', '.join(self._rules)}, got {rule!r}{meant(rule, self._rules)}")
        return self._silences.add(rule, seconds(duration, "duration"), labels or {}, reason, who)

    def unsilence(self, id: str) -> bool:
        """End a silence; returns whether there was one."""
        ended = self._silences.end(id)
        self._wake.set()
        return ended

    def silences(self) -> list[Silence]:
        """Return the silences in force, the one that ends first before the others."""
        return self._silences.all()

    def silenced(self, alert: Alert) -> Silence | None:
        """Return the silence that an alert is under, if any."""
        return self._silences.of(alert.rule, alert.labels)

    def _judge(self, rules: list[Rule]) -> list[Alert]:
        with self._lock:
            if self._leader is not None and not self._lead(self._leader):
                return []
            snapshot, now, wall = self._source(), self._clock(), self._wall()
            out: list[Alert] = []
            for rule in rules:
                try:
                    values = self._reader.read(rule, snapshot, now)
                except KeyboardInterrupt:
                    raise
                except BaseException:  # an exit of a rule's would end the thread
                    _log.exception("the rule %s could not be evaluated", rule.name)
                    continue
                found = self._book.evaluate(rule, values, now, wall)
                metrics.gauge("fastcore_alerts_firing", rule=rule.name).set(len(self._book.firing(rule.name)))
                for alert in grouped(self._said(found, wall), self._group):
                    self._give(alert, rule.channels)
                    out.append(alert)
            for alert in self._late(wall):
                self._give(alert, self._rules[alert.rule].channels)
                out.append(alert)
            if self._shared is not None:
                self._shared.write(self._book.alerts(wall), self._history)
        return out

    def _lead(self, leader: Leader) -> bool:
        """Return whether this process evaluates for all; a new one starts with the history of its predecessor."""
        led = leader.held
        if not leader.leads():
            return False
        if not led and self._shared is not None:
            self._history = deque(self._shared.with_events(self._history), maxlen=HISTORY)
        return True

    def _followed(self) -> SharedAlerts | None:
        """Return the alerts of the process that evaluates for all; None if it is this one."""
        return None if self._leader is None or self._leader.held else self._shared

    def _said(self, found: list[Alert], wall: datetime) -> list[Alert]:
        """Note what has happened, and return what the channels are to hear of it."""
        said = []
        for alert in found:
            if alert.state == "firing":
                silenced = self.silenced(alert) is not None
                if not silenced:
                    self._told.add(alert.fingerprint)
                    self._unsaid.discard(alert.fingerprint)
                elif alert.fingerprint not in self._told:
                    self._unsaid.add(alert.fingerprint)
            else:
                silenced = alert.fingerprint in self._unsaid
                self._unsaid.discard(alert.fingerprint)
                self._told.discard(alert.fingerprint)
            self._history.append(AlertEvent(wall, alert, silenced))
            if not silenced:
                said.append(alert)
        return said

    def _late(self, wall: datetime) -> list[Alert]:
        """Return the alerts that still fire after their silence has ended."""
        if not self._unsaid:
            return []
        firing = self._book.alerts(wall)
        self._unsaid &= {alert.fingerprint for alert in firing}
        late = [a for a in firing if a.fingerprint in self._unsaid and self.silenced(a) is None]
        return self._said(late, wall)

    async def send_alert(self, message: str, metrics: Any = None, *, severity: str = "warning") -> bool:
        """Send a message to every channel, once per `repeat` for the same message.

        Parameters
        ----------
        message : str
        metrics : object, optional
            Shown with it: a dataclass, or what JSON can hold.
        severity : {'info', 'warning', 'critical'}

        Returns
        -------
        bool
            Whether it was given to the channels, which send it in their own time; not while ``message`` is silenced.
        """
        if severity not in SEVERITIES:
            raise ValueError(f"severity: expected one of {', '.join(SEVERITIES)}, got {severity!r}")
        message = storable(message)
        mark = fingerprint("message", (("message", message),))
        now, wall = self._clock(), self._wall()
        alert = Alert("message", "firing", severity, message, (), math.nan, wall, mark, _plain(metrics))
        silenced = self.silenced(alert) is not None
        with self._lock:
            last = self._one_off.get(mark)
            if last is not None and now - last < self._repeat:
                return False
            self._one_off = {known: at for known, at in self._one_off.items() if now - at < self._repeat}
            if not silenced:
                self._one_off[mark] = now
            self._history.append(AlertEvent(wall, alert, silenced))
        if not silenced:
            self._give(alert, ())
        return not silenced

    async def resolve_alert(self, message: str) -> bool:
        """Send the resolution of a message of `send_alert`; the message may be sent again afterwards.

        Returns whether it was said.
        """
        message = storable(message)
        mark = fingerprint("message", (("message", message),))
        with self._lock:
            if self._one_off.pop(mark, None) is None:
                return False
        alert = Alert("message", "resolved", "info", message, (), math.nan, self._wall(), mark)
        with self._lock:
            self._history.append(AlertEvent(alert.since, alert, False))
        self._give(alert, ())
        return True

    def _give(self, alert: Alert, channels: tuple[str, ...]) -> None:
        labels = {"rule": alert.rule, "severity": alert.severity, "state": alert.state}
        metrics.counter("fastcore_alerts_total", **labels).add()
        for name in channels or self._deliveries:
            self._deliveries[name].put(alert)

    def start(self, interval: float = 15.0) -> None:
        """Judge the rules every `interval` seconds on a thread; nothing happens if it does already."""
        if not interval > 0:
            raise ValueError(f"interval: expected a number above 0, got {interval!r}")
        for delivery in self._deliveries.values():
            delivery.start()
        process.sync.begin()  # else other processes' rollbacks are heard of only once a Switch is called here
        with self._lock:
            if self._thread is None:
                self._ending = False
                self._unsubscribe = flags.subscribe(self._heard)
                self._thread = threading.Thread(target=self._run, args=(interval,), name="fastcore-rules", daemon=True)
                self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """End judging, and send what waits for at most `timeout` seconds; returns whether all of it went out."""
        end = time.monotonic() + timeout
        self._unsubscribe()
        self._ending = True
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        if self._leader is not None:
            self._leader.resign()
        for delivery in self._deliveries.values():
            delivery.close()
        went_out = [delivery.stop(max(0.0, end - time.monotonic())) for delivery in self._deliveries.values()]
        return all(went_out)

    def _heard(self, change: flags.Change) -> None:
        if change.old.rolled_back or change.new.rolled_back:
            self._wake.set()  # flipping a flag does not wait

    def _run(self, interval: float) -> None:
        # A reader of counters needs time between its looks, so what wakes it has only the other rules judged.
        at_once = [rule for rule in self._rules.values() if rule.value is not None]
        looked = -math.inf
        while not self._ending:
            due = time.monotonic() - looked >= interval
            try:
                if due:
                    looked = time.monotonic()
                    self.evaluate()
                else:
                    self._judge(at_once)
            except Exception:
                _log.exception("the rules could not be evaluated")
            if self._wake.wait(max(0.0, looked + interval - time.monotonic())):
                self._wake.clear()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        value = {key: part for key, part in asdict(value).items() if key not in ("latency", "arms")}
    return plain(value)


def _after_fork() -> None:
    for manager in _made:
        manager._unsubscribe()
        manager._begin()  # the thread is the parent's, which may have held the lock


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
