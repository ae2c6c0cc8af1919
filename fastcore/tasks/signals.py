"""Signals: SIGTERM and Ctrl-C leave ``async with queue:`` in good order, so running tasks are drained."""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Signals"]


class Signals:
    """The signals of a program whose main thread runs the queue, where nothing but Python itself handles them.

    The first SIGTERM or SIGINT cancels the task that entered the queue's context; one that comes while the queue stops
    cuts the drain. Handlers that a server or the program has set are left alone.

    Parameters
    ----------
    hurry : callable
        Ends the drain; called on the loop.
    """

    def __init__(self, hurry: Callable[[], object]) -> None:
        self._hurry = hurry
        self._received: int | None = None
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._before: dict[int, Any] = {}

    def begin(self) -> None:
        """Handle the signals for the task that calls this."""
        self._received, self._stopping = None, False
        if threading.current_thread() is not threading.main_thread():
            return
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if _is_pythons(before):
                signal.signal(number, self._on_signal)
                self._before[number] = before

    def stop(self) -> None:
        """From now on a signal cuts the drain."""
        self._stopping = True

    def end(self) -> None:
        """Give the signals back, and end the program as the first one would have ended it.

        Raises
        ------
        SystemExit, KeyboardInterrupt
            If SIGTERM or SIGINT has come.
        """
        for number, before in self._before.items():
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, before)
        self._before.clear()
        self._loop = self._task = None
        if self._received == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        if self._received == signal.SIGINT:
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: object) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._act, number)

    def _act(self, number: int) -> None:
        again = self._received is not None
        self._received = self._received or number
        if not self._stopping and not again and self._task is not None:
            self._task.cancel()
        if again or (self._stopping and number == signal.SIGINT):
            self._hurry()  # a queue that stops does already what a first SIGTERM asks for


def _is_pythons(handler: Any) -> bool:
    if isinstance(handler, functools.partial):  # asyncio.run's
        handler = getattr(handler.func, "__self__", None)
    return handler in (signal.SIG_DFL, signal.default_int_handler) or isinstance(handler, asyncio.Runner)
