"""The service that the tasks' benchmark asks over HTTP: ``uvicorn tasks_service:app``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from fastapi import FastAPI

from fastcore import indicators as ta
from fastcore.tasks import TaskQueue

queue = TaskQueue(
    store=f"sqlite:///{os.environ['FASTCORE_BENCH_DB']}", workers={"async": 32, "thread": 2, "process": 1}
)


@queue.task(name="crawl", on="async", retries=3)
async def crawl(source: str) -> dict[str, Any]:
    """As a request to a slow site: it waits."""
    await asyncio.sleep(0.1)
    return {"source": source, "items": 20}


@queue.task(name="analyse", on="thread", priority=3)
def analyse(symbol: str, bars: int = 20_000) -> dict[str, float]:
    """Indicators over a seeded walk."""
    rng = np.random.default_rng(sum(symbol.encode()))
    close = 100 * np.exp(rng.normal(0, 0.01, bars).cumsum())
    return {"rsi": float(ta.rsi(close, 14)[-1]), "ema": float(ta.ema(close, 26)[-1])}


@queue.task(name="report", on="process", priority=7)
def report(days: int) -> int:
    """Plain Python that holds the GIL: some 20 ms."""
    return sum(i * i % 7 for i in range(days * 1000))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with queue:
        yield


app = FastAPI(lifespan=lifespan)
app.include_router(queue.router())
