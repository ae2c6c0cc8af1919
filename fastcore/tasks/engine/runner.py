"""Runner: an engine's life, on the caller's event loop or on a thread with one of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from fastcore.tasks.engine.engine import Engine
from fastcore.tasks.errors import QueueClosed
from fastcore.tasks.ports import Reopens
from fastcore.tasks.schedules import Schedules

__all__ = ["Runner"]

T = TypeVar("T")

_log = logging.getLogger("fastcore.tasks")


class Runner:
    """Starts and stops an engine; a stopped one starts again if its store can be reopened."""

    def __init__(self, engine: Engine, schedules: Schedules) -> None:
        self._engine = engine
        self._schedules = schedules
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begun = False
        self._ended = False
        self._lock = threading.Lock()
        self._clockwork: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None
        self._end: asyncio.Event | None = None
        self._drain = 0.0

    async def astart(self) -> None:
        """Start on this loop."""
        with self._lock:
            if self._begun:
                raise QueueClosed("start: expected a queue that does not run, got one that does")
            if self._ended and not isinstance(self._engine.store, Reopens):
                raise QueueClosed("start: expected a store that can be reopened, got one without reopen()")
            self._begun = True
        try:
            if isinstance(self._engine.store, Reopens) and self._ended:
                self._engine.store.reopen()
            await self._engine.start()
        except BaseException:
            self._begun = False  # the store could not be opened: once it can, the queue can start
            raise
        self._loop = asyncio.get_running_loop()
        self._clockwork = self._loop.create_task(self._schedules.run(), name="fastcore-schedules")

    async def astop(self, drain: float) -> None:
        """Stop what `astart` began; nothing if it did not."""
        if self._loop is None:
            return
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("stop: expected the event loop that the queue was started on, got another")
        if self._clockwork is not None:
            self._clockwork.cancel()
            await asyncio.gather(self._clockwork, return_exceptions=True)
        await self._engine.stop(drain)
        self._loop = None

    def end(self) -> None:
        """Note that the store of a stopped engine was closed: from now on it can start again."""
        with self._lock:
            if self._begun and self._loop is None:
                self._begun, self._ended = False, True

    def start(self) -> None:
        """Start on a thread; returns when it takes work."""
        started: Future[None] = Future()
        thread = threading.Thread(target=self._run, args=(started,), name="fastcore-tasks", daemon=True)
        thread.start()
        started.result()
        self._thread = thread

    def stop(self, drain: float) -> None:
        """Stop what `start` began, and wait for its end."""
        thread, self._thread = self._thread, None
        if thread is None or not thread.is_alive():
            return
        if thread is threading.current_thread():
            raise RuntimeError("stop: expected another thread than the queue's own")
        self._drain = drain
        if self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)
        thread.join()

    def refresh(self) -> None:
        """Have the engine start executors that have come since; from any thread."""
        if self._loop is not None:
            try:
                asyncio.run_coroutine_threadsafe(self._engine.refresh(), self._loop)
            except RuntimeError:  # the loop was closed
                pass

    async def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the engine on its loop, wherever this is called."""
        if self._loop is None or asyncio.get_running_loop() is self._loop:
            return await coroutine
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def _run(self, started: Future[None]) -> None:
        with asyncio.Runner() as runner:
            life = runner.get_loop().create_task(self._live(started))
            while True:
                try:
                    runner.get_loop().run_until_complete(life)
                except (KeyboardInterrupt, SystemExit):  # out of a task that a job began: it ends nothing but that
                    if life.done():
                        raise
                    _log.exception("a task on the queue's event loop raised")
                else:
                    return

    async def _live(self, started: Future[None]) -> None:
        try:
            await self.astart()
        except BaseException as error:
            started.set_exception(error)
            return
        end = self._end = asyncio.Event()
        started.set_result(None)
        await end.wait()
        await self.astop(self._drain)
