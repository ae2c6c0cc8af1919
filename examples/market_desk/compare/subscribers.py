"""A thousand subscribers in a process of their own: `fastcore.streaming.Client`, or ``websockets`` for tuned."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from examples.market_desk.compare.load import SYMBOLS, tell, zipf
from examples.market_desk.data.universe import Universe
from examples.market_desk.event_loop import run
from examples.market_desk.fast.stream import AT
from examples.market_desk.latency import summarise
from examples.market_desk.open_files import raise_limit
from examples.market_desk.parent import end_with_parent
from fastcore.streaming import Client, Message, topic_word

__all__ = ["Subscribers", "main", "subscribe_all", "summary"]

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

    def take(self) -> list[float]:
        """Return the ages on arrival since the last call."""
        ages, self.ages = self.ages, []
        return ages


@asynccontextmanager
async def subscribe_all(arm: str, port: int, wanted: Sequence[tuple[str, ...]]) -> AsyncIterator[Subscribers]:
    """Connect a client for each tuple of symbols."""
    found = Subscribers(len(wanted), sum(map(len, wanted)))
    turn = asyncio.Semaphore(AT_ONCE)
    url = f"ws://127.0.0.1:{port}/stream"
    async with AsyncExitStack() as stack:

        async def hub_client(symbols: tuple[str, ...]) -> None:
            def note(message: Message) -> None:
                found.note(message.data[AT])

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


def summary(heard: Sequence[dict[str, Any]], window: Sequence[float]) -> dict[str, Any]:
    """Return ages on arrival and the time between two prices of a subscription, over a window of seconds since 1970."""
    inside = [event for event in heard if window[0] < event["at"] <= window[1]]
    ages = [age for event in inside for age in event["ages"]]
    subscriptions = heard[-1]["subscriptions"] if heard else 0
    seconds = sum(event["seconds"] for event in inside)
    return {
        "ages": summarise(ages)._asdict(),
        "gap": seconds * subscriptions / max(1, len(ages)),
        "readings": len(ages),
        "lost": heard[-1]["lost"] if heard else 0,
    }


async def follow(arm: str, port: int, clients: int) -> None:
    """Connect, and tell each second what came."""
    rng = random.Random(3)
    names = zipf(Universe.load().symbols, rng)
    wanted = [tuple(dict.fromkeys(next(names) for _ in range(SYMBOLS))) for _ in range(clients)]
    async with subscribe_all(arm, port, wanted) as found:
        tell("connected", clients=clients)
        began = time.time()
        while True:
            await asyncio.sleep(1.0)
            now = time.time()
            ages = [round(age, 4) for age in found.take()]
            tell("heard", at=now, seconds=now - began, ages=ages, lost=found.lost, subscriptions=found.subscriptions)
            began = now


def main(arm: str, port: int, clients: int) -> int:
    """Follow until standard input ends; 0, or 1 where the clients could not connect."""
    raise_limit()
    end_with_parent(lambda: os._exit(0))
    try:
        run(follow(arm, port, clients))
    except Exception as error:
        print(f"subscribers: {error!r}", file=sys.stderr, flush=True)
        return 1
    return 0
