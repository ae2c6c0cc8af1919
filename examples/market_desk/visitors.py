"""A few requests a second to the service itself, so that its dashboard has something to show."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading

from examples.market_desk.data.market import HISTORY
from examples.market_desk.http_client import PREFER, HttpClient
from examples.market_desk.open_loop import open_loop

__all__ = ["visit"]

SYMBOLS = ("AAPL", "IBM", "MSFT", "GOOG", "FB", *(f"BS{n:03d}" for n in range(1, 200)))
EVERY = 100  # requests, of which one orders a report and one a batch
TIMEOUT = 10.0


def visit(port: int, rate: float) -> None:
    """Send `rate` requests a second from a thread of its own, for as long as the process runs."""
    threading.Thread(target=lambda: asyncio.run(send_all(port, rate)), name="visitors", daemon=True).start()


async def send_all(port: int, rate: float) -> None:
    """Send analyses over many windows, and sometimes a report or a batch; what fails is the server's to count."""
    http, rng, numbers = HttpClient(port), random.Random(), itertools.count(1)

    async def send(due: float) -> None:
        n, symbols = next(numbers), rng.sample(SYMBOLS, 5)
        path = f"/technical-analysis/{symbols[0]}?bars={rng.randint(50, HISTORY)}"
        if n % EVERY == EVERY // 2:
            path = f"/technical-analysis?symbols={','.join(symbols)}"
        await one(http, path, symbols if n % EVERY == 0 else [])

    await open_loop(rate, send)


async def one(http: HttpClient, path: str, report: list[str]) -> None:
    """Send one request."""
    try:
        async with asyncio.timeout(TIMEOUT):
            await (http.post("/generate-report", report, PREFER) if report else http.get(path))
    except (OSError, EOFError, ValueError, TimeoutError):
        pass
