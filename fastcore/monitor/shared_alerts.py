"""Alerts of the process that judges for all workers of a host, in a file that the others read."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastcore.dispatch.private_files import replace_private
from fastcore.monitor.alerts import Alert, AlertEvent
from fastcore.monitor.rules import SEVERITIES

__all__ = ["SharedAlerts"]

FILE = 4 << 20  # bytes that are read
EVENTS = 200  # written, the latest

_log = logging.getLogger("fastcore.monitor")


class SharedAlerts:
    """The firing alerts and the latest events of one process. Safe to use from several threads.

    Parameters
    ----------
    path : Path
        Written by the process that judges, and read by the others.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.begin()
        self._written: bytes | None = None
        self._stat: tuple[int, int] | None = None
        self._read: tuple[list[Alert], list[AlertEvent]] = [], []

    def begin(self) -> None:
        """Make the lock; again after a fork, as another thread of the parent may have held it."""
        self._lock = threading.Lock()

    def write(self, firing: Iterable[Alert], events: Iterable[AlertEvent]) -> None:
        """Write what fires and what happened, the latest last; nothing happens if the file says so already."""
        shown = [{"at": event.at.timestamp(), "silenced": event.silenced, **_plain(event.alert)} for event in events]
        data = json.dumps({"firing": [_plain(alert) for alert in firing], "events": shown[-EVENTS:]}).encode()
        with self._lock:
            if data == self._written:
                return
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                replace_private(str(self._path), data)
                self._written = data
            except OSError as error:
                _log.warning("%s: the alerts could not be written: %s", self._path, error)

    def read(self) -> tuple[list[Alert], list[AlertEvent]]:
        """Return what the file says fires, and its events, the latest last; both empty without a file."""
        with self._lock:
            try:
                found = self._path.stat()
                stat = found.st_mtime_ns, found.st_size
                if stat != self._stat:
                    self._stat = stat
                    with self._path.open("rb") as file:
                        body = json.loads(file.read(FILE))
                    events = [AlertEvent(_time(e["at"]), _alert(e), bool(e["silenced"])) for e in body["events"]]
                    self._read = [_alert(one) for one in body["firing"]], events
            except FileNotFoundError:
                self._read = [], []
            except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
                _log.warning("%s: the alerts could not be read: %s", self._path, error)
            return self._read


def _plain(alert: Alert) -> dict[str, Any]:
    return {
        "rule": alert.rule,
        "state": alert.state,
        "severity": alert.severity,
        "summary": alert.summary,
        "labels": alert.labels,
        "value": alert.value if math.isfinite(alert.value) else None,
        "since": alert.since.timestamp(),
        "fingerprint": alert.fingerprint,
    }


def _alert(found: dict[str, Any]) -> Alert:
    if found["state"] not in ("firing", "resolved") or found["severity"] not in SEVERITIES:
        raise ValueError("expected a state and a severity of alerts, got others")
    labels = tuple((str(name), str(value)) for name, value in found["labels"])
    texts = str(found["rule"]), found["state"], found["severity"], str(found["summary"])
    value = math.nan if found["value"] is None else float(found["value"])
    return Alert(*texts, labels, value, _time(found["since"]), str(found["fingerprint"]))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
