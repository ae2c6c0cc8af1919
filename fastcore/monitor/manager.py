"""Alerts from end to end: rules judged on what is counted, and channels told."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastcore import metrics
from fastcore._snapshot import Snapshot
from fastcore.concurrency import Retry
from fastcore.monitor.alerts import Alert, AlertBook, fingerprint
from fastcore.monitor.channels import Channel, EmailChannel, LogChannel, SlackChannel, WebhookChannel
from fastcore.monitor.delivery import Delivery
from fastcore.monitor.rules import DEFAULT_RULES, SEVERITIES, Reader, Rule, rules_of, seconds

__all__ = ["AlertManager"]

_log = logging.getLogger("fastcore.monitor")


class AlertManager:
    """Judges rules, and sends what follows by every channel, away from the caller.

    Parameters
    ----------
    rules : iterable of Rule, default DEFAULT_RULES
    channels : iterable of Channel, default the log
    repeat : float or str, default "4h"
        After which an alert that still fires is told again.
    retry, limit, per_minute
        As of :class:`Delivery`, for each channel.
    source : callable, default fastcore.metrics.snapshot
    clock : callable, default time.monotonic
    wall : callable
        Returns the time that notifications say.

    Notes
    -----
    Where several workers judge the same rules, each tells. Give rules to one of them, or a `source` that gathers all.
    """

    def __init__(
        self,
        rules: Iterable[Rule] | None = None,
        channels: Iterable[Channel] | None = None,
        *,
        repeat: float | str = "4h",
        retry: Retry | None = None,
        limit: int = 100,
        per_minute: int = 30,
        source: Callable[[], Snapshot] = metrics.snapshot,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        chosen = DEFAULT_RULES if rules is None else tuple(rules)
        if len({rule.name for rule in chosen}) < len(chosen):
            raise ValueError("rules: expected rules of different names")
        self._repeat = seconds(repeat, "repeat")
        self._rules = {rule.name: rule for rule in chosen}
        self._book, self._reader = AlertBook(self._repeat), Reader()
        self._source, self._clock, self._wall = source, clock, wall
        self._deliveries: dict[str, Delivery] = {}
        self._one_off: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0
        for channel in [LogChannel()] if channels is None else channels:
            if channel.name in self._deliveries:
                raise ValueError(f"channels: expected different names, got {channel.name!r} twice")
            self._deliveries[channel.name] = Delivery(channel, limit=limit, retry=retry, per_minute=per_minute)
        for rule in chosen:
            if unknown := sorted(set(rule.channels) - set(self._deliveries)):
                raise ValueError(f"rule {rule.name}: channels: expected names of channels, got {unknown[0]!r}")

    @classmethod
    def from_toml(cls, path: str | Path, **kwargs: Any) -> AlertManager:
        """Return a manager with the rules and channels of a file.

        ``[[rule]]`` as of :func:`load_rules`; ``[[channel]]`` with ``type`` (``log``, ``webhook``, ``slack``,
        ``email``) and the parameters of that channel; ``repeat``. A value ``"env:NAME"`` is taken from the environment,
        so that no secret stands in the file.
        """
        body = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        if unknown := sorted(set(body) - {"rule", "channel", "repeat"}):
            raise ValueError(f"{path}: expected rule, channel and repeat, got {unknown[0]!r}")
        channels = [_channel(table, str(path)) for table in body.get("channel", [])]
        told: dict[str, Any] = {"rules": rules_of(body.get("rule", []), str(path))}
        if channels:
            told["channels"] = channels
        if "repeat" in body:
            told["repeat"] = body["repeat"]
        return cls(**{**told, **kwargs})

    def evaluate(self) -> list[Alert]:
        """Judge every rule once; returns what was given to the channels."""
        with self._lock:
            snapshot, now, wall = self._source(), self._clock(), self._wall()
            out: list[Alert] = []
            for rule in self._rules.values():
                try:
                    values = self._reader.read(rule, snapshot, now)
                except Exception:
                    _log.exception("the rule %s could not be judged", rule.name)
                    continue
                found = self._book.evaluate(rule, values, now, wall)
                metrics.gauge("fastcore_alerts_firing", rule=rule.name).set(len(self._book.firing(rule.name)))
                for alert in found:
                    self._give(alert, rule.channels)
                out += found
        return out

    async def send_alert(self, message: str, metrics: Any = None, *, severity: str = "warning") -> bool:
        """Tell every channel something, once in `repeat` for the same message.

        Parameters
        ----------
        message : str
        metrics : object, optional
            Shown with it: a dataclass, or what JSON can hold.
        severity : {'info', 'warning', 'critical'}

        Returns
        -------
        bool
            Whether it was given to the channels; they send it in their own time.
        """
        if severity not in SEVERITIES:
            raise ValueError(f"severity: expected one of {', '.join(SEVERITIES)}, got {severity!r}")
        mark = fingerprint("message", (("message", message),))
        now = self._clock()
        with self._lock:
            last = self._one_off.get(mark)
            if last is not None and now - last < self._repeat:
                return False
            self._one_off = {known: at for known, at in self._one_off.items() if now - at < self._repeat}
            self._one_off[mark] = now
        details = _plain(metrics)
        self._give(Alert("message", "firing", severity, message, (), math.nan, self._wall(), mark, details), ())
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
        if self._pid != os.getpid():  # after a fork the thread is the parent's
            self._pid, self._thread, self._lock = os.getpid(), None, threading.Lock()
        if self._thread is None:
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stop, interval), name="fastcore-rules", daemon=True
            )
            self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """End judging, and send what waits for at most `timeout` seconds; returns whether all of it went out."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread() and self._pid == os.getpid():
            thread.join(timeout)
        end = time.monotonic() + timeout
        went_out = [delivery.stop(max(0.0, end - time.monotonic())) for delivery in self._deliveries.values()]
        return all(went_out)

    def _run(self, stop: threading.Event, interval: float) -> None:
        while not stop.wait(interval):
            try:
                self.evaluate()
            except Exception:
                _log.exception("the rules could not be judged")


def _channel(table: Any, where: str) -> Channel:
    kinds: dict[str, Callable[..., Channel]] = {
        "log": LogChannel,
        "webhook": WebhookChannel,
        "slack": SlackChannel,
        "email": EmailChannel,
    }
    if not isinstance(table, dict) or table.get("type") not in kinds:
        got = table.get("type") if isinstance(table, dict) else table
        raise ValueError(f"{where}: channel: expected a type of {', '.join(kinds)}, got {got!r}")
    arguments = {key: _from_environment(value, where) for key, value in table.items() if key != "type"}
    try:
        return kinds[table["type"]](**arguments)
    except TypeError as error:
        raise ValueError(f"{where}: channel {table['type']}: {error}") from None


def _from_environment(value: Any, where: str) -> Any:
    if isinstance(value, str) and value.startswith("env:"):
        name = value.removeprefix("env:")
        if name not in os.environ:
            raise ValueError(f"{where}: expected the environment variable {name}, it is not set")
        return os.environ[name]
    return value


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        body = {key: part for key, part in asdict(value).items() if key not in ("latency", "arms")}
        return {key: None if part != part else part for key, part in body.items()}
    return value
