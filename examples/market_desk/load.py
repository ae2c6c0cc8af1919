"""The load: WebSocket clients and REST requests in a separate process, which reports in JSON lines."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from examples.market_desk.event_loop import run, sleep_until
from examples.market_desk.http_client import HttpClient
from examples.market_desk.latency import summarise
from examples.market_desk.open_files import raise_limit
from examples.market_desk.parent import end_with_parent
from examples.market_desk.prices import SYMBOLS
from examples.market_desk.replay import topic_of
from examples.market_desk.rest_load import WINDOWS, RestLoad, popular
from examples.market_desk.table import GRACE
from examples.market_desk.tick_client import Arrival, TickClient, connect

__all__ = ["LoadPlan", "main"]

CONNECTING = 64  # handshakes at a time
SETTLE = 0.5  # seconds between the last handshake and the measurement
CHUNK = 100  # arrivals read between two turns of the event loop
PAUSE = 0.003  # seconds without an arrival after which there is time to read
PILE = 20_000  # arrivals that are read even while more come


@dataclass(frozen=True)
class LoadPlan:
    """What to send, for how long; every rate is a second."""

    port: int
    clients: int
    seconds: float
    tick_rate: float
    request_rate: float
    report_rate: float


def tell(event: str, **facts: Any) -> None:
    """Write one JSON line to the parent."""
    print(json.dumps({"event": event, **facts}), flush=True)


def choose_topics(clients: int, seed: int = 0) -> list[tuple[str, ...]]:
    """Return the topics of each client: one to three symbols by popularity, and for one in twenty all of them."""
    rng = random.Random(seed)
    symbols = popular(SYMBOLS, rng)
    chosen = []
    for n in range(clients):
        wanted = {next(symbols) for _ in range(rng.randint(1, 3))} if n % 20 else set(SYMBOLS)
        chosen.append(tuple(sorted(topic_of(symbol) for symbol in wanted)))
    return chosen


class Ledger:
    """What has arrived, read and checked.

    Parameters
    ----------
    inbox : deque of Arrival
    period : float
        Nanoseconds between two ticks.
    """

    def __init__(self, inbox: deque[Arrival], period: float) -> None:
        self._inbox = inbox
        self._period = period
        self._window = (math.inf, math.inf)
        self._schedule = (0, 0)  # the number of some tick and when it was due
        self.latencies: list[float] = []
        self.indicators: dict[str, dict[str, float]] = {}

    def measure(self, start: int, stop: int) -> None:
        """Count the ticks that were due from `start` until `stop`, and no others."""
        self._window = (start, stop)

    async def keep(self) -> None:
        """Read arrivals until cancelled; while they pour in, let them: reading would delay the noting of the next."""
        waiting = 0
        while True:
            if waiting < len(self._inbox) < PILE:
                waiting = len(self._inbox)
                await asyncio.sleep(PAUSE)
                continue
            for _ in range(min(CHUNK, len(self._inbox))):
                self._read(*self._inbox.popleft())
            waiting = len(self._inbox)
            await asyncio.sleep(0 if self._inbox else PAUSE)

    def ticks_due(self) -> int:
        """Return how many ticks were due in the window, delivered or not."""
        seq, due = self._schedule
        first, last = (math.ceil((edge - due) / self._period) for edge in self._window)
        return max(0, seq + last) - max(0, seq + first)

    def _read(self, arrived: int, client: TickClient, data: bytes) -> None:
        start, stop = self._window
        for message in client.read(data):
            due = message["due"]
            if start <= due < stop:
                self.latencies.append((arrived - due) / 1e9)
                self.indicators.setdefault(f"{message['topic']} {message['date']}", message["indicators"])
            self._schedule = (message["seq"], due)


async def drive(plan: LoadPlan) -> None:
    """Connect, measure and report."""
    inbox: deque[Arrival] = deque()
    http = HttpClient(plan.port)
    ledger = Ledger(inbox, 1e9 / plan.tick_rate)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(ledger.keep())
        clients = await connect_all(plan, inbox)
        tell("connected", clients=len(clients))
        await asyncio.sleep(SETTLE)
        result = await measure(plan, ledger, clients, http)
        reader.cancel()
    result["analyses"] = await every_analysis(http)
    for client in clients:
        client.close()
    http.close()
    tell("result", **result)


async def connect_all(plan: LoadPlan, inbox: deque[Arrival]) -> list[TickClient]:
    """Open every connection, some at a time."""
    turn = asyncio.Semaphore(CONNECTING)

    async def one(topics: tuple[str, ...]) -> TickClient:
        async with turn:
            return await connect(plan.port, topics, inbox)

    return list(await asyncio.gather(*(one(topics) for topics in choose_topics(plan.clients))))


async def measure(plan: LoadPlan, ledger: Ledger, clients: list[TickClient], http: HttpClient) -> dict[str, Any]:
    """Return the results of the load over the window."""
    rest = RestLoad(http, plan.request_rate, plan.report_rate)
    before = (await http.get("/status")).json()
    busy, start = time.process_time(), time.perf_counter_ns()
    stop = start + round(plan.seconds * 1e9)
    ledger.measure(start, stop)
    tell("window-start")
    requests = asyncio.create_task(rest.run(plan.seconds))
    for second in range(1, math.ceil(plan.seconds) + 1):
        await sleep_until(min(stop, start + second * 10**9))
        show_progress(plan, start, ledger, rest, clients)
    busy = time.process_time() - busy
    tell("window-end")
    subscriptions = sum(len(client.topics) for client in clients)
    await late_messages(ledger, subscriptions)
    await requests
    after = (await http.get(f"/status?after_tick={before['ticks']}")).json()
    return {
        "status": after,
        "cache": {kind: after["cache"][kind] - before["cache"][kind] for kind in ("hits", "misses")},
        "offered": ledger.ticks_due() * subscriptions,
        "delivered": len(ledger.latencies),
        "lost_connections": sum(client.closed for client in clients),
        "delivery": summarise(ledger.latencies)._asdict(),
        "requests": summarise(rest.analyses)._asdict(),
        "report_answered": summarise(rest.answered)._asdict(),
        "report_ready": summarise(rest.ready)._asdict(),
        "errors": rest.errors,
        "load_cpu": busy / plan.seconds,
        "indicators": ledger.indicators,
    }


def show_progress(plan: LoadPlan, start: int, ledger: Ledger, rest: RestLoad, clients: list[TickClient]) -> None:
    """Report progress to the parent; raise if no client is connected any more."""
    if all(client.closed for client in clients):
        raise ConnectionError("the server closed every connection")
    tell(
        "progress",
        elapsed=min(plan.seconds, (time.perf_counter_ns() - start) / 1e9),
        delivered=len(ledger.latencies),
        newest_ms=summarise(ledger.latencies[-1000:]).p50,
        requests=len(rest.analyses),
    )


async def late_messages(ledger: Ledger, subscriptions: int) -> None:
    """Wait for messages due in the window that have not arrived, for `GRACE` seconds at most."""
    give_up = time.perf_counter() + GRACE
    while len(ledger.latencies) < ledger.ticks_due() * subscriptions and time.perf_counter() < give_up:
        await asyncio.sleep(0.05)


async def every_analysis(http: HttpClient) -> dict[str, dict[str, float | None]]:
    """Return the indicators of every symbol and window, for comparison with those of another run."""
    found = {}
    for symbol in SYMBOLS:
        for bars in WINDOWS:
            answer = await http.get(f"/technical-analysis/{symbol}?bars={bars}")
            found[f"{symbol} {bars}"] = answer.json()["indicators"]
    return found


def main(plan: LoadPlan) -> int:
    """Run the load; 0 when it could be measured."""
    raise_limit()
    end_with_parent(lambda: os._exit(1))
    try:
        run(drive(plan))
    except Exception as error:
        print(f"load: {first_cause(error)!r}", file=sys.stderr, flush=True)
        return 1
    return 0


def first_cause(error: BaseException) -> BaseException:
    """Return what went wrong first inside groups of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
