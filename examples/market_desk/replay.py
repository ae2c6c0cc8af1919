"""Real bars replayed as ticks: at every tick each symbol closes its next trading day."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from examples.market_desk.connection_manager import Message
from examples.market_desk.event_loop import sleep_until
from examples.market_desk.latency import Latency, summarise
from examples.market_desk.price_monitor_service import Indicators
from examples.market_desk.prices import FIELDS, Market

__all__ = ["Replay", "topic_of"]


def topic_of(symbol: str) -> str:
    """Return the topic on which the prices of `symbol` are published."""
    return f"prices.{symbol}"


class Replay:
    """Publishes a message per symbol and tick, on a fixed schedule, round and round over the days ``first:``.

    The schedule does not wait for slow work: a tick that starts late carries the time at which it was due, so that
    waiting counts as latency.

    Parameters
    ----------
    market : Market
    on_tick : async callable
        Gives the indicators after a day.
    broadcast : async callable
        Sends (topic, message) pairs.
    rate : float
        Ticks a second.
    first : int
        The first day to replay.
    afterwards : async callable, optional
        Given the same pairs after they were sent; not part of what is timed.
    """

    def __init__(
        self,
        market: Market,
        on_tick: Callable[[int], Awaitable[Indicators]],
        broadcast: Callable[[Sequence[tuple[str, Message]]], Awaitable[None]],
        rate: float,
        first: int,
        afterwards: Callable[[Sequence[tuple[str, Message]]], Awaitable[None]] | None = None,
    ) -> None:
        self._market = market
        self._on_tick = on_tick
        self._broadcast = broadcast
        self._afterwards = afterwards
        self.rate = rate
        self._period = round(1e9 / rate)
        self._first = first
        self._days = len(market.dates) - first
        self.ticks = 0
        self._indicators: deque[tuple[int, float]] = deque(maxlen=100_000)
        self._fan_outs: deque[tuple[int, float]] = deque(maxlen=100_000)

    async def run(self) -> None:
        """Replay until cancelled."""
        start = time.perf_counter_ns()
        while True:
            due = start + self.ticks * self._period
            await sleep_until(due)
            await self._tick(due)
            await asyncio.sleep(0)  # a replay behind its schedule still lets requests in

    async def _tick(self, due: int) -> None:
        day = self._first + self.ticks % self._days
        began = time.perf_counter()
        indicators = await self._on_tick(day)
        computed = time.perf_counter()
        messages = [self._message(row, day, due, indicators) for row in range(len(self._market.symbols))]
        await self._broadcast(messages)
        self._indicators.append((self.ticks, computed - began))
        self._fan_outs.append((self.ticks, time.perf_counter() - computed))
        self.ticks += 1
        if self._afterwards is not None:
            await self._afterwards(messages)

    def _message(self, row: int, day: int, due: int, indicators: Indicators) -> tuple[str, Message]:
        symbol = self._market.symbols[row]
        topic = topic_of(symbol)
        message: Message = {"topic": topic, "seq": self.ticks, "due": due, "date": self._market.dates[day]}
        message |= {field: float(self._market.panel[field][row, day]) for field in FIELDS}
        message["indicators"] = indicators[symbol]
        return topic, message

    def indicator_time(self, after: int = 0) -> Latency:
        """Return how long the indicators of one tick took, over the ticks from number `after` on."""
        return summarise(took for tick, took in self._indicators if tick >= after)

    def fan_out_time(self, after: int = 0) -> Latency:
        """Return how long it took to make the messages of one tick and hand them to every connection."""
        return summarise(took for tick, took in self._fan_outs if tick >= after)
