"""A thousand subscribers in one process: `fastcore.streaming.Client` for the Hub, ``websockets`` for the other."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from examples.market_desk.latency import summarise
from fastcore.streaming import Client, Message, topic_word

__all__ = ["Subscribers", "subscribe_all"]

AT_ONCE = 50  # handshakes


class Subscribers:
    """What the clients have received."""

    def __init__(self, count: int, subscriptions: int) -> None:
        self.count, self.subscriptions = count, subscriptions
        self.ages: list[float] = []
        self.lost = 0

    def note(self, at: float) -> None:
        """Note a price that was due at `at`."""
        self.ages.append(time.time() - at)

    def reset(self) -> None:
        """Begin a measurement."""
        self.ages.clear()

    def summary(self, seconds: float) -> dict[str, Any]:
        """Return ages on arrival, and how many prices came of those that were due."""
        due = self.subscriptions * seconds
        return {
            "ages": summarise(self.ages)._asdict(),
            "gap": seconds * self.subscriptions / max(1, len(self.ages)),
            "readings": len(self.ages),
            "share": len(self.ages) / due,
            "lost": self.lost,
            "failed": self.lost / self.count,
        }


@asynccontextmanager
async def subscribe_all(arm: str, port: int, wanted: Sequence[tuple[str, ...]]) -> AsyncIterator[Subscribers]:
    """Connect a client for each tuple of symbols."""
    found = Subscribers(len(wanted), sum(map(len, wanted)))
    turn = asyncio.Semaphore(AT_ONCE)
    url = f"ws://127.0.0.1:{port}/stream"
    async with AsyncExitStack() as stack:

        async def hub_client(symbols: tuple[str, ...]) -> None:
            def note(message: Message) -> None:
                found.note(message.data["at"])

            topics = [f"prices.{topic_word(symbol)}" for symbol in symbols]
            async with turn:
                await stack.enter_async_context(Client(url, topics, on_message=note))

        async def plain_client(symbols: tuple[str, ...]) -> None:
            topics = ",".join(f"prices.{symbol}" for symbol in symbols)
            async with turn:
                stream = await stack.enter_async_context(
                    connect(f"{url}?topics={topics}", compression=None, ping_interval=None)
                )
            reading = asyncio.create_task(read(stream))
            stack.callback(reading.cancel)

        async def read(stream: Any) -> None:
            with suppress(asyncio.CancelledError):
                try:
                    async for text in stream:
                        for quote in json.loads(text):
                            found.note(quote["at"])
                except ConnectionClosed:
                    found.lost += 1

        await asyncio.gather(*map(plain_client if arm == "tuned" else hub_client, wanted))
        yield found
