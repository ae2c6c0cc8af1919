"""A bounded buffer of received messages."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from fastcore.streaming.client.events import Message

__all__ = ["Buffer"]


class Buffer:
    """Messages in order, for one reader on the event loop.

    With `conflate` a message replaces an older one of its topic and key, and the oldest is dropped if the bound is
    still reached; without, the writer waits for :meth:`room`.
    """

    def __init__(self, size: int, conflate: bool) -> None:
        self.conflated = 0
        self._size = size
        self._conflate = conflate
        self._held: OrderedDict[Any, Message] = OrderedDict()
        self._serial = 0
        self._came = asyncio.Event()
        self._taken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def full(self) -> bool:
        """Whether the writer should wait."""
        return not self._conflate and len(self._held) >= self._size

    def put(self, message: Message) -> None:
        """Add a message; one WebSocket message may hold many, which all find a place."""
        place: Any
        if self._conflate:
            place = (message.topic, message.key)
            if self._held.pop(place, None) is not None:
                self.conflated += 1
            elif len(self._held) >= self._size:
                self._held.popitem(last=False)
                self.conflated += 1
        else:
            self._serial += 1
            place = self._serial
        self._held[place] = message
        self._came.set()

    def take(self) -> Message | None:
        """Return the oldest message, or None if there is none."""
        if not self._held:
            return None
        message = self._held.popitem(last=False)[1]
        self._taken.set()
        return message

    async def room(self) -> None:
        """Wait until it is not full."""
        while self.full:
            self._taken.clear()
            await self._taken.wait()

    async def wait(self) -> None:
        """Wait for a message, or for :meth:`wake`."""
        self._came.clear()
        if not self._held:
            await self._came.wait()

    def wake(self) -> None:
        """Wake the waiting reader or writer to check again."""
        self._came.set()
        self._taken.set()
