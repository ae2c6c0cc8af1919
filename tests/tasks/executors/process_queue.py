"""Queues with process slots for tests, and how tests wait."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fastcore.tasks import TaskQueue
from fastcore.tasks.executors.process.executor import ProcessExecutor

__all__ = ["MINUTE", "gone", "lines", "program", "queues_made"]

MINUTE = 60.0
ROOT = Path(__file__).resolve().parents[3]


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def program(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(body), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, timeout=100, env=env, cwd=tmp_path, check=False
    )


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
