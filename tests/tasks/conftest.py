"""Queues over every store that needs no more than a name; and somebody whom a store of SQLite pushes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks import TaskQueue
from fastcore.tasks.stores.sqlite import SqliteStore
from tests.tasks.express_cases import Owner
from tests.tasks.sqlite_specs import check


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


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path / "tasks.db")
    yield made
    made.store.close()
    check(tmp_path / "tasks.db")


@pytest.fixture
def other(owner: Owner) -> Iterator[SqliteStore]:
    """The same file, opened once more."""
    made = SqliteStore(owner.store.path, durability="normal")
    yield made
    made.close()
