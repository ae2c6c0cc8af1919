"""An application for several uvicorn workers whose metrics are on one page; run by test_served.py."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from fastcore.monitor import Health, HealthApp, MetricsApp, MetricsMiddleware, WorkerFiles

workers = WorkerFiles(interval=0.05)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with workers:
        yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(MetricsMiddleware)


@app.get("/work/{number}")
async def work(number: int) -> int:
    return os.getpid()


app.mount("/metrics", MetricsApp(workers))
app.mount("/", HealthApp(Health()))
