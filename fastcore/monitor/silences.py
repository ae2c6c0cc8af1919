"""Silences: alerts that are kept from the channels for a while, on all workers of a host."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from fastcore._filelock import locked
from fastcore._snapshot import Labels
from fastcore._text import storable
from fastcore.monitor.host_file import HostFile

__all__ = ["Silence", "Silences"]

MOST = 200  # at once
LONGEST = 30 * 86400.0  # seconds: a silence without end would be forgotten, and hide alerts that it was not meant for
TEXT = 500
FILE = 1 << 20  # bytes that are read

_log = logging.getLogger("fastcore.monitor")


class Silence(NamedTuple):
    """A rule, or some of its alerts, kept from the channels: until when, and why."""

    id: str
    rule: str
    labels: Labels
    """Alerts that have all of these."""
    since: float
    """Seconds since the epoch."""
    until: float
    reason: str
    who: str


class Silences:
    """The silences in force. Safe to use from several threads.

    Parameters
    ----------
    path : Path, optional
        A file that the workers of a host share; without one they hold in this process.
    wall : callable
        Returns the time.
    """

    def __init__(self, path: Path | None, wall: Callable[[], datetime]) -> None:
        self._file, self._wall = None if path is None else HostFile(path, FILE), wall
        self.begin()
        self._all: dict[str, Silence] = {}

    def begin(self) -> None:
        """Make the lock; again after a fork, as another thread of the parent may have held it."""
        self._lock = threading.Lock()

    def add(self, rule: str, seconds: float, labels: Mapping[str, str], reason: str, who: str) -> Silence:
        """Silence the alerts of a rule that have some labels."""
        if not 0 < seconds <= LONGEST:
            raise ValueError(f"duration: expected seconds above 0 and at most {LONGEST:g} (30 days), got {seconds:g}")
        for name, text in (("reason", reason), ("who", who), *labels.items()):
            if not isinstance(text, str) or len(text) > TEXT:
                raise ValueError(f"{name}: expected a str of at most {TEXT} characters, got {_short(text)}")
        now = self._wall()
        pairs = tuple(sorted((storable(name), storable(value)) for name, value in labels.items()))
        until = (now + timedelta(seconds=seconds)).timestamp()
        made = Silence(
            secrets.token_hex(6), storable(rule), pairs, now.timestamp(), until, storable(reason), storable(who)
        )

        def change(held: dict[str, Silence]) -> None:
            if len(held) >= MOST:
                raise ValueError(f"silences: expected at most {MOST} at once, got one more")
            held[made.id] = made

        self._change(change)
        return made

    def end(self, id: str) -> bool:
        """End a silence; returns whether there was one."""
        ended: list[Silence | None] = []
        self._change(lambda held: ended.append(held.pop(id, None)))
        return ended[0] is not None

    def all(self) -> list[Silence]:
        """Return the silences in force, the one that ends first before the others."""
        with self._lock:
            return sorted(self._current().values(), key=lambda one: one.until)

    def of(self, rule: str, labels: Labels) -> Silence | None:
        """Return a silence of an alert, the one that lasts longest; None without one."""
        with self._lock:
            held = self._current()
            if not held:
                return None
            has = set(labels)
            found = [one for one in held.values() if one.rule == rule and has.issuperset(one.labels)]
        return max(found, key=lambda one: one.until, default=None)

    def _change(self, change: Callable[[dict[str, Silence]], object]) -> None:
        with self._lock:
            if self._file is None:
                change(self._current())
                return
            self._file.make_folder()
            with locked(f"{self._file.path}.lock"):
                held = self._current()
                change(held)
                self._file.replace(json.dumps([one._asdict() for one in held.values()]).encode())

    def _current(self) -> dict[str, Silence]:
        self._take_in()
        now = self._wall().astimezone(UTC).timestamp()
        for id in [one.id for one in self._all.values() if one.until <= now]:
            del self._all[id]
        return self._all

    def _take_in(self) -> None:
        """Read the file if another process has written it."""
        if self._file is None:
            return
        try:
            if (data := self._file.changed()) is not None:
                self._all = {one.id: one for one in map(_silence, json.loads(data))}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            _log.warning("%s: the silences could not be read: %s", self._file.path, error)


def _silence(found: Any) -> Silence:
    labels = tuple((str(name), str(value)) for name, value in found["labels"])
    texts = (str(found["id"]), str(found["rule"]), labels, float(found["since"]), float(found["until"]))
    return Silence(*texts, str(found["reason"]), str(found["who"]))


def _short(value: object) -> str:
    return f"{len(value)} characters" if isinstance(value, str) else type(value).__name__
