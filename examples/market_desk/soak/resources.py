"""Resources of the servers: resident memory, CPU, and the growth of the memory with its standard error."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import psutil

from examples.market_desk.soak.servers import Servers

__all__ = ["EVERY", "Resources", "Sample", "Slope", "growth"]

EVERY = 1.0  # seconds between two samples
WARMING = 300.0  # seconds after its start in which a server's tables and caches still fill


class Sample(NamedTuple):
    """The resident bytes of a process at a time, by `time.perf_counter`."""

    at: float
    pid: int
    resident: int


class Slope(NamedTuple):
    """Growth in MiB an hour, its standard error, and the seconds that it was measured over."""

    value: float
    error: float
    seconds: float


@dataclass
class Resources:
    """Samples of both servers, and of the machine.

    Attributes
    ----------
    system : float
        The largest share of the machine's memory in use, 0 to 1.
    """

    servers: Servers
    samples: list[Sample] = field(default_factory=list)
    system: float = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Sample until `stop`."""
        while not stop.is_set():
            for server in self.servers.both:
                resident = server.resident()
                if resident:
                    self.samples.append(Sample(time.perf_counter(), server.pid, resident))
            self.system = max(self.system, psutil.virtual_memory().percent / 100)
            await asyncio.sleep(EVERY)

    def cpu(self) -> float:
        """Return the CPU seconds of all servers so far."""
        return sum(server.seconds() for server in self.servers.both)


def growth(samples: Sequence[Sample], warming: float = WARMING) -> Slope | None:
    """Return how fast the memory of the processes grows once each is `warming` seconds old.

    A common slope is fitted by least squares to all processes, each with a level of its own. Memory goes up in steps,
    so one sample says much of the next: the error is that of independent samples times ``sqrt((1 + r) / (1 - r))``, r
    being the correlation of neighbouring residuals.
    """
    parts = []
    for pid in {sample.pid for sample in samples}:
        own = [sample for sample in samples if sample.pid == pid]
        kept = [sample for sample in own if sample.at - own[0].at >= warming]
        if len(kept) >= 30:
            parts.append((np.array([s.at for s in kept]), np.array([s.resident for s in kept]) / 2**20))
    if not parts:
        return None
    times = np.concatenate([at - at.mean() for at, _ in parts])
    values = np.concatenate([value - value.mean() for _, value in parts])
    spread = float(times @ times)
    slope = float(times @ values) / spread
    rest = values - slope * times
    free = max(1, len(values) - len(parts) - 1)
    error = math.sqrt(float(rest @ rest) / free / spread)
    power = float(rest @ rest)
    r = min(0.99, max(0.0, float(rest[1:] @ rest[:-1]) / power)) if power else 0.0
    seconds = sum(float(at[-1] - at[0]) for at, _ in parts)
    return Slope(slope * 3600, error * math.sqrt((1 + r) / (1 - r)) * 3600, seconds)
