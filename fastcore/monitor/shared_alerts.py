"""Alerts of the process that evaluates for all workers of a host, in a file that the others read."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastcore.monitor.alerts import Alert, AlertEvent
from fastcore.monitor.host_file import HostFile
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
        Written by the process that evaluates, and read by the others.
    """

    def __init__(self, path: Path) -> None:
        self._file = HostFile(path, FILE)
        self.begin()
        self._written: bytes | None = None
        self._read: tuple[list[Alert], list[AlertEvent]] = [], []

    def begin(self) -> None:
        """Make the lock; again after a fork, as another thread of the parent may have held it."""
        self._lock = threading.Lock()

    def write(self, firing: Iterable[Alert], events: Iterable[AlertEvent]) -> None:
        """Write the firing alerts and the events, the latest last, unless the file already holds them."""
        records = [
            {"at": event.at.isoformat(), "silenced": event.silenced, **_plain(event.alert)}
            for event in list(events)[-EVENTS:]
        ]
        data = json.dumps({"firing": [_plain(alert) for alert in firing], "events": records}).encode()
        with self._lock:
            if data == self._written:
                return
            try:
                self._file.make_folder()
                self._file.replace(data)
                self._written = data
            except OSError as error:
                _log.warning("%s: the alerts could not be written: %s", self._file.path, error)

    def firing(self) -> list[Alert]:
        """Return the firing alerts; none without a file."""
        return list(self._current()[0])

    def with_events(self, events: Iterable[AlertEvent]) -> list[AlertEvent]:
        """Return the events of the file and those of this process, the latest last."""
        return sorted([*self._current()[1], *events], key=lambda event: event.at)

    def _current(self) -> tuple[list[Alert], list[AlertEvent]]:
        with self._lock:
            try:
                if (data := self._file.changed()) is not None:
                    body = json.loads(data)
                    events = [AlertEvent(_time(e["at"]), _alert(e), bool(e["silenced"])) for e in body["events"]]
                    self._read = [_alert(one) for one in body["firing"]], events
            except FileNotFoundError:
                self._read = [], []
            except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
                _log.warning("%s: the alerts could not be read: %s", self._file.path, error)
            return self._read


def _plain(alert: Alert) -> dict[str, Any]:
    return {**alert.to_dict(), "details": None}  # no page shows them, and JSON may not hold them


def _alert(found: dict[str, Any]) -> Alert:
    if found["state"] not in ("firing", "resolved") or found["severity"] not in SEVERITIES:
        raise ValueError("expected a state and a severity of alerts, got others")
    labels = tuple((str(name), str(value)) for name, value in found["labels"].items())
    texts = str(found["rule"]), found["state"], found["severity"], str(found["summary"])
    value = math.nan if found["value"] is None else float(found["value"])
    return Alert(*texts, labels, value, _time(found["since"]), str(found["fingerprint"]))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
