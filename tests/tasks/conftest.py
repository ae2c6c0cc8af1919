"""Queues over every store that needs no more than a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks import TaskQueue


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory" if request.param == "memory" else f"sqlite:///{tmp_path}/tasks.db"


@pytest.fixture
def make(url: str) -> Iterator[Callable[..., TaskQueue]]:
    made: list[TaskQueue] = []

    def build(**options: Any) -> TaskQueue:
        queue = TaskQueue(options.pop("store", url), **options)
        made.append(queue)
        return queue

    yield build
    for queue in made:
        queue.close()
