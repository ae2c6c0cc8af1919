"""Bounded concurrency: maps, CPU work off the event loop, limits and retries.

Plain Python over asyncio, threads and processes; no hot path.
"""

from __future__ import annotations

from fastcore.concurrency.child_process import ProcessDied
from fastcore.concurrency.cpu import run_cpu, shutdown
from fastcore.concurrency.limiter import Limiter
from fastcore.concurrency.map import map_async
from fastcore.concurrency.remote_error import RemoteError
from fastcore.concurrency.retry import Attempt, Retry

__all__ = ["Attempt", "Limiter", "ProcessDied", "RemoteError", "Retry", "map_async", "run_cpu", "shutdown"]
