"""A few requests a second to the own service, so that its dashboard has something to show."""

from __future__ import annotations

import asyncio
import random
import threading
import time

from examples.market_desk.data.market import HISTORY
from examples.market_desk.http_client import HttpClient

__all__ = ["visit"]

SYMBOLS = ("AAPL", "IBM", "MSFT", "GOOG", "FB", *(f"BS{n:03d}" for n in range(1, 200)))
EVERY = 100  # requests, of which one orders a report and one a batch
TIMEOUT = 10.0
PREFER = "Prefer: respond-async\r\n"


def visit(port: int, rate: float) -> None:
    """Send `rate` requests a second from a thread of its own, for as long as the process runs."""
    threading.Thread(target=lambda: asyncio.run(send_all(port, rate)), name="visitors", daemon=True).start()


async def send_all(port: int, rate: float) -> None:
    """Send analyses over many windows, and sometimes a report or a batch; what fails is the server's to count."""
    http, rng, start = HttpClient(port), random.Random(), time.perf_counter()
    running: set[asyncio.Task[None]] = set()
    n = 0
    while True:
        n += 1
        await asyncio.sleep(max(0.0, start + n / rate - time.perf_counter()))
        symbols = rng.sample(SYMBOLS, 5)
        path = f"/technical-analysis/{symbols[0]}?bars={rng.randint(50, HISTORY)}"
        if n % EVERY == EVERY // 2:
            path = f"/technical-analysis?symbols={','.join(symbols)}"
        task = asyncio.create_task(one(http, path, symbols if n % EVERY == 0 else []))
        running.add(task)
        task.add_done_callback(running.discard)


async def one(http: HttpClient, path: str, report: list[str]) -> None:
    """Send one request."""
    try:
        async with asyncio.timeout(TIMEOUT):
            await (http.post("/generate-report", report, PREFER) if report else http.get(path))
    except (OSError, EOFError, ValueError, TimeoutError):
        pass
