"""Unregistered: tasks that wait under names which this process does not know, as those of an earlier release."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastcore import metrics
from fastcore.dispatch.formatting import meant, plain
from fastcore.tasks.ports import CountsReady, TaskStore, arrived
from fastcore.tasks.records import LIVE, State
from fastcore.tasks.task import Task

__all__ = ["Unregistered"]

_GAUGE = "fastcore_tasks_unregistered"
_LOOKS = 3  # at which nothing has changed for a name: other processes may know it
_NAMES = 20  # that a log entry lists

_log = logging.getLogger("fastcore.tasks")


class Unregistered:
    """Reports names of waiting tasks that no worker seems to know: in the log once each, and as a gauge.

    A name is reported if at several looks in a row tasks of it could begin, and none has begun or ended.

    Parameters
    ----------
    store : TaskStore
        Looked at if it is a :class:`~fastcore.tasks.ports.CountsReady`.
    tasks : mapping of name to Task
        Those of the queue.
    """

    def __init__(self, store: TaskStore, tasks: Mapping[str, Task[..., Any]]) -> None:
        self._store = store
        self._tasks = tasks
        self._looks: dict[str, int] = {}  # at which nothing has changed, by name
        self._ended: dict[str, dict[State, int]] = {}
        self._reported: set[str] = set()
        self._shown: set[str] = set()

    async def look(self) -> None:
        """Compare the waiting tasks with those of the last look."""
        if not isinstance(self._store, CountsReady):
            return
        ready = await arrived(self._store.ready())
        unknown = {name: n for name, n in ready.items() if name not in self._tasks}
        counts = await arrived(self._store.counts()) if unknown else {}
        for name in unknown:
            states = counts.get(name, {})
            ended = {state: n for state, n in states.items() if state not in LIVE}
            before = self._ended.get(name, ended)
            works = bool(states.get(State.RUNNING)) or any(n > before.get(state, 0) for state, n in ended.items())
            self._looks[name] = 0 if works else self._looks.get(name, 0) + 1
            self._ended[name] = ended
        for name in self._looks.keys() - unknown.keys():
            del self._looks[name], self._ended[name]
        self._show({name: n for name, n in unknown.items() if self._looks[name] >= _LOOKS})

    def clear(self) -> None:
        """Take back what the gauge shows, as the engine stops."""
        self._looks.clear()
        self._ended.clear()
        self._show({})

    def _show(self, stuck: Mapping[str, int]) -> None:
        for name in self._shown - stuck.keys():
            metrics.remove(_GAUGE, task=name)
        for name, n in stuck.items():
            metrics.gauge(_GAUGE, task=name).set(n)
            if name not in self._reported:
                self._reported.add(name)
                self._report(name, n)
        self._shown = set(stuck)

    def _report(self, name: str, n: int) -> None:
        known = sorted(self._tasks)
        names = ", ".join(map(plain, known[:_NAMES])) + (f" and {len(known) - _NAMES} more" if known[_NAMES:] else "")
        _log.warning(
            "%d tasks wait under the name %r, which no worker seems to know%s: they run once a worker starts that "
            "registers it, and queue.purge(%r) cancels them; this process knows %s",
            n,
            plain(name),
            meant(name, known),
            plain(name),
            names or "none",
        )
