"""Functions of this process that are called with each message that a hub publishes."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from fastcore.framing import unpackb
from python_fallback.shared.framing.topics import matches

__all__ = ["Listener", "Listeners"]

Listener: TypeAlias = Callable[[str, Any], object]  # topic and object

_log = logging.getLogger("fastcore.streaming")


class Listeners:
    """Listeners by pattern, called with one message after the other, from whatever thread or process."""

    def __init__(self) -> None:
        self._all: dict[object, tuple[str, Listener]] = {}  # replaced, never changed
        self._by_topic: dict[str, list[Listener]] = {}
        self._untold: deque[tuple[str, bytes]] = deque()
        self._telling = threading.Lock()
        self._changing = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, pattern: str, fn: Listener) -> Callable[[], None]:
        """Add a listener; returns a function that removes it."""
        if not callable(fn):
            raise TypeError(f"fn: expected a function of topic and object, got {type(fn).__name__}")
        mark = object()
        with self._changing:
            self._all = {**self._all, mark: (pattern, fn)}
            self._by_topic = {}

        def stop() -> None:
            with self._changing:
                self._all = {other: one for other, one in self._all.items() if other is not mark}
                self._by_topic = {}

        return stop

    def put(self, topic: str, body: bytes) -> None:
        """Queue a message for :meth:`tell`; no listener is called here."""
        if self._of(topic):
            self._untold.append((topic, body))

    def tell(self) -> None:
        """Call the listeners with the queued messages; what listeners publish is queued behind these.

        While one thread does it, messages of others are left to that one.
        """
        while self._untold and self._telling.acquire(blocking=False):
            try:
                while self._untold:
                    topic, body = self._untold.popleft()
                    for fn in self._of(topic):
                        try:
                            fn(topic, unpackb(body, strict_map_key=False))
                        except Exception:
                            _log.exception("a listener to %s raised", topic)
            finally:
                self._telling.release()

    def _of(self, topic: str) -> list[Listener]:
        by_topic = self._by_topic  # of this moment's listeners, or soon thrown away
        found = by_topic.get(topic)
        if found is None:
            found = by_topic[topic] = [fn for pattern, fn in self._all.values() if matches(pattern, topic)]
        return found
