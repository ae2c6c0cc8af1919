"""Queues with process slots for tests, and how tests wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fastcore.tasks import TaskQueue
from fastcore.tasks.executors.process import ProcessExecutor

__all__ = ["MINUTE", "eventually", "gone", "lines", "queues_made"]

MINUTE = 60.0


def eventually(true: Callable[[], Any]) -> Any:
    for _ in range(6000):
        found = true()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it never became true")


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@pytest.fixture(name="make")
def queues_made() -> Iterator[Callable[..., TaskQueue]]:
    queues: list[TaskQueue] = []

    def made(size: int = 1, store: str = "memory", **options: Any) -> TaskQueue:
        queue = TaskQueue(store, executors={"process": ProcessExecutor(size, **options)}, drain=0.2)
        queues.append(queue)
        return queue.start()

    yield made
    for queue in queues:
        queue.stop()
        queue.close()
