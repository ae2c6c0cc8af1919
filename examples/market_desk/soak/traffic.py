"""The load of a soak: analyses, batches, tasks whose results are awaited, and subscribers of the stream."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from examples.market_desk.compare.load import zipf
from examples.market_desk.fast.stream import AT
from examples.market_desk.http_client import PREFER, Answer, HttpClient
from examples.market_desk.open_loop import open_loop
from fastcore.streaming import Client, Message

__all__ = ["Ledger", "Subscribers", "Traffic"]

READS, BATCHES, TASKS, REPORTS = 15.0, 1.0, 2.0, 0.1  # a second
TIMEOUT = 10.0  # seconds after which a request has failed
SYMBOLS = ("AAPL", "IBM", "MSFT", "GOOG", "FB", *(f"BS{n:03d}" for n in range(1, 60)))
AGAIN = 0.25  # seconds between two questions for a result
SETTLING = 90.0  # seconds after the end within which every task must have ended


@dataclass
class Ledger:
    """Tasks that a server has acknowledged, and their outcomes.

    Attributes
    ----------
    open : dict of str to float
        When those were acknowledged that have not ended yet, by their ids.
    unknown : list of str
        Those that no server knows any more.
    refused : int
        Orders that were not acknowledged.
    """

    open: dict[str, float] = field(default_factory=dict)
    acknowledged: int = 0
    succeeded: int = 0
    failed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    refused: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def lost(self) -> list[str]:
        """The ids of tasks that are unknown, or have not ended."""
        return [*self.unknown, *self.open]

    def order(self, answer: Answer) -> None:
        """Note the answer to an order: acknowledged with 202, refused with 503, or cached with 200."""
        if answer.status == 202:
            self.acknowledged += 1
            self.open[answer.json()["task_id"]] = time.perf_counter()
        elif answer.status == 503:  # the disk is full, or a server drains
            self.refused += 1
        elif answer.status != 200:
            raise ValueError(f"expected 202, got {answer.status} {answer.body[:80]!r}")

    def settle(self, id: str, status: int, body: Any) -> None:
        """Note how a task ended."""
        began = self.open.pop(id)
        if status in (200, 410):  # 410: its result has expired, since a clock was set forward
            self.succeeded += 1
            self.seconds.append(time.perf_counter() - began)
        elif status == 404:
            self.unknown.append(id)
        else:
            self.failed.append(f"{id}: {status} {str(body)[:120]}")


class Traffic:
    """Requests through the balancer; unexpected answers are recorded.

    Attributes
    ----------
    errors : list of (float, str)
        When a request failed, by `time.perf_counter`, and how.
    """

    def __init__(self, port: int) -> None:
        self.http = HttpClient(port)
        self.requests = 0
        self.errors: list[tuple[float, str]] = []
        self.ledger = Ledger()
        self._rng = random.Random(1)
        self._names = zipf(SYMBOLS, self._rng)

    async def run(self, stop: asyncio.Event) -> None:
        """Send requests until `stop`, then wait until every task has ended, up to a limit."""
        following = asyncio.create_task(self._follow())
        kinds = ((READS, self._read), (BATCHES, self._batch), (TASKS, self._task), (REPORTS, self._report))
        await asyncio.gather(*(open_loop(rate, partial(self._noted, send), stop) for rate, send in kinds))
        try:
            async with asyncio.timeout(SETTLING):
                while self.ledger.open:
                    await asyncio.sleep(AGAIN)
        except TimeoutError:
            pass  # tasks that are still open count as lost
        following.cancel()
        await asyncio.wait([following])
        self.http.close()

    async def _noted(self, send: Any, due: float) -> None:
        self.requests += 1
        try:
            async with asyncio.timeout(TIMEOUT):
                await send()
        except (OSError, EOFError, ValueError, LookupError, TypeError, TimeoutError) as error:
            self.errors.append((time.perf_counter(), f"{send.__name__[1:]}: {type(error).__name__}: {error}"))

    def _symbols(self, count: int) -> list[str]:
        return [next(self._names) for _ in range(count)]

    async def _read(self) -> None:
        (symbol,) = self._symbols(1)
        answer = await self.http.get(f"/technical-analysis/{symbol}")
        if answer.status != 200 or answer.json()["symbol"] != symbol:
            raise ValueError(f"expected the analysis of {symbol}, got {answer.status} {answer.body[:80]!r}")

    async def _batch(self) -> None:
        names = self._symbols(10)
        answer = await self.http.get(f"/technical-analysis?symbols={','.join(names)}")
        if answer.status != 200 or [one["symbol"] for one in answer.json()] != names:
            raise ValueError(f"expected the analyses of {names}, got {answer.status} {answer.body[:80]!r}")

    async def _task(self) -> None:
        (symbol,) = self._symbols(1)
        path = f"/technical-analysis/{symbol}?bars={self._rng.randint(50, 600)}"
        self.ledger.order(await self.http.get(path, PREFER))

    async def _report(self) -> None:
        self.ledger.order(await self.http.post("/generate-report", self._symbols(1), PREFER))

    async def _follow(self) -> None:
        """Look for the results of the tasks that have not ended."""
        while True:
            await asyncio.sleep(AGAIN)
            for id in list(self.ledger.open):
                try:
                    async with asyncio.timeout(TIMEOUT):
                        answer = await self.http.get(f"/api/tasks/task/{id}/result")
                except (OSError, EOFError, ValueError, TimeoutError):
                    continue
                if answer.status not in (202, 500, 503):
                    self.ledger.settle(id, answer.status, answer.body)


class Subscribers:
    """Clients of the stream through the balancer, each of three symbols.

    Attributes
    ----------
    silences : list of float
        The longest time without a price of each client, in seconds, outside of announced outages.
    ages : list of float
        Seconds from when a bar was due until a client had its price.
    """

    def __init__(self, port: int, count: int) -> None:
        self.count, self.received = count, 0
        self.ages: list[float] = []
        self.last = [time.perf_counter()] * count
        self.silences = [0.0] * count
        self._port = port

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Subscribers]:
        """Connect all, and stay connected."""
        rng = random.Random(2)
        async with AsyncExitStack() as stack:
            clients = []
            for place in range(self.count):
                topics = [f"prices.{symbol}" for symbol in rng.sample(SYMBOLS, 3)]
                client = Client(
                    f"ws://127.0.0.1:{self._port}/stream",
                    topics,
                    on_message=lambda message, place=place: self._note(place, message),  # type: ignore[misc]
                    backoff=(0.1, 1.0),
                )
                clients.append(await stack.enter_async_context(client))
            await asyncio.gather(*(client.connected(30.0) for client in clients))
            self.last = [time.perf_counter()] * self.count
            yield self

    def _note(self, place: int, message: Message) -> None:
        now = time.perf_counter()
        self.received += 1
        self.silences[place] = max(self.silences[place], now - self.last[place])
        self.last[place] = now
        age = time.time() - message.data[AT]
        if abs(age) < 60:  # the clock of its server is not set otherwise
            self.ages.append(age)

    def forgive(self) -> None:
        """Begin to count silences again: after an announced outage."""
        now = time.perf_counter()
        self.last = [now] * self.count
