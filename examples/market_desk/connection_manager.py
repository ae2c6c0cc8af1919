"""The existing fan-out: who subscribed to what, and one Starlette send for every client and message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgpack
from fastapi import WebSocket, WebSocketDisconnect

__all__ = ["ConnectionManager", "Message"]

Message = dict[str, Any]


class ConnectionManager:
    """The WebSocket clients and their topics.

    Attributes
    ----------
    subscriptions : dict of WebSocket to frozenset of str
        The topics of every client.
    sent : int
        Messages handed to a connection so far.
    newest : int
        The number of the last tick that was sent.
    """

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics: dict[str, dict[WebSocket, None]] = {topic: {} for topic in topics}
        self.subscriptions: dict[WebSocket, frozenset[str]] = {}
        self.sent = 0
        self.newest = -1

    def resolve(self, wanted: str) -> frozenset[str]:
        """Return the topics that ``prices.AAPL,prices.*`` names.

        Raises
        ------
        ValueError
            If a word names no topic.
        """
        found: set[str] = set()
        for word in filter(None, wanted.split(",")):
            stem = word.removesuffix("*")
            named = {topic for topic in self._topics if topic == word or (stem != word and topic.startswith(stem))}
            if not named:
                raise ValueError(f"topics: expected one of {', '.join(self._topics)}, got {word!r}")
            found |= named
        return frozenset(found)

    def subscribe(self, client: WebSocket, topics: frozenset[str]) -> None:
        """Add `client`, who receives the messages of `topics`."""
        self.subscriptions[client] = topics
        for topic in topics:
            self._topics[topic][client] = None

    def unsubscribe(self, client: WebSocket) -> None:
        """Forget `client`; one already forgotten is no error."""
        for topic in self.subscriptions.pop(client, frozenset()):
            del self._topics[topic][client]

    async def broadcast(self, messages: Sequence[tuple[str, Message]]) -> None:
        """Send every message to every subscriber of its topic, one after the other."""
        for topic, message in messages:
            self.newest = message["seq"]
            for client in list(self._topics[topic]):
                try:
                    await client.send_bytes(msgpack.packb(message))
                    self.sent += 1
                except (WebSocketDisconnect, RuntimeError):
                    self.unsubscribe(client)
