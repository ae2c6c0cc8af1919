"""Requests on a fixed schedule: analyses of symbols as popular as Zipf says, and now and then a report."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from examples.market_desk.http_client import HttpClient
from examples.market_desk.prices import SYMBOLS

__all__ = ["WINDOWS", "RestLoad", "popular"]

WINDOWS = (250, 125, 500, 1250, 3000)  # bars an analysis covers, the most asked for first
POLL = 0.02  # seconds between two looks at a report's result
TIME_LIMIT = 30.0  # seconds after which a request counts as failed


def popular(things: tuple[Any, ...], rng: random.Random) -> Iterator[Any]:
    """Yield `things` forever; the one of rank r has weight 1/r."""
    weights = [1 / rank for rank in range(1, len(things) + 1)]
    while True:
        yield rng.choices(things, weights)[0]


@dataclass
class RestLoad:
    """An open loop: requests start on time whether or not earlier ones were answered.

    Times run from the moment a request was due, in seconds.

    Attributes
    ----------
    analyses, answered, ready : list of float
        Analyses; reports until the first answer; reports until the finished report was there.
    errors : list of str
        What went wrong, a line each.
    """

    client: HttpClient
    rate: float
    report_rate: float
    seed: int = 0
    analyses: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Send for `seconds`, and wait for what is still under way."""
        rng = random.Random(self.seed)
        symbols, windows = popular(SYMBOLS, rng), popular(WINDOWS, rng)

        async def analysis(due: float) -> None:
            await self._analysis(f"/technical-analysis/{next(symbols)}?bars={next(windows)}", due)

        await asyncio.gather(
            self._schedule(self.rate, seconds, analysis),
            self._schedule(self.report_rate, seconds, self._report),
        )

    async def _schedule(self, rate: float, seconds: float, send: Callable[[float], Awaitable[None]]) -> None:
        if rate <= 0:
            return
        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for n in itertools.count():
                due = start + n / rate
                if due >= start + seconds:
                    return
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(self._guarded(send, due))

    async def _guarded(self, send: Callable[[float], Awaitable[None]], due: float) -> None:
        try:
            async with asyncio.timeout(TIME_LIMIT):
                await send(due)
        except (OSError, EOFError, ValueError) as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    async def _analysis(self, path: str, due: float) -> None:
        answer = await self.client.get(path)
        if answer.status != 200:
            raise ValueError(f"GET {path}: expected 200, got {answer.status}")
        self.analyses.append(time.perf_counter() - due)

    async def _report(self, due: float) -> None:
        answer = await self.client.post("/generate-report", list(SYMBOLS))
        self.answered.append(time.perf_counter() - due)
        url = answer.json()["result_url"] if answer.status == 202 else ""
        while answer.status == 202:
            await asyncio.sleep(POLL)
            answer = await self.client.get(url)
        report = answer.json()["result"] if url and answer.status == 200 else answer.json()
        if answer.status != 200 or len(report["sections"]) != len(SYMBOLS):
            raise ValueError(f"report: expected 200 and {len(SYMBOLS)} sections, got {answer.status}")
        self.ready.append(time.perf_counter() - due)
