"""What every server tells of itself, by the same means whatever runs in it: ``GET /status``."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from typing import Any

import psutil
from fastapi import FastAPI

from examples.market_desk.data.market import Market

__all__ = ["add_status"]


class Collections:
    """Counts and times the runs of the garbage collector."""

    def __init__(self) -> None:
        self.runs, self.seconds, self.longest = 0, 0.0, 0.0
        self._began = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
            return
        took = time.perf_counter() - self._began
        self.runs, self.seconds, self.longest = self.runs + 1, self.seconds + took, max(self.longest, took)


def add_status(app: FastAPI, arm: str, market: Market, extra: Callable[[], dict[str, Any]] = dict) -> None:
    """Add the route; `extra` gives what only this arm has."""
    process = psutil.Process()
    collections = Collections()

    @app.get("/status")
    async def status() -> dict[str, Any]:
        found = {
            "arm": arm,
            "pid": os.getpid(),
            "bar": market.bar,
            "at": market.at,
            "symbols": len(market.symbols),
            "bootstrapped": sum(origin == "bootstrapped" for origin in market.origin.values()),
            "cpu": time.process_time(),
            "resident": process.memory_info().rss,
            "machine": psutil.virtual_memory().percent / 100,
            "gc": {"runs": collections.runs, "seconds": collections.seconds, "longest": collections.longest},
        }
        return found | extra()
