"""Hooks: functions that are called at events of tasks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

from fastcore.concurrency.cancellation import ends_program
from fastcore.concurrency.checks import called, one_of

__all__ = ["Event", "Hooks", "TaskEvent"]

Event = Literal["submit", "start", "success", "retry", "failure", "dead", "cancel"]
Hook = Callable[["TaskEvent"], object]
Watch = Callable[[str, str, float | None], object]

_EVENTS: tuple[str, ...] = get_args(Event)
_log = logging.getLogger("fastcore.tasks")


class TaskEvent(NamedTuple):
    """The argument of a hook.

    Examples
    --------
    >>> from fastcore.tasks import TaskQueue
    >>> queue = TaskQueue(inline=True)
    >>> @queue.on("success")
    ... def note(event):
    ...     print(event.event, event.task, event.result)
    >>> @queue.task(name="answer")
    ... def answer():
    ...     return 42
    >>> id = queue.submit(answer)
    success answer 42
    """

    event: str
    id: str
    task: str
    attempt: int
    """0 before the first."""
    at: float
    """Seconds since the epoch."""
    result: Any = None
    """Of a success."""
    error: BaseException | None = None
    """Of a retry, of a failure, of a death; None where another process saw it."""
    delay: float | None = None
    """Of a retry: seconds until then."""
    seconds: float | None = None
    """How long the attempt took, if it has ended."""


class Hooks:
    """The hooks of a queue. An error of a hook is logged and has no other effect."""

    def __init__(self) -> None:
        self._hooks: dict[str, list[Hook]] = {}
        self._watches: list[Watch] = []
        self._leaving: list[tuple[Callable[[], object], Callable[[], object]]] = []

    def add(self, event: str, hook: Hook) -> Callable[[], None]:
        """Call `hook` with every :class:`TaskEvent` of this name; return a function that removes it."""
        one_of("event", event, _EVENTS)
        called("hook", hook, plain=True)
        self._hooks[event] = [*self._hooks.get(event, []), hook]

        def stop() -> None:
            left = [known for known in self._hooks.get(event, []) if known is not hook]
            if left:
                self._hooks[event] = left
            else:
                self._hooks.pop(event, None)

        return stop

    def watch(self, watch: Watch) -> Callable[[], None]:
        """Call ``watch(id, task, seconds)`` whenever a task changes; `seconds` is its time when it succeeds.

        It is called on the engine's thread, or on that of a submission or cancellation, and must not block.
        """
        self._watches = [*self._watches, watch]

        def stop() -> None:
            self._watches = [known for known in self._watches if known is not watch]

        return stop

    def when_leaving(self, let_go: Callable[[], object], admit: Callable[[], object]) -> None:
        """Call `let_go` when the process is about to end, while its server still answers; `admit` at the next start."""
        self._leaving = [*self._leaving, (let_go, admit)]

    def arrive(self) -> None:
        """Admit waiters again, as the queue starts."""
        for _, admit in self._leaving:
            admit()

    def leave(self) -> None:
        """Release all waiters of this process; tasks continue."""
        for let_go, _ in self._leaving:
            try:
                let_go()
            except Exception:
                _log.exception("waiters could not be released")

    def wants(self, event: str) -> bool:
        """Whether there is a hook or a watch."""
        return event in self._hooks

    @property
    def any(self) -> bool:
        """Whether there is any hook."""
        return bool(self._hooks)

    @property
    def watched(self) -> bool:
        """Whether there is a watch."""
        return bool(self._watches)

    def tell(self, event: TaskEvent) -> None:
        """Call the hooks of an event."""
        for hook in self._hooks.get(event.event, ()):
            try:
                hook(event)
            except BaseException as error:
                if ends_program(error):
                    raise
                _log.exception("a hook on %s raised", event.event)

    def changed(self, id: str, task: str, seconds: float | None = None) -> None:
        """Call the watches."""
        for watch in self._watches:
            try:
                watch(id, task, seconds)
            except BaseException as error:
                if ends_program(error):
                    raise
                _log.exception("a watch on tasks raised")
