"""Ten probes a second, each over a connection of its own: how much of them was answered, and how fast."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from examples.market_desk.http_client import HttpClient
from examples.market_desk.open_loop import open_loop

__all__ = ["RATE", "Probe", "Probes", "answered"]

RATE = 10  # a second
LIMIT = 2.0  # seconds within which a probe must be answered
PATHS = (
    "/technical-analysis/AAPL",
    "/prices?symbols=IBM,BS001",
    "/signals/FB",
    "/technical-analysis?symbols=GOOG,MSFT",
)
CLOSE = "Connection: close\r\n"


class Probe(NamedTuple):
    """When a probe was due, how many seconds its answer took, and its error, if any."""

    due: float
    seconds: float
    error: str


@dataclass
class Probes:
    """The probes of one port; times are those of `time.perf_counter`."""

    port: int
    done: list[Probe] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        """Probe until `stop`, on time whether or not earlier ones were answered."""
        paths = itertools.cycle(PATHS)
        await open_loop(RATE, lambda due: self._probe(due, next(paths)), stop)

    async def _probe(self, due: float, path: str) -> None:
        http, error = HttpClient(self.port), ""
        try:
            async with asyncio.timeout(LIMIT):
                answer = await http.get(path, CLOSE)
            if answer.status != 200:
                error = f"{path}: {answer.status}"
        except (OSError, EOFError, ValueError, TimeoutError) as failure:
            error = f"{path}: {type(failure).__name__}"
        finally:
            http.close()
        self.done.append(Probe(due, time.perf_counter() - due, error))

    def outside(self, outages: Sequence[tuple[float, float]]) -> list[Probe]:
        """Return the probes that were neither due nor waiting for their answers in one of the `outages`."""
        return [
            one
            for one in self.done
            if not any(begin <= one.due + one.seconds and one.due <= end for begin, end in outages)
        ]

    def longest_gap(self) -> float:
        """Return the longest time between two answers."""
        times = sorted(one.due + one.seconds for one in self.done if not one.error)
        return max((after - before for before, after in itertools.pairwise(times)), default=0.0)


def answered(probes: Sequence[Probe]) -> float:
    """Return the share that was answered."""
    return sum(not one.error for one in probes) / max(1, len(probes))
