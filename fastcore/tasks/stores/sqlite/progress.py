"""The progress of running tasks: known at once in the process that runs them, written to the file periodically."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from fastcore.tasks.records import Progress, State, TaskView
from fastcore.tasks.stores.sqlite.rows import VERSION_STEP

__all__ = ["LatestProgress"]


class _Known(NamedTuple):
    latest: Progress
    reports: int
    written: bool


class LatestProgress:
    """The last report of each attempt that runs here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}

    def report(self, updates: Sequence[Progress], token_of: Callable[[str], int | None]) -> None:
        """Take in reports; those of another attempt than the one that runs here are late, and change nothing."""
        with self._lock:
            for update in updates:
                if token_of(update.id) != update.token:
                    continue
                known = self._known.get(update.id)
                reports = known.reports + 1 if known is not None and known.latest.token == update.token else 1
                self._known[update.id] = _Known(update, reports, False)

    def silent(self) -> bool:
        """Whether no attempt has reported progress."""
        return not self._known

    def peek(self, id: str, token: int) -> Progress | None:
        """Return the progress of an attempt, if it has reported any."""
        known = self._known.get(id)
        return None if known is None or known.latest.token != token else known.latest

    def forget(self, id: str) -> None:
        """Forget an attempt that has ended or was lost."""
        if self._known:
            with self._lock:
                self._known.pop(id, None)

    def late(self) -> list[tuple[Progress, int]]:
        """Return what is to be written, with the number of reports; it counts as written then."""
        with self._lock:
            late = [known for known in self._known.values() if not known.written]
            for known in late:
                self._known[known.latest.id] = known._replace(written=True)
        return [(known.latest, known.reports) for known in late]

    def shown(self, view: TaskView, token: int) -> TaskView:
        """Return a view that was read, brought up to date."""
        known = self._known.get(view.id)
        if known is None or known.latest.token != token or view.state is not State.RUNNING:
            return view
        version = view.version - view.version % VERSION_STEP + known.reports
        return replace(view, progress=known.latest.fraction, note=known.latest.note, version=version)
