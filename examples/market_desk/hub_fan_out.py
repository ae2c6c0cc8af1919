"""The optimised fan-out: publishes the prices to the clients of a `fastcore.streaming.Hub`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from examples.market_desk.connection_manager import Message
from fastcore.streaming import Hub

__all__ = ["HubFanOut"]

SLOW = 3008


class HubFanOut:
    """Publishes the messages of a tick.

    Parameters
    ----------
    hub : Hub

    Attributes
    ----------
    newest : int
        The number of the last tick that was sent.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.newest = -1

    @property
    def sent(self) -> int:
        """Messages handed to a connection so far."""
        return self._hub.stats().delivered

    @property
    def closed_slow(self) -> int:
        """Clients disconnected for not reading."""
        return self._hub.stats().closed.get(SLOW, 0)

    async def broadcast(self, messages: Sequence[tuple[str, Message]]) -> None:
        """Publish every message, and let the hub write: one write for each client."""
        for topic, message in messages:
            self._hub.publish(topic, message, key=topic)
            self.newest = message["seq"]
        await asyncio.sleep(0)  # the hub writes in this turn of the loop
