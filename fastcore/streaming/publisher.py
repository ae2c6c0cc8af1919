"""Publisher: publishing from a program without an event loop, such as a cron job, a worker or a crawler."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from fastcore.concurrency.checks import number
from fastcore.streaming.backplanes.backplane import Backplane, BackplaneFull, Key, Published
from fastcore.streaming.checks import check_key, one_default, packed
from python_fallback.shared.framing.topics import check_topic

__all__ = ["Publisher"]


class _Sink:
    """Ignores what a backplane delivers, except that a message has got its number."""

    def __init__(self) -> None:
        self.delivered = asyncio.Event()

    def renew(self, epoch: str, floor: int, newest: Sequence[Published]) -> None:
        self.delivered.set()

    def deliver(self, message: Published) -> None:
        self.delivered.set()


class Publisher:
    """Publishes over a backplane to the clients of every hub on it, from any thread; calls block.

    It connects with its first message. A separate thread runs the backplane. Close it, or use it with ``with``.

    Parameters
    ----------
    backplane : Backplane
        A separate object, with the same name or path as that of the hubs.
    timeout : float, default 10
        Seconds that a call may take until its messages have their numbers.
    topic_length : int, default 255
        Characters of a topic, as in the hubs' :class:`Limits`.
    default, enc_hook : callable, optional
        As for a :class:`Hub`.

    Examples
    --------
    ::

        with Publisher(UnixBus("desk")) as publisher:
            publisher.publish("prices.AAPL", {"price": 187.2}, key="AAPL")

    Examples
    --------
    >>> from fastcore.streaming import Publisher, UnixBus
    >>> publisher = Publisher(UnixBus("desk"))       # publisher.publish("prices.AAPL", 187.25, key="AAPL") connects
    >>> publisher.close()
    """

    def __init__(
        self,
        backplane: Backplane,
        *,
        timeout: float = 10.0,
        topic_length: int = 255,
        default: Callable[[Any], Any] | None = None,
        enc_hook: Callable[[Any], Any] | None = None,
    ) -> None:
        self._backplane = backplane
        self._timeout = number("timeout", timeout)
        self._topic_length = topic_length
        self._default = one_default(default, enc_hook)
        self._lock = threading.Lock()  # of the next three
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._starting = asyncio.Lock()
        self._sink: _Sink | None = None

    def publish(self, topic: str, obj: Any = None, key: Key = None) -> None:
        """Publish one object; returns when it has its number, and so will reach the hubs.

        Raises
        ------
        ValueError, TypeError
            If the topic, the key or the object is invalid.
        TimeoutError
            If the backplane could not be reached, or gave no number, in time. A message that was handed over may still
            get one.
        BackplaneFull
            If more is waiting than the backplane's limit allows.
        """
        self.publish_all([(topic, obj, key)])

    def publish_all(self, messages: Iterable[tuple[str, Any, Key]]) -> None:
        """Publish ``(topic, object, key)`` one after the other; returns when all have their numbers."""
        ready = []
        for topic, obj, key in messages:
            name = check_topic(topic, self._topic_length)
            check_key(key)
            ready.append((name, packed(obj, self._default), key))
        deadline = time.monotonic() + self._timeout
        self._run(lambda: self._hand_over(ready, deadline))

    def close(self) -> None:
        """Disconnect from the backplane and end the thread; nothing can be published afterwards."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None and thread.is_alive():  # a fork does not copy it
            asyncio.run_coroutine_threadsafe(self._leave(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # -- in the thread of the caller --------------------------------------------------------------------------------

    def _run(self, make: Callable[[], Any]) -> Any:
        with self._lock:
            if self._closed:
                raise RuntimeError("publish: expected a publisher that is open, got one that was closed")
            if self._thread is not None and not self._thread.is_alive():  # a fork did not copy it
                raise RuntimeError("publish: expected a publisher made in this process, got one of its parent")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="fastcore-publisher", daemon=True)
                self._thread.start()
            loop = self._loop
        return asyncio.run_coroutine_threadsafe(make(), loop).result()

    # -- in the loop ------------------------------------------------------------------------------------------------

    async def _hand_over(self, packed: list[tuple[str, bytes, Key]], deadline: float) -> None:
        backplane = self._backplane
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                sink = await self._started()
                for message in packed:
                    while True:
                        try:
                            backplane.publish(*message)
                            break
                        except BackplaneFull:
                            if not backplane.state().connected:
                                raise
                            await self._delivered(sink)
                while backplane.state().waiting:
                    await self._delivered(sink)
        except TimeoutError as error:
            if error.args:
                raise
            raise TimeoutError(
                f"publish: expected numbers from the backplane in {self._timeout:g} s, got none"
            ) from None

    async def _started(self) -> _Sink:
        async with self._starting:
            if self._sink is None:
                sink = _Sink()
                await self._backplane.start(sink)
                self._sink = sink
            return self._sink

    async def _delivered(self, sink: _Sink) -> None:
        """Wait until something was delivered; not for long, for the count may change a moment after that."""
        sink.delivered.clear()
        try:
            async with asyncio.timeout(0.02):
                await sink.delivered.wait()
        except TimeoutError:
            pass

    async def _leave(self) -> None:
        if self._sink is not None:
            await self._backplane.aclose()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=1.0)
